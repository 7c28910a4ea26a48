"""The page /whatif: a form that works without a script, for who is signed in; the silences and contacts of the server count."""

import re
from datetime import timedelta
from html import unescape

from quietshift.kernel import outbox
from tests.support.web import Site

ASKED = {"labels": "alertname=X, service=checkout, severity=critical", "at": "2026-11-23T08:57"}


def text_of(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def test_who_is_not_signed_in_sees_nothing(site: Site) -> None:
    answer = site.browser().get("/whatif", params=ASKED)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


def test_the_form_and_its_answer(site: Site) -> None:
    browser = site.signed_in("ana")  # her zone is New York's
    empty = browser.get("/whatif")
    assert empty.status_code == 200
    assert "Nothing asked yet" in empty.text
    answer = browser.get("/whatif", params=ASKED)
    assert answer.status_code == 200
    said = text_of(answer.text)
    for words in ("Route taken", "mail to bo", "step 2 of 3, round 1 of 4", "Not followed further", "all steps and rounds"):
        assert words in said, words
    assert 'value="2026-11-23T08:57"' in answer.text, "as it was typed"
    with site.app.db.read() as tx:
        assert outbox.next_due(tx, list(site.app.registry.outbox)) is None, "nothing is to be sent"


def test_a_silence_of_this_server_counts(site: Site) -> None:
    browser = site.signed_in("ana")
    made = {"more": 'service="checkout"', "why": "a deploy", "for": "4h", "sure": "1"}
    assert browser.post("/silences", data=made).status_code == 303
    begin = (site.now + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    asked = ASKED | {"at": f"{begin}Z", "lasts": "20m"}
    said = text_of(browser.get("/whatif", params=asked).text)
    assert "Nobody is paged" in said
    assert "a deploy" in said


def test_what_cannot_be_read_is_told_at_its_field(site: Site) -> None:
    browser = site.signed_in("ana")
    for field, value in (("labels", "service=~x"), ("at", "soon"), ("lasts", "0s"), ("beside", "a=b\n!")):
        answer = browser.get("/whatif", params=ASKED | {field: value})
        assert answer.status_code == 422, field
        assert f'id="{field}-error"' in answer.text, field
