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
    "rocketchat_token", "token_id",
})  # fmt: skip
_USERINFO = re.compile(r"(://[^/@\s:]*):[^/@\s]+@")


def blot(text: str) -> str:
    """The text with each secret value replaced; comments and layout stay. A text that is no YAML is blotted out whole."""
    try:
        spans = [span for node in yaml.compose_all(text, Loader=yaml.SafeLoader) for span in _secrets(node)]
    except (yaml.YAMLError, RecursionError):
        return SECRET
    for begin, end in sorted(set(spans), reverse=True):
        text = text[:begin] + SECRET + text[end:]
    return _USERINFO.sub(r"\1:xxxxx@", text)


def _secrets(node: yaml.Node | None, under: str = "") -> Iterator[tuple[int, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = str(key.value)
            if isinstance(value, yaml.ScalarNode):
                if name in KEYS or (name == "api_url" and under == "slack_configs"):
                    yield value.start_mark.index, value.end_mark.index
            else:
                yield from _secrets(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _secrets(item, under)
