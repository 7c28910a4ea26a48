"""The `global` section: what integrations inherit. Alertmanager's defaults where it is silent."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec

from quietshift.alerts.integrations.fields import Address, HostPort, SecretAddress
from quietshift.channels.access import NONE, HttpAccess, Secret, Tls


class Global(msgspec.Struct, frozen=True):
    """Its fields as they are written."""

    resolve_timeout: timedelta = timedelta(minutes=5)
    http_config: HttpAccess = HttpAccess()
    smtp_from: str = ""
    smtp_hello: str = "localhost"
    smtp_smarthost: HostPort = ""
    smtp_auth_username: str = ""
    smtp_auth_password: Secret = NONE
    smtp_auth_secret: Secret = NONE
    smtp_auth_identity: str = ""
    smtp_require_tls: bool = True
    smtp_tls_config: Tls = Tls()
    smtp_force_implicit_tls: bool | None = None
    slack_api_url: SecretAddress = NONE
    slack_app_token: Secret = NONE
    slack_app_url: Address = "https://slack.com/api/chat.postMessage"
    pagerduty_url: Address = "https://events.pagerduty.com/v2/enqueue"
    opsgenie_api_url: Address = "https://api.opsgenie.com/"
    opsgenie_api_key: Annotated[Secret, "template"] = NONE
    wechat_api_url: Address = "https://qyapi.weixin.qq.com/cgi-bin/"
    wechat_api_secret: Annotated[Secret, "template"] = NONE
    wechat_api_corp_id: Annotated[str, "template"] = ""
    victorops_api_url: Address = "https://alert.victorops.com/integrations/generic/20131114/alert/"
    victorops_api_key: Secret = NONE
    telegram_api_url: Address = "https://api.telegram.org"
    telegram_bot_token: Secret = NONE
    webex_api_url: Address = "https://webexapis.com/v1/messages"
    jira_api_url: Address = ""
    rocketchat_api_url: Address = "https://open.rocket.chat/"
    rocketchat_token: Secret = NONE
    rocketchat_token_id: Secret = NONE
    mattermost_webhook_url: SecretAddress = NONE
