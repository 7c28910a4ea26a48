"""pushover_configs: a push to a phone."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from quietshift.alerts.integrations.fields import SecretText, Text
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying, shortened
from quietshift.alerts.model import Notifier
from quietshift.channels import pushover
from quietshift.channels.access import NONE, HttpAccess
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node


class Pushover(Notifier, frozen=True, kw_only=True):
    """An entry of pushover_configs. retry, expire: of priority 2, which rings until somebody confirms."""

    kind: ClassVar[str] = "pushover"
    http_config: HttpAccess = HttpAccess()
    user_key: SecretText = NONE
    token: SecretText = NONE
    title: Text = '{{ template "pushover.default.title" . }}'
    message: Text = '{{ template "pushover.default.message" . }}'
    url: Text = '{{ template "pushover.default.url" . }}'
    url_title: Text = ""
    device: Text = ""
    sound: Text = ""
    priority: Text = '{{ if eq .Status "firing" }}2{{ else }}0{{ end }}'
    retry: Annotated[timedelta, "go"] = timedelta(minutes=1)
    expire: Annotated[timedelta, "go"] = timedelta(hours=1)
    ttl: Annotated[timedelta, "go"] = timedelta()
    html: bool = False
    monospace: bool = False


def _finish(made: Pushover, node: Node, _settings: Global) -> Pushover:
    for name in ("user_key", "token"):
        if not getattr(made, name):
            node.error(f"{name} or {name}_file is required")
    if made.html and made.monospace:
        node.error("at most one of html, monospace")
    return made


def send(to: Pushover, saying: Saying) -> Answer:
    """Push it; 429 and 5xx are tried again."""
    title = saying.text(to.title, saying.title())
    follow = saying.html if to.html else saying.text
    message = shortened(follow(to.message, saying.summary()), pushover.MAX_MESSAGE).strip()
    parameters = {
        "token": saying.text(to.token.read()), "user": saying.text(to.user_key.read()),
        "title": shortened(title, pushover.MAX_TITLE), "message": message or "(no details)",
        "url": shortened(saying.text(to.url), pushover.MAX_URL), "url_title": saying.text(to.url_title),
        "priority": saying.text(to.priority, "2" if saying.firing else "0"), "retry": str(_seconds(to.retry)),
        "expire": str(_seconds(to.expire)), "sound": saying.text(to.sound),
    }  # fmt: skip
    parameters |= {"device": saying.text(to.device)} if to.device else {}
    parameters |= {"html": "1"} if to.html else {"monospace": "1"} if to.monospace else {}
    parameters |= {"ttl": str(_seconds(to.ttl))} if _seconds(to.ttl) > 0 else {}
    return pushover.push(parameters, to.http_config)


def _seconds(span: timedelta) -> int:
    return span // timedelta(seconds=1)


KIND = Kind(Pushover, send, {"http_config": "http_config"}, _finish)
