"""Whose AWS account it is: keys written down, of the environment, of a profile, of a web identity or of this machine; and the
role that is assumed with them. Temporary ones are kept until shortly before they end."""

from __future__ import annotations

import configparser
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from quietshift.channels import http
from quietshift.channels.access import NONE, OPEN, HttpAccess, Secret
from quietshift.channels.sns import Credentials, signed
from quietshift.kernel.answer import Answer

EARLY = timedelta(minutes=5)  # before their end temporary credentials are not used any more
METADATA = "http://169.254.169.254"
_FIELD = re.compile(r"<(AccessKeyId|SecretAccessKey|SessionToken|Expiration)>([^<]*)</")


@dataclass(frozen=True)
class Account:
    """Where credentials come from. secret_key: with access_key."""

    region: str = ""
    access_key: str = ""
    secret_key: Secret = NONE
    profile: str = ""
    role_arn: str = ""
    external_id: str = ""


_kept: dict[Account, tuple[Credentials, datetime]] = {}
_lock = threading.Lock()


def region(account: Account) -> str:
    """The region: written, of the environment, of the profile; empty where nobody says."""
    named = account.region or os.environ.get("AWS_REGION", "") or os.environ.get("AWS_DEFAULT_REGION", "")
    return named or _profile(account.profile).get("region", "")


def credentials(account: Account, at: datetime, access: HttpAccess = OPEN) -> Credentials:
    """The credentials to sign with. Raises http.Failed where there are none, OSError where a secret's file is not."""
    with _lock:
        known = _kept.get(account)
    if known is not None and at < known[1] - EARLY:
        return known[0]
    found, until = _base(account, at, access)
    if account.role_arn:
        form = {
            "Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": account.role_arn,
            "RoleSessionName": f"quietshift-{int(at.timestamp())}",
        }  # fmt: skip
        form |= {"ExternalId": account.external_id} if account.external_id else {}
        found, until = _assume(signed(_sts(account), region(account), "sts", found, form, at), access)
    if until is not None:
        with _lock:
            _kept[account] = found, until
    return found


def _base(account: Account, at: datetime, access: HttpAccess) -> tuple[Credentials, datetime | None]:
    e = os.environ
    if account.access_key:
        return Credentials(account.access_key, account.secret_key.read()), None
    if not account.profile and e.get("AWS_ACCESS_KEY_ID"):
        return Credentials(e["AWS_ACCESS_KEY_ID"], e.get("AWS_SECRET_ACCESS_KEY", ""), e.get("AWS_SESSION_TOKEN", "")), None
    shared = _profile(account.profile)
    if shared.get("aws_access_key_id"):
        return Credentials(
            shared["aws_access_key_id"], shared.get("aws_secret_access_key", ""), shared.get("aws_session_token", "")
        ), None
    if e.get("AWS_WEB_IDENTITY_TOKEN_FILE") and e.get("AWS_ROLE_ARN"):
        form = {
            "Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": e["AWS_ROLE_ARN"],
            "RoleSessionName": e.get("AWS_ROLE_SESSION_NAME") or f"quietshift-{int(at.timestamp())}",
            "WebIdentityToken": Path(e["AWS_WEB_IDENTITY_TOKEN_FILE"]).read_text().strip(),
        }  # fmt: skip
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        content = urlencode(form).encode()
        return _assume(http.Request("POST", _sts(account), content, headers, (form["WebIdentityToken"],)), access)
    return _of_machine()


def _sts(account: Account) -> str:
    return f"https://sts.{region(account)}.amazonaws.com/"


def _assume(request: http.Request, access: HttpAccess) -> tuple[Credentials, datetime]:
    reply = http.exchange(request, access)
    told = dict(_FIELD.findall(reply.body.decode("utf-8", "replace")))
    if reply.status != 200 or not {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"} <= told.keys():
        raise http.Failed(Answer("temporary", f"the role cannot be assumed: {reply.words()}", reply.status))
    return _temporary(told["AccessKeyId"], told["SecretAccessKey"], told["SessionToken"], told["Expiration"])


def _of_machine() -> tuple[Credentials, datetime | None]:
    """Of the container (ECS, EKS Pod Identity) or of the virtual machine (IMDSv2), which are asked without a proxy."""
    e = os.environ
    path, full = e.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), e.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if path or full:
        token = e.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        if e.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
            token = Path(e["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read_text().strip()
        url = full or f"http://169.254.170.2{path}"
        return _told(http.Request("GET", url, headers={"authorization": token} if token else {}, secrets=(token,)))
    try:
        asked = http.Request("PUT", f"{METADATA}/latest/api/token", headers={"x-aws-ec2-metadata-token-ttl-seconds": "300"})
        headers = {"x-aws-ec2-metadata-token": http.exchange(asked, timeout=2).body.decode()}
        roles = f"{METADATA}/latest/meta-data/iam/security-credentials/"
        role = http.exchange(http.Request("GET", roles, headers=headers), timeout=2).body.decode().split("\n")[0]
        return _told(http.Request("GET", roles + role, headers=headers))
    except http.Failed as failed:
        words = f"no AWS credentials: none written, none in the environment or a profile, and no machine role ({failed})"
        raise http.Failed(Answer("temporary", words)) from None


def _told(request: http.Request) -> tuple[Credentials, datetime]:
    said = http.exchange(request, timeout=2).json
    if not isinstance(said, dict) or not isinstance(said.get("AccessKeyId"), str):
        raise http.Failed(Answer("temporary", "no AWS credentials: this machine has no role"))
    return _temporary(said["AccessKeyId"], str(said["SecretAccessKey"]), str(said["Token"]), str(said["Expiration"]))


def _temporary(key: str, secret: str, token: str, until: str) -> tuple[Credentials, datetime]:
    return Credentials(key, secret, token), datetime.fromisoformat(until).astimezone(UTC)


def _profile(name: str) -> Mapping[str, str]:
    """What ~/.aws/credentials and ~/.aws/config say of a profile."""
    e, home = os.environ, Path(os.environ.get("HOME", "/nonexistent"))
    wanted = name or e.get("AWS_PROFILE", "") or "default"
    read = configparser.ConfigParser(interpolation=None)
    found: dict[str, str] = {}
    for file, section in (
        (e.get("AWS_CONFIG_FILE") or home / ".aws/config", wanted if wanted == "default" else f"profile {wanted}"),
        (e.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws/credentials", wanted),
    ):
        try:
            read.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        if read.has_section(section):
            found |= dict(read.items(section))
    return found
