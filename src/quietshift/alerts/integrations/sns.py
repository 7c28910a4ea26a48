"""sns_configs: a message to a topic, a device or a telephone, by Amazon SNS."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from quietshift.alerts.integrations.fields import Text, Texts
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying
from quietshift.alerts.model import Notifier
from quietshift.channels import aws, http, sns
from quietshift.channels.access import NONE, HttpAccess, Secret
from quietshift.channels.words import filled
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node


class SigV4(msgspec.Struct, frozen=True):
    region: str = ""
    access_key: str = ""
    secret_key: Secret = NONE
    profile: str = ""
    role_arn: str = ""
    external_id: str = ""


class Sns(Notifier, frozen=True, kw_only=True):
    """An entry of sns_configs. use_aws_http_client: taken; there is one client here."""

    kind: ClassVar[str] = "sns"
    http_config: HttpAccess = HttpAccess()
    api_url: Text = ""
    sigv4: SigV4 = SigV4()
    topic_arn: Text = ""
    phone_number: Text = ""
    target_arn: Text = ""
    subject: Text = '{{ template "sns.default.subject" . }}'
    message: Text = '{{ template "sns.default.message" . }}'
    attributes: Texts = msgspec.field(default_factory=dict)
    use_aws_http_client: bool = False

    @property
    def whom(self) -> str:
        return self.topic_arn or self.target_arn


def _finish(made: Sns, node: Node, _settings: Global) -> Sns:
    if sum(bool(one) for one in (made.topic_arn, made.phone_number, made.target_arn)) != 1:
        node.error("exactly one of topic_arn, phone_number, target_arn is required")
    if bool(made.sigv4.access_key) != bool(made.sigv4.secret_key):
        node.entries()["sigv4"].error("access_key and secret_key belong together")
    for name in made.attributes:
        if "{{" in name:
            node.entries()["attributes"].warning(f"the template in the name {name!r} is not checked before it is used")
    return made


def send(to: Sns, saying: Saying) -> Answer:
    """Publish it; 429 and 5xx are tried again."""
    v4 = to.sigv4
    account = aws.Account(v4.region, v4.access_key, v4.secret_key, v4.profile, v4.role_arn, v4.external_id)
    where = aws.region(account)
    if not where:
        return Answer("permanent", "no region: write it as sigv4.region")
    try:
        who = aws.credentials(account, saying.at, to.http_config)
    except http.Failed as failed:
        return failed.answer
    message = saying.text(to.message, saying.summary()).encode()
    most = sns.MAX_SMS if to.phone_number else sns.MAX_MESSAGE
    attributes = {saying.text(name): saying.text(value) for name, value in to.attributes.items()}
    if len(message) > most:
        attributes["truncated"] = "true"
    topic = saying.text(to.topic_arn)
    group = saying.key if topic.endswith(".fifo") else ""
    parameters = {
        "Message": message[:most].decode("utf-8", "ignore"),
        **filled({
            "TopicArn": topic, "PhoneNumber": saying.text(to.phone_number), "TargetArn": saying.text(to.target_arn),
            "Subject": saying.text(to.subject, saying.title()), "MessageGroupId": group, "MessageDeduplicationId": group,
        }),
    }  # fmt: skip
    return sns.publish(saying.text(to.api_url), where, who, parameters, attributes, saying.at, to.http_config)


KIND = Kind(Sns, send, {"http_config": "http_config"}, _finish)
