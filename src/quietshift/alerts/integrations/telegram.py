"""telegram_configs: a bot's message to a chat."""

from __future__ import annotations

from typing import Annotated, ClassVar

from quietshift.alerts.integrations.fields import Address, Text
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying, shortened
from quietshift.alerts.model import Notifier
from quietshift.channels import telegram
from quietshift.channels.access import NONE, HttpAccess, Secret
from quietshift.channels.words import filled
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node

TOO_LONG = "This notification is longer than a Telegram message may be, and HTML cannot be cut: make its template say less."
MODES = ("", "Markdown", "MarkdownV2", "HTML")


class Telegram(Notifier, frozen=True, kw_only=True):
    """An entry of telegram_configs."""

    kind: ClassVar[str] = "telegram"
    http_config: HttpAccess = HttpAccess()
    api_url: Address = ""
    bot_token: Secret = NONE
    chat_id: Annotated[Secret, "number"] = NONE
    message_thread_id: int = 0
    message: Text = '{{ template "telegram.default.message" . }}'
    disable_notifications: bool = False
    parse_mode: str = "HTML"

    @property
    def whom(self) -> str:
        return f"chat {self.chat_id.value}" if self.chat_id.value else ""


def _finish(made: Telegram, node: Node, _settings: Global) -> Telegram:
    if not made.bot_token:
        node.error("no bot_token: set it here or as global.telegram_bot_token")
    if not made.chat_id or made.chat_id.value == "0":
        node.error("chat_id or chat_id_file is required")
    elif made.chat_id.value:
        node.entries()["chat_id"].integer()
    if made.parse_mode not in MODES:
        node.entries()["parse_mode"].error("has to be Markdown, MarkdownV2, HTML or empty")
    return made


def send(to: Telegram, saying: Saying) -> Answer:
    """Send it; every refusal is tried again."""
    if to.parse_mode == "HTML":
        text = saying.html(to.message, _escaped(saying.summary()))
        text = TOO_LONG if len(text) > telegram.MAX_TEXT else text
    else:
        text = shortened(saying.text(to.message, saying.summary()), telegram.MAX_TEXT)
    chat = to.chat_id.read()
    if not chat.lstrip("-").isdigit():
        return Answer("temporary", f"the chat's id is no number: {to.chat_id.file}")
    message = filled({
        "chat_id": chat, "text": text, "parse_mode": to.parse_mode, "disable_web_page_preview": "true",
        "disable_notification": "true" if to.disable_notifications else "",
        "message_thread_id": str(to.message_thread_id or ""),
    })  # fmt: skip
    return telegram.send_message(to.api_url, to.bot_token.read(), message, to.http_config)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


KIND = Kind(
    Telegram, send,
    {"http_config": "http_config", "api_url": "telegram_api_url", "bot_token": "telegram_bot_token"}, _finish,
)  # fmt: skip
