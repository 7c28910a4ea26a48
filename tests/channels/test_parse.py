"""Destinations are read as people write them, and never shown whole."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quietshift.channels.parse import Channel, mask, parse_via
from quietshift.channels.smarthost import Smarthost


@pytest.mark.parametrize(
    ("written", "channel", "address"),
    [
        ("mailto:ana@example.org", Channel.MAIL, "ana@example.org"),
        ("mailto:ana+pager@mail.example.org", Channel.MAIL, "ana+pager@mail.example.org"),
        ("mailto:ana%2Bpager@example.org", Channel.MAIL, "ana+pager@example.org"),
        ("mailto:pager@localhost", Channel.MAIL, "pager@localhost"),
        ("http://127.0.0.1:9000/page?who=ana", Channel.WEBHOOK, "http://127.0.0.1:9000/page?who=ana"),
        ("https://[::1]:9000/page", Channel.WEBHOOK, "https://[::1]:9000/page"),
        ("ntfys://ntfy.example.org/ana", Channel.NTFY, "https://ntfy.example.org/ana"),
        ("ntfy://localhost:8081/ana", Channel.NTFY, "http://localhost:8081/ana"),
        ("slack://hooks.slack.com/services/T/B/x", Channel.SLACK, "https://hooks.slack.com/services/T/B/x"),
        ("discord://discord.com/api/webhooks/1/x", Channel.DISCORD, "https://discord.com/api/webhooks/1/x"),
        ("msteams://example.org/w?sig=x", Channel.MSTEAMS, "https://example.org/w?sig=x"),
        ("pushover://u:t@api.pushover.net", Channel.PUSHOVER, "https://u:t@api.pushover.net"),
        ("telegram://1:t@api.telegram.org/-5", Channel.TELEGRAM, "https://1:t@api.telegram.org/-5"),
    ],
)
def test_a_destination_names_its_channel_and_address(written, channel, address):
    via = parse_via(written)
    assert (via.channel, via.address, via.url) == (channel, address, written)


@pytest.mark.parametrize(
    ("written", "because"),
    [
        ("ana@example.org", "not a contact: write mailto:"),
        ("", "not a contact"),
        ("tel:+4930123456", "tel: is not supported (supported: mailto:, http:"),
        ("mailto:", "not a mail address"),
        ("mailto:ana", "not a mail address"),
        ("mailto:ana@example.org,bo@example.org", "not a mail address"),
        ("mailto:ana@example.org?cc=bo@example.org", "not a mail address"),
        ("mailto:ana%0d%0aBcc:bo@example.org", "not a mail address"),
        ("mailto:ana@-example.org", "not a mail address"),
        ("mailto:ana@example..org", "not a mail address"),
        ("https:///path", "the host is missing"),
        ("https://host:port/", "its port is none"),
        ("https://[::1/", "its host is none"),
        ("https://exa mple.org/", "no spaces"),
        ("https://example.org/\r\nX: y", "no spaces"),
        ("ntfys://ntfy.example.org", "the topic is missing"),
        ("slack://hooks.slack.com", "the webhook's path is missing"),
        ("pushover://user@api.pushover.net", "the application's token is missing"),
        ("telegram://api.telegram.org/5", "the bot's token is missing"),
        ("telegram://1:t@api.telegram.org/", "the chat is missing"),
        ("https://example.org/" + "a" * 2000, "at most 2000 characters"),
    ],
)
def test_what_is_no_destination_is_refused_with_the_reason(written, because):
    with pytest.raises(ValueError, match=re.escape(because)):
        parse_via(written)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("slack://hooks.slack.com/services/T/B/x", "slack://hooks.slack.com/***"),
        ("pushover://u:t@api.pushover.net", "pushover://api.pushover.net"),
        ("telegram://1:t@api.telegram.org/-5", "telegram://api.telegram.org/***"),
        ("mailto:ana@example.org", "mailto:a***@example.org"),
        ("https://ana:s3cret@hooks.example.org:8443/services/T0/B0/XYZ?token=abc", "https://hooks.example.org:8443/***"),
        ("https://hooks.example.org", "https://hooks.example.org"),
        ("ntfys://ntfy.example.org/ana-secret-topic", "ntfys://ntfy.example.org/***"),
    ],
)
def test_what_could_be_a_secret_is_masked_and_the_host_stays(written, shown):
    assert mask(written) == shown
    assert str(parse_via(written)) == shown
    assert repr(parse_via(written)) == f"Via({shown})"


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=30))
def test_the_path_query_and_user_of_a_url_are_never_shown(secret):
    shown = mask(f"https://example.org/x{secret}")
    assert shown == "https://example.org/***"


@given(st.text(max_size=60))
def test_any_text_is_either_a_destination_or_refused(text):
    for written in (text, f"mailto:{text}", f"https://{text}", f"ntfys://{text}"):
        mask(written)
        try:
            via = parse_via(written)
        except ValueError:
            continue
        assert via.address
        assert via.address.isprintable()


def test_a_mail_server_is_written_as_host_and_port():
    places = {"mail.example.org:587": ("mail.example.org", 587), "localhost": ("localhost", 25), "[::1]:25": ("::1", 25)}
    for written, place in places.items():
        assert (Smarthost.at(written).host, Smarthost.at(written).port) == place
    assert "s3cret" not in repr(Smarthost.at("localhost:25", password="s3cret"))
    for wrong in ("", ":25", "host:smtp", "host:0", "host:70000"):
        with pytest.raises(ValueError, match="not a mail server"):
            Smarthost.at(wrong)
