"""An acknowledge link is bound to person, incident and page, cannot be made or changed by others, and expires."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quietshift.kernel.errors import Invalid
from quietshift.paging import links

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
KEY = b"a key of this server alone, 32 octets"


def test_a_link_tells_whom_it_was_sent_to_until_it_expires():
    token = links.make(KEY, 1042, "ana", "01page", NOW, timedelta(hours=24))
    link = links.read(KEY, token, NOW + timedelta(hours=23, minutes=59))
    assert (link.incident_id, link.user, link.page_id, link.expires_at) == (1042, "ana", "01page", NOW + timedelta(hours=24))
    with pytest.raises(links.Expired, match="good until 2026-11-22 02:00 UTC") as late:
        links.read(KEY, token, NOW + timedelta(hours=24))
    assert late.value.link.user == "ana"
    assert late.value.status == 410


@given(st.text(min_size=1, max_size=70), st.integers(0, 2**53))
def test_any_person_and_incident_come_back_and_fit_into_a_url(user, incident):
    token = links.make(KEY, incident, user, "01page", NOW, timedelta(days=1))
    assert token.isascii()
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert (links.read(KEY, token, NOW).user, links.read(KEY, token, NOW).incident_id) == (user, incident)


@given(st.data())
def test_a_link_that_was_changed_in_one_place_is_refused(data):
    token = links.make(KEY, 1042, "ana", "01page", NOW, timedelta(days=1))
    at = data.draw(st.integers(0, len(token) - 2))  # the last letter carries bits that mean nothing
    letter = data.draw(st.sampled_from("ABCxyz019-_").filter(lambda c: c != token[at]))
    with pytest.raises(Invalid):
        links.read(KEY, token[:at] + letter + token[at + 1 :], NOW)


@given(st.text(max_size=200))
def test_any_text_that_is_no_link_is_refused(text):
    with pytest.raises(Invalid):
        links.read(KEY, text, NOW)


def test_a_link_of_another_server_is_refused():
    token = links.make(b"another key", 1042, "ana", "01page", NOW, timedelta(days=1))
    with pytest.raises(Invalid):
        links.read(KEY, token, NOW)
    with pytest.raises(Invalid):
        links.read(KEY, "A" * 5000, NOW)
