"""slack_configs: an attachment to a channel, by an incoming webhook or an app's token."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar

import msgspec

from quietshift.alerts.integrations.fields import Address, SecretAddress, Text, absent
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying, shortened
from quietshift.alerts.model import Notifier
from quietshift.channels import http, slack
from quietshift.channels.access import NONE, HttpAccess, Secret
from quietshift.channels.words import filled
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node

MARKDOWN_IN = ("fallback", "pretext", "text")


class Confirm(msgspec.Struct, frozen=True):
    text: Text = ""
    title: Text = ""
    ok_text: Text = ""
    dismiss_text: Text = ""


class Action(msgspec.Struct, frozen=True):
    """A button: a link by its url, or a message to an app by its name."""

    type: Text = ""
    text: Text = ""
    url: Text = ""
    style: Text = ""
    name: Text = ""
    value: Text = ""
    confirm: Confirm | None = None


class Field(msgspec.Struct, frozen=True):
    title: Text = ""
    value: Text = ""
    short: bool | None = None


class Slack(Notifier, frozen=True, kw_only=True):
    """An entry of slack_configs. api_url: where to post, once it is complete; an app's token is in http_config then."""

    kind: ClassVar[str] = "slack"
    send_resolved: bool = False
    http_config: HttpAccess = HttpAccess()
    api_url: SecretAddress = NONE
    app_token: Secret = NONE
    app_url: Address = ""
    channel: Text = ""
    username: Text = '{{ template "slack.default.username" . }}'
    color: Text = '{{ template "slack.default.color" . }}'
    title: Text = '{{ template "slack.default.title" . }}'
    title_link: Text = '{{ template "slack.default.titlelink" . }}'
    pretext: Text = '{{ template "slack.default.pretext" . }}'
    text: Text = '{{ template "slack.default.text" . }}'
    message_text: Text = ""
    fields: tuple[Field, ...] = ()
    short_fields: bool = False
    footer: Text = '{{ template "slack.default.footer" . }}'
    fallback: Text = '{{ template "slack.default.fallback" . }}'
    callback_id: Text = '{{ template "slack.default.callbackid" . }}'
    icon_emoji: Text = '{{ template "slack.default.iconemoji" . }}'
    icon_url: Text = '{{ template "slack.default.iconurl" . }}'
    image_url: Text = ""
    thumb_url: Text = ""
    link_names: bool = False
    mrkdwn_in: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    update_message: bool = False
    timeout: Annotated[timedelta, "go"] = timedelta()

    @property
    def whom(self) -> str:
        return self.channel


def _finish(made: Slack, node: Node, settings: Global) -> Slack:
    written = node.entries()
    if made.update_message:
        written["update_message"].error("is not supported yet: each notification is a message of its own")
    for field, at in zip(made.fields, written["fields"].items() if made.fields else (), strict=False):
        for name in ("title", "value"):
            if not getattr(field, name):
                absent(at, name)
    for action, at in zip(made.actions, written["actions"].items() if made.actions else (), strict=False):
        for name in ("type", "text"):
            if not getattr(action, name):
                absent(at, name)
        if not action.url and not action.name:
            at.error("name or url is required")
        if action.confirm is not None and not action.confirm.text:
            absent(at.entries()["confirm"], "text")
    return _reached(made, node, settings)


def _reached(made: Slack, node: Node, settings: Global) -> Slack:
    token, url, access = made.app_token, made.api_url, made.http_config
    if token and url:
        node.error("at most one of api_url, app_token")
    own_words = "http_config" in node.entries() and access.scheme
    if not token and not url and not own_words:
        token = settings.slack_app_token
    if not url:
        url = settings.slack_api_url
    if token:
        if access.scheme:
            node.error("with an app token there is no http_config.authorization")
        url, access = Secret(made.app_url), msgspec.structs.replace(access, scheme="Bearer", credentials=token)
    elif not url:
        node.error("no api_url and no app_token: set one here, or global.slack_api_url or slack_app_token")
    return msgspec.structs.replace(made, api_url=url, app_token=token, http_config=access)


def _attachment(to: Slack, saying: Saying) -> dict[str, Any]:
    title = saying.title()
    always = {
        "text": saying.text(to.text, saying.summary()), "fallback": saying.text(to.fallback, title),
        "callback_id": saying.text(to.callback_id), "footer": saying.text(to.footer),
    }  # fmt: skip
    given = filled({
        "title": shortened(saying.text(to.title, title), slack.MAX_TITLE), "title_link": saying.text(to.title_link),
        "pretext": saying.text(to.pretext), "image_url": saying.text(to.image_url), "thumb_url": saying.text(to.thumb_url),
        "color": saying.text(to.color, "danger" if saying.firing else "good"),
        "mrkdwn_in": list(to.mrkdwn_in or MARKDOWN_IN),
        "fields": [
            {
                **filled({"title": saying.text(field.title), "value": saying.text(field.value)}),
                "short": to.short_fields if field.short is None else field.short,
            }
            for field in to.fields
        ],
        "actions": [_action(action, saying) for action in to.actions],
    })  # fmt: skip
    return always | given


def _action(action: Action, saying: Saying) -> dict[str, Any]:
    names = ("type", "text", "url", "style") if action.url else ("type", "text", "style", "name", "value")
    made: dict[str, Any] = {name: saying.text(getattr(action, name)) for name in names}
    if action.confirm is not None and not action.url:
        asked = action.confirm
        made["confirm"] = filled({name: saying.text(getattr(asked, name)) for name in asked.__struct_fields__})
    return filled(made)


def send(to: Slack, saying: Saying) -> Answer:
    """Post it; 429 and 5xx are tried again, Slack's own refusals are not."""
    message = filled({
        "channel": saying.text(to.channel), "username": saying.text(to.username, "Quietshift"),
        "icon_emoji": saying.text(to.icon_emoji), "icon_url": saying.text(to.icon_url), "link_names": to.link_names,
        "text": saying.text(to.message_text, saying.title()), "attachments": [_attachment(to, saying)],
    })  # fmt: skip
    return slack.post(to.api_url.read(), message, to.http_config, to.timeout.total_seconds() or http.TIMEOUT)


KIND = Kind(Slack, send, {"http_config": "http_config", "app_url": "slack_app_url"}, _finish)
