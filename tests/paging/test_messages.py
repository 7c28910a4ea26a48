"""What a page says: the symptom first, one way to acknowledge, who is next, why you."""

import re
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from quietshift.paging import links, render, senders, usecases
from tests.paging.conftest import KEY, START
from tests.support.webhook import Scripted

LINK = re.compile(r"https://shift\.example\.org/p/(\S+)")


@pytest.fixture
def reached(room):
    """ana, by mail, webhook and push; bo is next."""
    push = room.phone.url("/push").replace("http:", "ntfy:")
    room.person("ana", ("0s", "mailto:ana@example.org"), ("0s", "/ana"), ("0s", push))
    room.person("bo", ("0s", "/bo")).policy(("0s", "user:ana"), ("5m", "user:bo"))
    room.start()
    return room


def test_a_mail_reads_well_on_a_phone_at_three_in_the_morning(reached):
    [mail] = reached.mailbox.mails("ana@example.org")
    assert mail.subject == "[INC-1042] Git push fails"
    lines = mail.text.splitlines()
    assert lines[0] == "Git push fails"
    assert "service   gitaly" in lines
    assert "owner     group:default/storage" in lines
    assert "since     2026-11-21 02:00:00 UTC (just now)" in lines
    assert "https://shift.example.org/incidents/INC-1042" in lines
    assert "Next, unless somebody acknowledges: bo (user:bo), at 2026-11-21 02:05:00 UTC." in lines
    assert any(line.startswith("Why you: step 1 of 2: user:ana is named.") for line in lines)


def test_the_link_in_each_message_is_this_persons_for_this_incident_and_page(reached):
    [mail] = reached.mailbox.mails("ana@example.org")
    page = reached.pages()[0]
    body = reached.phone.posts("/ana")[0].json
    tokens = [LINK.search(mail.text)[1], LINK.fullmatch(body["acknowledge_url"])[1]]
    for token in tokens:
        link = links.read(KEY, token, START)
        assert (link.incident_id, link.user, link.page_id) == (1042, "ana", page.id)
        assert link.expires_at == START + timedelta(hours=24)


def test_a_webhook_gets_what_was_promised(reached):
    [post] = reached.phone.posts("/ana")
    page = reached.pages()[0]
    assert post.json["page_id"] == page.id
    assert (post.json["attempt"], post.json["user"], post.json["test"]) == (1, "ana", False)
    assert post.json["incident"] == {"id": "INC-1042", "title": "Git push fails"}
    assert post.json["incident_url"] == "https://shift.example.org/incidents/INC-1042"
    assert post.json["next"] == {"at": "2026-11-21T02:05:00Z", "users": ["bo"], "text": "bo (user:bo)"}
    assert post.json["due_at"] == "2026-11-21T02:00:00Z"
    assert post.json["reason"] == page.reason


def test_a_push_rings_loud_and_acknowledges_by_its_button(reached):
    [post] = reached.phone.posts("/push")
    assert str(make_header(decode_header(post.headers["Title"]))) == "[INC-1042] Git push fails"
    assert post.headers["Priority"] == "5"
    assert post.headers["Click"] == "https://shift.example.org/incidents/INC-1042"
    assert LINK.search(post.headers["Actions"])
    assert "bo (user:bo)" in post.body.decode()


def test_mails_of_one_incident_are_one_thread_and_each_page_is_a_mail_of_its_own(room):
    room.person("ana", ("0s", "mailto:ana@example.org")).policy(("0s", "user:ana"), ("5m", "user:ana"))
    room.start()
    room.wait("5m")
    first, second = (mail.message for mail in room.mailbox.mails("ana@example.org"))
    assert first["References"] == second["References"] == "<inc-1042@shift.example.org>"
    assert first["Message-ID"] != second["Message-ID"]
    assert first["Subject"] == second["Subject"]


def test_a_mail_that_is_tried_again_has_the_same_id(room):
    room.person("ana", ("0s", "mailto:ana@example.org")).policy(("0s", "user:ana"))
    room.mailbox.refuse("ana@example.org", "451 4.7.1 try later")
    room.start()
    room.wait("1s")
    [page] = room.pages()
    assert [(a.outcome, a.code) for a in page.attempts] == [("temporary", 451), ("accepted", 250)]
    assert page.attempts[0].answer == "451 4.7.1 try later"
    [mail] = room.mailbox.mails("ana@example.org")
    assert mail.message["Message-ID"] == f"<page-{page.id}-0@shift.example.org>"


def test_a_user_unknown_to_the_mail_server_brings_the_next_person_at_once(room):
    room.person("ana", ("0s", "mailto:ana@example.org")).person("bo", ("0s", "/bo"))
    room.policy(("0s", "user:ana"), ("5m", "user:bo"))
    room.mailbox.refuse("ana@example.org", "550 5.1.1 no such user")
    room.start()
    assert room.rung() == ["bo"]
    assert room.pages()[0].attempts[0].answer == "550 5.1.1 no such user"


def test_without_a_mail_server_a_mail_contact_fails_at_once_and_says_why(room):
    room.person("ana", ("0s", "mailto:ana@example.org"), ("9m", "/ana")).policy(("0s", "user:ana"))
    way = senders.Way("https://shift.example.org", KEY, timedelta(hours=1), None, "pager@example.org")
    room.kinds = {kind.kind: kind for kind in senders.kinds(way)}
    room.start()
    assert room.rung() == ["ana"]
    assert room.pages()[0].attempts[0].answer == "no mail server is set up (smtp_smarthost)"


def test_what_an_alert_says_can_neither_add_headers_nor_markup(room):
    class Tags(HTMLParser):
        found: list[str]

        def handle_starttag(self, tag, attrs):
            self.found.append(tag)

    room.person("ana", ("0s", "mailto:ana@example.org"), ("0s", room.phone.url("/push").replace("http:", "ntfy:")))
    room.policy(("0s", "user:ana"))
    evil = "x\r\nBcc: eve@example.org\r\n\r\n<script>alert(1)</script>"
    room.do(usecases.start, room.facts(title=evil, service="<img src=x>"), "storage", room.now, ops=room.ops, why="")
    [mail] = room.mailbox.mails()
    assert mail.recipients == ("ana@example.org",)
    assert "Bcc" not in mail.message
    tags = Tags()
    tags.found = []
    tags.feed(mail.message.get_body(("html",)).get_content())
    assert set(tags.found) <= {"html", "head", "meta", "body", "h1", "p", "a", "br"}
    [post] = room.phone.posts("/push")
    assert "Bcc" not in post.headers


def test_a_chat_says_the_same_and_its_links_open_pages(room, trusted):
    trusted.always("/services/s3cret", Scripted(200, b"ok"))
    room.person("ana", ("0s", f"slack://127.0.0.1:{trusted.port}/services/s3cret")).policy(("0s", "user:ana"))
    room.start()
    [post] = trusted.posts("/services/s3cret")
    title, about, following, links = post.json["text"].split("\n")
    assert title == "*[INC-1042] Git push fails*"
    assert about == "gitaly, critical, since 2026-11-21 02:00:00 UTC"
    assert following.startswith("Next, unless somebody acknowledges: ana")
    assert re.fullmatch(r"<\S+/p/\S+\|I have it>  <https://shift\.example\.org/incidents/INC-1042\|Open>", links)
    [attempt] = room.pages()[0].attempts
    assert (attempt.channel, attempt.via, attempt.outcome) == ("slack", f"slack://127.0.0.1:{trusted.port}/***", "accepted")


def test_why_you_is_told_on_ones_own_clock():
    reason = "schedule:web: ana is on (layer weekly) until 2026-11-23T08:00:00Z"
    at = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
    said = render.Message("p", "ana", at, reason, 0, None, None, zone=ZoneInfo("Europe/Berlin"))
    for text in (render.text(said, at), render.html(said, at), render.push(said)["message"]):
        assert "until Mon 23 Nov 09:00 Europe/Berlin" in text
        assert "2026-11-23T08" not in text
    assert "until Mon 23 Nov 08:00 UTC" in render.text(render.Message("p", "ana", at, reason, 0, None, None), at)
