"""What receivers and `global` lack, or say wrongly, is told with file and line."""

import pytest

from tests.alerts.test_integrations import read, receiver


@pytest.mark.parametrize(
    ("kind", "written", "error"),
    [
        ("slack", "{channel: x}", "no api_url and no app_token"),
        ("slack", "{api_url: 'http://x', api_url_file: y}", "at most one of api_url, api_url_file"),
        ("slack", "{api_url: 'http://x', app_token: y}", "at most one of api_url, app_token"),
        ("slack", "{api_url: 'http://x', fields: [{title: a}]}", "fields[0].value: is required"),
        ("slack", "{api_url: 'http://x', actions: [{type: a, text: b}]}", "actions[0]: name or url is required"),
        ("slack", "{api_url: 'http://x', update_message: true}", "update_message: is not supported yet"),
        ("slack", "{api_url: 'http://x', title: '{{ .X'}", "title: template:"),
        ("slack", "{api_url: 'http://x', title: '{{ template \"nowhere\" . }}'}", "title: template:"),
        ("slack", "{api_url: 'http://x', fields: [{title: a, value: '{{ nofunction }}'}]}", "fields[0].value: template:"),
        ("slack", "{api_url: 'http://x', colour: red}", "colour: unknown key (did you mean color?)"),
        ("slack", "{app_token: y, http_config: {authorization: {credentials: x}}}", "there is no http_config.authorization"),
        ("pagerduty", "{}", "a routing_key or service_key is required"),
        ("pagerduty", "{routing_key: a, routing_key_file: b}", "at most one of routing_key, routing_key_file"),
        ("pagerduty", "{routing_key: a, details: {x: '{{ end }}'}}", "details.x: template:"),
        ("pagerduty", "{routing_key: a, url: 'ftp://x'}", "url: unsupported scheme 'ftp'"),
        ("opsgenie", "{}", "no api_key"),
        ("opsgenie", "{api_key: x, responders: [{type: team}]}", "responders[0]: a responder needs an id"),
        ("opsgenie", "{api_key: x, responders: [{name: a, type: crowd}]}", "type has to be one of team, teams"),
        ("pushover", "{token: a}", "user_key or user_key_file is required"),
        ("pushover", "{token: a, user_key: b, html: true, monospace: true}", "at most one of html, monospace"),
        ("pushover", "{token: a, user_key: b, retry: soon}", "retry: not a duration"),
        ("telegram", "{chat_id: 1}", "no bot_token"),
        ("telegram", "{bot_token: x}", "chat_id or chat_id_file is required"),
        ("telegram", "{bot_token: x, chat_id: ops}", "chat_id: expected a whole number"),
        ("telegram", "{bot_token: x, chat_id: 1, parse_mode: html}", "parse_mode: has to be"),
        ("discord", "{}", "webhook_url or webhook_url_file is required"),
        ("msteams", "{webhook_url: 'x'}", "webhook_url: unsupported scheme"),
        ("msteamsv2", "{}", "webhook_url or webhook_url_file is required"),
        ("sns", "{sigv4: {region: x}}", "exactly one of topic_arn, phone_number, target_arn"),
        ("sns", "{topic_arn: a, phone_number: b}", "exactly one of topic_arn, phone_number, target_arn"),
        ("sns", "{topic_arn: a, sigv4: {access_key: x}}", "access_key and secret_key belong together"),
        ("victorops", "{api_key: a}", "routing_key is required"),
        ("victorops", "{api_key: a, routing_key: b, custom_fields: {entity_id: x}}", "entity_id is set by the event itself"),
        ("webex", "{room_id: a}", "http_config.authorization is required"),
        ("webex", "{http_config: {authorization: {credentials: x}}}", "room_id is required"),
        ("wechat", "{corp_id: a}", "no api_secret"),
        ("wechat", "{api_secret: a}", "no corp_id"),
        ("wechat", "{api_secret: a, corp_id: b, message_type: html}", "message_type: has to be text or markdown"),
        ("rocketchat", "{token: a}", "no token_id"),
        ("mattermost", "{}", "no webhook_url"),
        ("incidentio", "{url: 'http://x'}", "alert_source_token (or alert_source_token_file"),
        ("webhook", "{url: 'http://x', http_config: {proxy_url: 'http://p', proxy_from_environment: true}}", "no proxy_url"),
        ("webhook", "{url: 'http://x', http_config: {no_proxy: x}}", "no_proxy: needs a proxy_url"),
        ("webhook", "{url: 'http://x', http_config: {tls_config: {cert: x}}}", "a certificate needs its key"),
        ("webhook", "{url: 'http://x', http_config: {tls_config: {ca: x}}}", "tls_config: the CA cannot be used"),
        ("webhook", "{url: 'http://x', http_config: {tls_config: {min_version: TLS9}}}", "min_version: has to be one of"),
        ("webhook", "{url: 'http://x', http_config: {oauth2: {client_id: x}}}", "oauth2.token_url: is required"),
        ("webhook", "{url: 'http://x', http_config: {http_headers: {Host: {values: [x]}}}}", "http_headers.Host: a header of"),
        ("webhook", "{url: 'http://x', http_config: {basic_auth: {username: a}, oauth2: {client_id: x}}}", "at most one of"),
        ("webhook", "{url: 'http://x', timeout: long}", "timeout: not a duration"),
        ("email", "{to: a@b.c, from: d@e.f, smarthost: 'x:25', threading: {enabled: true}}", "thread_by_date has to be"),
        ("email", "{to: a@b.c, from: d@e.f, smarthost: 'x:25', headers: {Subject: '{{ .X'}}", "headers.Subject: template:"),
        ("jira", "{project: x}", "jira_configs: is not supported yet"),
    ],
)
def test_what_is_missing_or_wrong_is_told_with_its_line(kind: str, written: str, error: str) -> None:
    _, problems = read(receiver(kind, written))
    found = [str(problem) for problem in problems.errors]
    assert any(error in each and each.startswith("alertmanager.yml:6: ") for each in found), found


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("global: {slack_api_url: x}", "global.slack_api_url: unsupported scheme"),
        ("global: {slack_api_url: 'http://x', slack_api_url_file: y}", "at most one of slack_api_url, slack_api_url_file"),
        ("global: {opsgenie_api_key: x, opsgenie_api_key_file: y}", "at most one of opsgenie_api_key, opsgenie_api_key_file"),
        ("global: {pagerduty_uri: x}", "global.pagerduty_uri: unknown key (did you mean pagerduty_url?)"),
        ("global: {smtp_smarthost: x}", "global.smtp_smarthost: not host:port"),
    ],
)
def test_what_is_wrong_in_global_is_told_even_if_nobody_uses_it(written: str, error: str) -> None:
    _, problems = read(receiver("webhook", "{url: 'http://x'}", written))
    assert any(error in str(problem) for problem in problems.errors), [str(p) for p in problems.errors]
