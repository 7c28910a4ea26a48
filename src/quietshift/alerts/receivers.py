"""The `global` and `receivers` sections of `alertmanager.yml`: webhooks and mail; other kinds are refused by name and line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from quietshift.alerts.model import Email, HttpAccess, Integration, Receiver, Webhook
from quietshift.kernel.config import Node

HTTP_FIELDS = (
    "basic_auth", "authorization", "oauth2", "bearer_token", "bearer_token_file", "proxy_url", "proxy_connect_header",
    "proxy_from_environment", "no_proxy", "tls_config", "follow_redirects", "enable_http2", "http_headers",
)
NOT_YET_HTTP = (
    "oauth2", "proxy_url", "proxy_connect_header", "proxy_from_environment", "no_proxy", "tls_config", "http_headers",
)
NOT_YET_KINDS = (
    "discord_configs", "pagerduty_configs", "slack_configs", "opsgenie_configs", "wechat_configs", "pushover_configs",
    "victorops_configs", "sns_configs", "telegram_configs", "webex_configs", "msteams_configs", "msteamsv2_configs",
    "jira_configs", "rocketchat_configs", "incidentio_configs", "mattermost_configs",
)
# Settings of receivers that are refused where they are used: taken here, so that one file serves both servers.
OTHER_GLOBALS = (
    "slack_api_url", "slack_api_url_file", "pagerduty_url", "opsgenie_api_url", "opsgenie_api_key",
    "opsgenie_api_key_file", "wechat_api_url", "wechat_api_secret", "wechat_api_corp_id", "victorops_api_url",
    "victorops_api_key", "victorops_api_key_file", "telegram_api_url", "webex_api_url", "jira_api_url",
    "rocketchat_api_url", "rocketchat_token", "rocketchat_token_file", "rocketchat_token_id", "rocketchat_token_id_file",
)
SMTP_FIELDS = (
    "smtp_from", "smtp_hello", "smtp_smarthost", "smtp_auth_username", "smtp_auth_password", "smtp_auth_password_file",
    "smtp_auth_secret", "smtp_auth_identity", "smtp_require_tls", "smtp_tls_config",
)


class Global(msgspec.Struct, frozen=True):
    """What receivers inherit. directory: where relative file names begin."""

    directory: Path
    resolve_timeout: timedelta = timedelta(minutes=5)
    mail: Email = Email(to="", sender="", smarthost="")
    http: HttpAccess = HttpAccess()


def load_global(node: Node, directory: Path) -> Global:
    """The `global` section, Alertmanager's defaults where it is silent."""
    f = node.fields("resolve_timeout", "http_config", *SMTP_FIELDS, *OTHER_GLOBALS)
    _exclusive(node, f["smtp_auth_password"], f["smtp_auth_password_file"])
    _not_yet(f["smtp_tls_config"])
    return Global(
        directory=directory,
        resolve_timeout=f["resolve_timeout"].duration(timedelta(minutes=5)),
        mail=Email(
            to="",
            sender=f["smtp_from"].text(),
            smarthost=_host_port(f["smtp_smarthost"]),
            hello=f["smtp_hello"].text("localhost"),
            username=f["smtp_auth_username"].text(),
            password=f["smtp_auth_password"].text(),
            password_file=_file(f["smtp_auth_password_file"], directory),
            secret=f["smtp_auth_secret"].text(),
            identity=f["smtp_auth_identity"].text(),
            require_tls=f["smtp_require_tls"].boolean(True),
        ),
        http=_http(f["http_config"], HttpAccess(), directory),
    )


def load(node: Node, defaults: Global) -> Receiver:
    """One receiver with its integrations; one that only has a name is valid."""
    f = node.fields("name", "webhook_configs", "email_configs", *NOT_YET_KINDS)
    for kind in NOT_YET_KINDS:
        _not_yet(f[kind])
    found: dict[str, Integration] = {}
    for i, item in enumerate(f["webhook_configs"].items()):
        found[f"webhook/{i}"] = _webhook(item, defaults)
    for i, item in enumerate(f["email_configs"].items()):
        found[f"email/{i}"] = _email(item, defaults)
    return Receiver(f["name"].required(), found, node.line)


def _webhook(node: Node, defaults: Global) -> Webhook:
    f = node.fields("send_resolved", "http_config", "url", "url_file", "max_alerts", "timeout")
    _not_yet(f["timeout"])
    _exclusive(node, f["url"], f["url_file"])
    if f["url"].missing and f["url_file"].missing:
        node.error("url or url_file is required")
    return Webhook(
        url=f["url"].parsed(web_address, ""),
        url_file=_file(f["url_file"], defaults.directory),
        send_resolved=f["send_resolved"].boolean(True),
        max_alerts=f["max_alerts"].integer(0, minimum=0),
        http=_http(f["http_config"], defaults.http, defaults.directory),
    )


def _email(node: Node, defaults: Global) -> Email:
    f = node.fields(
        "send_resolved", "to", "from", "hello", "smarthost", "auth_username", "auth_password", "auth_password_file",
        "auth_secret", "auth_identity", "headers", "html", "text", "require_tls", "tls_config", "threading",
    )
    base = defaults.mail
    _exclusive(node, f["auth_password"], f["auth_password_file"])
    for key in ("tls_config", "threading"):
        _not_yet(f[key])
    headers = f["headers"].entries()
    for field in (f["to"], f["from"], f["html"], f["text"], *headers.values()):
        if "{{" in field.text():
            field.error("templates are not supported yet: write plain text")
    seen: dict[str, str] = {}
    for name, value in headers.items():
        canonical = "-".join(part.capitalize() for part in name.split("-"))
        if canonical in seen:
            value.error(f"header {canonical} is given twice")
        if "\n" in value.text() or "\r" in value.text():
            value.error("a header has no line breaks")
        seen[canonical] = value.text()
    own_password = not (f["auth_password"].missing and f["auth_password_file"].missing)
    made = Email(
        to=f["to"].required(),
        sender=f["from"].text(base.sender),
        smarthost=_host_port(f["smarthost"]) or base.smarthost,
        hello=f["hello"].text(base.hello),
        username=f["auth_username"].text(base.username),
        password=f["auth_password"].text() if own_password else base.password,
        password_file=_file(f["auth_password_file"], defaults.directory) if own_password else base.password_file,
        secret=f["auth_secret"].text(base.secret),
        identity=f["auth_identity"].text(base.identity),
        require_tls=f["require_tls"].boolean(base.require_tls),
        headers=tuple(seen.items()),
        text=f["text"].text(),
        html=f["html"].text(),
        send_resolved=f["send_resolved"].boolean(False),
    )
    if made.identity and made.identity != made.username:
        node.error("an auth_identity other than the user name is not supported yet")
    if not made.smarthost:
        node.error("no smarthost: set it here or as global.smtp_smarthost")
    if not made.sender:
        node.error("no sender: set `from` here or global.smtp_from")
    return made


def _http(node: Node, inherited: HttpAccess, directory: Path) -> HttpAccess:
    if node.missing:
        return inherited
    f = node.fields(*HTTP_FIELDS)
    for key in NOT_YET_HTTP:
        _not_yet(f[key])
    if f["follow_redirects"].boolean(False):
        f["follow_redirects"].warning("redirects are not followed: name the address itself")
    f["enable_http2"].boolean(True)
    basic = f["basic_auth"].fields("username", "username_file", "password", "password_file")
    _not_yet(basic["username_file"])
    token = f["authorization"].fields("type", "credentials", "credentials_file")
    _exclusive(f["basic_auth"], basic["password"], basic["password_file"])
    _exclusive(f["authorization"], token["credentials"], token["credentials_file"])
    _exclusive(node, f["basic_auth"], f["authorization"], f["bearer_token"], f["bearer_token_file"])
    scheme = token["type"].text("Bearer") if not f["authorization"].missing else ""
    if scheme.lower() == "basic":
        token["type"].error("for basic authentication use basic_auth")
    bearer = not (f["bearer_token"].missing and f["bearer_token_file"].missing)
    return HttpAccess(
        username=basic["username"].text(),
        password=basic["password"].text(),
        password_file=_file(basic["password_file"], directory),
        scheme="Bearer" if bearer else scheme,
        credentials=f["bearer_token"].text() or token["credentials"].text(),
        credentials_file=_file(f["bearer_token_file"], directory) or _file(token["credentials_file"], directory),
    )


def _not_yet(node: Node) -> None:
    written = node.entries() if node.is_map else node.items() if node.is_list else not node.missing
    if written:
        node.error("is not supported yet")


def _exclusive(place: Node, *nodes: Node) -> None:
    written = [node.path.rpartition(".")[2] for node in nodes if not node.missing]
    if len(written) > 1:
        place.error(f"at most one of {', '.join(written)}")


def _file(node: Node, directory: Path) -> str:
    return "" if node.missing else str(directory / node.text())


def _host_port(node: Node) -> str:
    return node.parsed(host_port, "")


def host_port(text: str) -> str:
    """`host:port` with both there. Raises ValueError otherwise."""
    host, colon, port = text.rpartition(":")
    if not colon or not port or (":" in host and not host.startswith("[")):
        raise ValueError(f"not host:port: {text!r}")
    return text


def web_address(text: str) -> str:
    """An http or https URL with a host. Raises ValueError otherwise, without the URL itself: it may hold a secret."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        raise ValueError("not a URL") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"unsupported scheme {parts.scheme!r} for a URL (http or https)")
    if not parts.hostname:
        raise ValueError("the URL has no host")
    if not text.isprintable() or " " in text:
        raise ValueError("the URL has spaces or unprintable characters")
    return text
