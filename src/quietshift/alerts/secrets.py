"""Blots secrets out of a configuration file's text before it is shown: `<secret>`, as Alertmanager writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

SECRET = "<secret>"  # noqa: S105 - what is shown in place of one
KEYS = frozenset({
    "smtp_auth_password", "smtp_auth_secret", "auth_password", "auth_secret", "password", "credentials", "bearer_token",
    "client_secret", "slack_api_url", "opsgenie_api_key", "victorops_api_key", "wechat_api_secret", "api_key", "api_secret",
    "service_key", "routing_key", "user_key", "token", "bot_token", "secret_key", "access_key", "webhook_url",
    "rocketchat_token", "rocketchat_token_id", "token_id", "slack_app_token", "app_token", "mattermost_webhook_url",
    "telegram_bot_token", "alert_source_token", "key", "proxy_url",
})  # fmt: skip
# an address that whoever knows it can post to
ADDRESSES = {("api_url", "slack_configs"), ("url", "webhook_configs")}
_ADDRESS = re.compile(r"^(https?://[^/?#\s]+)(/?[^\s]+)?$")
LISTS = frozenset({"secrets"})  # of http_headers
MAPS = frozenset({"proxy_connect_header", "endpoint_params"})
_USERINFO = re.compile(r"(://[^/@\s:]*):[^/@\s]+@")


def blot(text: str) -> str:
    """The text with each secret value replaced; comments and layout stay. A text that is no YAML is blotted out whole."""
    try:
        spans = {span for node in yaml.compose_all(text, Loader=yaml.SafeLoader) for span in _secrets(node)}
    except (yaml.YAMLError, RecursionError):
        return SECRET
    for begin, end, shown in sorted(spans, reverse=True):
        text = text[:begin] + shown + text[end:]
    return _USERINFO.sub(r"\1:xxxxx@", text)


def _secrets(node: yaml.Node | None, under: str = "") -> Iterator[tuple[int, int, str]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = str(key.value)
            if isinstance(value, yaml.ScalarNode):
                if name in KEYS or under in MAPS:
                    yield _span(value, SECRET)
                elif (name, under) in ADDRESSES:
                    yield _span(value, _address(str(value.value)))
            else:
                yield from _secrets(value, under if under in MAPS else name)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            if isinstance(item, yaml.ScalarNode) and (under in LISTS or under in MAPS):
                yield _span(item, SECRET)
            else:
                yield from _secrets(item, under)


def _span(node: yaml.Node, shown: str) -> tuple[int, int, str]:
    return node.start_mark.index, node.end_mark.index, shown


def _address(url: str) -> str:
    """The host stays, so that who reads the configuration by the API still finds an address there, as older amtools want."""
    parts = _ADDRESS.match(url)
    if parts is None:
        return SECRET
    path = parts[2] or ""
    return f"'{parts[1]}{path if path in ('', '/') else '/' + SECRET}'"
