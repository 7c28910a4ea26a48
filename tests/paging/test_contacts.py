"""What a person set counts instead of the ops directory; the journal hears of it, and of no address."""

from datetime import timedelta

import pytest

from quietshift.kernel import journal
from quietshift.kernel.errors import Invalid, NotFound
from quietshift.paging import contacts
from quietshift.paging.model import Rule

MINUTE = timedelta(minutes=1)


@pytest.fixture
def people(room):
    return room.person("ana", ("0s", "/default")).person("bo").policy(("0s", "user:ana"))


def set_rules(room, *rules):
    with room.db.write() as tx:
        return contacts.set_rules(tx, "ana", list(rules), "user:ana", room.now, ops=room.ops)


def test_what_a_person_set_overrides_the_default_and_is_climbed_in_the_order_of_its_time(people):
    own = (Rule(timedelta(), people.phone.url("/mine")), Rule(MINUTE, "mailto:ana@example.org"))
    assert set_rules(people, *own[::-1]) == own
    people.start()
    people.wait("1m")
    assert [post.path for post in people.phone.posts()] == ["/mine"]
    assert len(people.mailbox.mails("ana@example.org")) == 1
    with people.db.read() as tx:
        assert contacts.get_rules(tx, "ana") == own
        assert contacts.get_rules(tx, "bo") == ()


def test_no_rules_go_back_to_the_default(people):
    set_rules(people, Rule(timedelta(), "mailto:ana@example.org"))
    set_rules(people)
    people.start()
    assert [post.path for post in people.phone.posts()] == ["/default"]


def test_a_contact_set_while_an_incident_is_open_is_used_by_the_next_page(people):
    people.policy(("0s", "user:bo"), ("5m", "user:ana"))
    people.start()
    assert people.rung() == ["ana"]  # bo has no contact
    set_rules(people, Rule(timedelta(), people.phone.url("/mine")))
    people.wait("5m")
    assert people.phone.posts("/mine")


def test_the_journal_tells_that_it_was_changed_and_no_address(people):
    set_rules(people, Rule(timedelta(), "mailto:ana@example.org"), Rule(MINUTE, "https://example.org/hook/hush?t=hush"))
    with people.db.read() as tx:
        [entry] = journal.entries(tx, subject="user:ana")
    assert (entry.actor, entry.act) == ("user:ana", "contacts.changed")
    assert entry.data == {
        "rules": [{"after": "0s", "via": "mailto:a***@example.org"}, {"after": "1m", "via": "https://example.org/***"}]
    }


@pytest.mark.parametrize(
    ("rule", "because"),
    [
        (Rule(timedelta(), "tel:+49"), "rung 1: tel: is not supported"),
        (Rule(-MINUTE, "mailto:ana@example.org"), "rung 1: after has to be between 0s and 1w"),
        (Rule(timedelta(days=8), "mailto:ana@example.org"), "rung 1: after has to be between 0s and 1w"),
    ],
)
def test_what_cannot_be_followed_is_refused_and_changes_nothing(people, rule, because):
    set_rules(people, Rule(timedelta(), "mailto:ana@example.org"))
    with pytest.raises(Invalid, match=because):
        set_rules(people, rule)
    with people.db.read() as tx:
        assert contacts.get_rules(tx, "ana") == (Rule(timedelta(), "mailto:ana@example.org"),)


def test_a_ladder_has_an_end_and_belongs_to_somebody(people):
    with pytest.raises(Invalid, match="at most 20 rungs"):
        set_rules(people, *[Rule(timedelta(), "mailto:ana@example.org")] * 21)
    with people.db.write() as tx, pytest.raises(NotFound, match="no User 'zoe'"):
        contacts.set_rules(tx, "zoe", [], "user:ana", people.now, ops=people.ops)
