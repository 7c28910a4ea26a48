"""What is signed, and where credentials come from."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from quietshift.channels import aws, http
from quietshift.channels.access import Secret
from quietshift.channels.aws import Account
from quietshift.channels.sns import Credentials, signed
from tests.support.webhook import Scripted

AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
ROLE = b"""<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>
<SecretAccessKey>role-secret</SecretAccessKey><SessionToken>role-token</SessionToken><Expiration>2026-11-22T04:00:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"""


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch, tmp_path):
    for name in (
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE",
        "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    aws._kept.clear()


def test_a_form_is_signed_with_its_headers_and_content():
    """That Amazon's side accepts it is held by tests/wire/test_receivers_like_alertmanager.py, beside a signature of its SDK."""
    who = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    request = signed("https://example.amazonaws.com/", "us-east-1", "service", who, {"Param1": "value1"}, AT)
    assert request.content == b"Param1=value1"
    assert request.headers["x-amz-date"] == "20150830T123600Z"
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        r"SignedHeaders=content-type;host;x-amz-date, Signature=[0-9a-f]{64}",
        request.headers["authorization"],
    )
    assert found
    other = signed("https://example.amazonaws.com/", "us-east-1", "service", who, {"Param1": "value2"}, AT)
    assert other.headers["authorization"] != request.headers["authorization"]


def test_keys_that_are_written_count_before_all():
    found = aws.credentials(Account("eu-north-1", "AKIA", Secret("written")), NOW)
    assert (found.access_key, found.secret_key, found.token) == ("AKIA", "written", "")
    assert "written" not in repr(found)


def test_the_environment_and_then_a_profile(monkeypatch, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(
        "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = d\n"
        "[ops]\naws_access_key_id = OPS\naws_secret_access_key = o%\n"
    )
    (tmp_path / ".aws/config").write_text("[profile ops]\nregion = eu-west-3\n")
    assert aws.credentials(Account(), NOW).access_key == "DEFAULT"
    ops = Account(profile="ops")
    assert (aws.credentials(ops, NOW).secret_key, aws.region(ops), aws.region(Account())) == ("o%", "eu-west-3", "")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENV")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
    monkeypatch.setenv("AWS_REGION", "us-east-2")
    assert (aws.credentials(Account(), NOW).token, aws.credentials(ops, NOW).access_key) == ("t", "OPS")
    assert (aws.region(Account()), aws.region(Account("x"))) == ("us-east-2", "x")


@pytest.fixture
def sts(webhook_server, monkeypatch):
    monkeypatch.setattr(aws, "_sts", lambda _account: webhook_server.url("/sts"))
    return webhook_server


def test_a_role_is_assumed_once_until_shortly_before_its_end(sts):
    sts.always("/sts", Scripted(200, ROLE))
    account = Account("eu-north-1", "AKIA", Secret("written"), role_arn="arn:role", external_id="x")
    for after in (0, 30, 54, 56):
        found = aws.credentials(account, NOW + timedelta(minutes=after))
        assert (found.access_key, found.secret_key, found.token) == ("ASIAROLE", "role-secret", "role-token")
    assert len(sts.posts("/sts")) == 2
    asked = parse_qs(sts.posts("/sts")[0].body.decode())
    assert (asked["Action"], asked["RoleArn"], asked["ExternalId"]) == (["AssumeRole"], ["arn:role"], ["x"])
    assert "Credential=AKIA/" in sts.posts("/sts")[0].headers["authorization"]


def test_a_role_that_cannot_be_assumed_is_temporary_and_shows_no_secret(sts):
    sts.always("/sts", Scripted(403, b"AccessDenied for secret written-key"))
    with pytest.raises(http.Failed) as failed:
        aws.credentials(Account("eu-north-1", "AKIA", Secret("written-key"), role_arn="arn:role"), NOW)
    assert failed.value.answer.outcome == "temporary"
    assert "written-key" not in failed.value.answer.text


def test_a_web_identity(sts, monkeypatch, tmp_path):
    (tmp_path / "token").write_text("jwt\n")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:irsa")
    sts.always("/sts", Scripted(200, ROLE))
    assert aws.credentials(Account("eu-north-1"), NOW).token == "role-token"
    asked = parse_qs(sts.posts("/sts")[0].body.decode())
    assert (asked["Action"], asked["WebIdentityToken"]) == (["AssumeRoleWithWebIdentity"], ["jwt"])


def test_a_container(webhook_server, monkeypatch):
    told = b'{"AccessKeyId": "C", "SecretAccessKey": "cs", "Token": "ct", "Expiration": "2026-11-22T04:00:00Z"}'
    webhook_server.always("/creds", Scripted(200, told))
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", webhook_server.url("/creds"))
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "auth-token")
    assert aws.credentials(Account("eu-north-1"), NOW) == Credentials("C", "cs", "ct")
    [post] = webhook_server.posts("/creds")
    assert (post.method, {k.lower(): v for k, v in post.headers.items()}["authorization"]) == ("GET", "auth-token")
