"""A storm rings a phone once, says how many more there are, and loses none. Time is driven, nothing sleeps."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from quietshift.kernel import outbox, timers
from quietshift.kernel.config import parse_documents
from quietshift.kernel.errors import Problems
from quietshift.paging import bundle_store, bundles, config, links, storm, usecases
from quietshift.paging.model import PageState
from quietshift.paging.storm import Bundling, Told, admit, end_window
from quietshift.paging.tables import page_rungs
from tests.paging.conftest import KEY

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
RULES = Bundling(window=timedelta(seconds=30), longest=timedelta(minutes=10), per_hour=5)


def seconds(number):
    return NOW + timedelta(seconds=number)


# -- the decision ----------------------------------------------------------------------------------------------------------


def test_the_first_page_goes_out_at_once_and_what_follows_waits_for_the_end_of_its_window():
    first = admit(Told(), "storage", "critical", NOW, RULES)
    assert first.until is None
    second = admit(first.told, "storage", "critical", seconds(5), RULES)
    assert (second.until, second.why) == (seconds(30), "told of policy storage less than 30s before")
    assert admit(first.told, "web", "critical", seconds(5), RULES).until is None
    assert admit(first.told, "storage", "critical", seconds(30), RULES).until is None


def test_what_is_worse_than_all_that_was_told_goes_out_at_once_but_only_once():
    told = admit(Told(), "storage", "info", NOW, RULES).told
    rising = admit(told, "storage", "critical", seconds(1), RULES)
    assert rising.until is None
    assert admit(rising.told, "storage", "critical", seconds(2), RULES).until == seconds(30)
    assert admit(rising.told, "storage", "warning", seconds(2), RULES).until == seconds(30)


def test_what_a_person_asks_for_by_name_goes_out_at_once():
    told = admit(Told(), "storage", "critical", NOW, RULES).told
    assert admit(told, "storage", "critical", seconds(1), RULES, asked=True).until is None


def test_without_a_window_each_page_goes_out_at_once():
    told, rules = Told(), Bundling(window=timedelta(), per_hour=2)
    for severity in ("info", "critical", "info", "info"):
        admission = admit(told, "storage", severity, NOW, rules)
        assert (admission.until, admission.why) == (None, "")
        told = admission.told


def test_windows_grow_while_the_storm_lasts_and_are_forgotten_when_it_is_over():
    told = admit(Told(), "storage", "critical", NOW, Bundling()).told
    at, lengths = NOW, []
    for _ in range(7):
        told = admit(told, "storage", "critical", at + timedelta(seconds=1), Bundling()).told
        at = told.windows["storage"].until
        told = end_window(told, "storage", 2, at, Bundling())
        lengths.append(told.windows["storage"].length.total_seconds())
    assert lengths == [20, 40, 80, 160, 320, 600, 600]
    after = told.windows["storage"].until
    assert end_window(told, "storage", storm.NOTHING, after, Bundling()).windows == {}
    assert admit(told, "storage", "info", after, Bundling()).told.windows["storage"].length == Bundling().window


def test_who_is_at_the_limit_of_an_hour_gets_the_most_urgent_alone():
    told = Told()
    for number in range(RULES.per_hour):
        told = admit(told, f"policy{number}", "critical", seconds(number), RULES).told
    waits = admit(told, "another", "warning", seconds(10), RULES)
    assert waits.until == seconds(10) + RULES.longest
    assert waits.why == "5 messages in an hour are the limit, except for what is worse"
    assert admit(told, "another", "critical", seconds(10), RULES).until is None
    assert admit(waits.told, "another", "critical", seconds(20), RULES).until is None
    assert admit(told, "another", "warning", seconds(3601), RULES).until is None


def test_a_window_that_nobody_has_seen_to_holds_up_no_page():
    told = admit(Told(), "storage", "critical", NOW, RULES).told
    told = admit(told, "storage", "critical", seconds(1), RULES).told
    assert admit(told, "storage", "critical", seconds(45), RULES).until == seconds(30)  # its timer is due, and will take it
    assert admit(told, "storage", "critical", seconds(30) + storm.STALE, RULES).until is None


SEVERITIES = st.sampled_from(["info", "warning", "critical", "odd"])


@given(st.lists(st.tuples(st.integers(0, 400), SEVERITIES, st.sampled_from("ab")), max_size=60))
def test_each_page_is_told_within_the_longest_window_and_the_state_survives_being_kept(pages):
    told, waiting, now = Told(), {}, NOW
    for gap, severity, policy in pages:
        now += timedelta(seconds=gap)
        for name in sorted(waiting, key=lambda name: waiting[name]):
            if waiting[name] <= now:
                told = end_window(told, name, 2, waiting.pop(name), RULES)
        found = admit(Told.from_kept(told.kept()), policy, severity, now, RULES)
        assert found.until is None or now < found.until <= now + RULES.longest
        told = found.told
        if found.until is not None:
            assert waiting.setdefault(policy, found.until) == found.until


# -- rows ------------------------------------------------------------------------------------------------------------------


def alone(room, via="/ana"):
    return room.person("ana", ("0s", via)).policy(("0s", "user:ana"), ("5m", "user:ana"))


def storm_of(room, numbers, **changes):
    with room.db.write() as tx:
        for number in numbers:
            usecases.start(tx, room.facts(number, **changes), "storage", room.now, ops=room.ops)
    room.settle()


def test_a_storm_is_told_in_two_messages_and_none_is_lost(room):
    alone(room)
    storm_of(room, range(2000, 2300))
    assert [post.json["incident"]["id"] for post in room.phone.posts("/ana")] == ["INC-2000"]
    room.wait("9s")
    assert len(room.phone.posts("/ana")) == 1
    room.wait("1s")
    _, bundle = (post.json for post in room.phone.posts("/ana"))
    assert bundle["title"] == "299 more incidents: 299 critical"
    assert (bundle["bundle"]["count"], bundle["bundle"]["more"], bundle["test"], bundle["incident"]) == (299, 289, False, None)
    assert [one["incident"]["id"] for one in bundle["bundle"]["incidents"]] == [f"INC-{n}" for n in range(2001, 2011)]
    assert bundle["bundle"]["list_url"] == "https://shift.example.org/incidents?policy=storage"
    for number in range(2000, 2300):
        [page] = room.pages(number)
        [attempt] = page.attempts
        assert (attempt.outcome, attempt.final, attempt.others) == ("accepted", True, 0 if number == 2000 else 298)
    assert max(late for _, _, late in room.late) < timedelta(seconds=1)


def test_the_worst_stand_first_and_each_has_a_link_of_its_own(room):
    alone(room)
    storm_of(room, [2000], severity="critical")
    storm_of(room, [2001, 2002], severity="info")
    storm_of(room, [2003], severity="critical")
    room.wait("10s")
    body = room.phone.posts("/ana")[-1].json
    assert [one["incident"]["id"] for one in body["bundle"]["incidents"]] == ["INC-2003", "INC-2001", "INC-2002"]
    assert body["bundle"]["severities"] == {"critical": 1, "info": 2}
    one = links.read(KEY, body["bundle"]["incidents"][0]["acknowledge_url"].rpartition("/")[2], room.now)
    assert (one.incident_id, one.user) == (2003, "ana")
    every = links.read(KEY, body["acknowledge_url"].rpartition("/")[2], room.now)
    assert (every.incident_id, every.page_id) == (None, body["page_id"])


def test_a_page_that_waits_alone_is_told_as_any_other(room):
    alone(room)
    storm_of(room, [2000, 2001])
    room.wait("10s")
    assert room.phone.posts("/ana")[-1].json["incident"]["id"] == "INC-2001"


def test_what_is_acknowledged_while_it_waits_is_not_told(room):
    alone(room)
    storm_of(room, range(2000, 2004))
    for number in (2001, 2003):
        room.do(usecases.stop, number, room.now, "acknowledged by bo", by="user:bo")
    room.wait("10s")
    assert room.phone.posts("/ana")[-1].json["incident"]["id"] == "INC-2002"
    assert room.pages(2001)[0].attempts == ()
    room.wait("10s")
    assert len(room.phone.posts("/ana")) == 2


def test_an_incident_that_becomes_worse_while_it_waits_is_told_at_once(room):
    alone(room)
    storm_of(room, [2000, 2001, 2002], severity="warning")
    storm_of(room, [2001], severity="critical")
    assert [post.json["incident"]["id"] for post in room.phone.posts("/ana")] == ["INC-2000", "INC-2001"]
    room.wait("10s")
    assert room.phone.posts("/ana")[-1].json["incident"]["id"] == "INC-2002"


def test_escalation_goes_on_for_each_that_nobody_acknowledged(room):
    room.person("ana", ("0s", "/ana")).person("bo", ("0s", "/bo")).policy(("0s", "user:ana"), ("5m", "user:bo"))
    storm_of(room, range(2000, 2020))
    room.wait("1m")
    for number in range(2000, 2010):
        room.do(usecases.stop, number, room.now, "acknowledged by ana", by="user:ana")
    room.wait("5m")
    first, bundle = (post.json for post in room.phone.posts("/bo"))
    assert first["incident"]["id"] == "INC-2010"
    assert bundle["bundle"]["count"] == 9


def test_a_message_that_is_refused_is_followed_by_the_next_contact_for_each_page(room):
    room.person("ana", ("0s", "/ana"), ("1h", "/phone")).policy(("0s", "user:ana"))
    room.phone.answer("/ana", 200, 410)
    storm_of(room, range(2000, 2050))
    room.wait("10s")
    assert [post.json["incident"]["id"] for post in room.phone.posts("/phone")] == ["INC-2001"]
    room.wait("20s")
    assert room.phone.posts("/phone")[-1].json["bundle"]["count"] == 48
    assert [a.outcome for a in room.pages(2040)[0].attempts] == ["permanent", "accepted"]


def test_a_message_that_waits_for_its_provider_is_taken_back_when_nothing_of_it_is_left(room):
    alone(room)
    room.phone.answer("/ana", 200, *[503] * 20)
    storm_of(room, range(2000, 2003))
    room.wait("11s")
    for number in (2000, 2001, 2002):
        room.do(usecases.stop, number, room.now, "acknowledged by ana", by="user:ana")
    tried = len(room.phone.posts("/ana"))
    room.wait("10m")
    assert len(room.phone.posts("/ana")) == tried
    with room.db.read() as tx:
        assert outbox.next_due(tx, list(room.kinds)) is None


def test_a_crash_before_the_window_ends_loses_none(room):
    """Nothing is in memory: what another process finds on the same database is all there is."""
    alone(room)
    storm_of(room, range(2000, 2020))
    with room.db.read() as tx:
        waiting = tx.execute(select(func.count()).where(page_rungs.c.waits_in.is_not(None))).scalar_one()
        assert (waiting, timers.next_due(tx)) == (19, room.now + timedelta(seconds=10))
    room.clock.set(room.now + timedelta(minutes=3))
    with pytest.raises(RuntimeError):
        _killed_at_the_windows_end(room)
    room.settle()
    assert room.phone.posts("/ana")[-1].json["bundle"]["count"] == 19


def _killed_at_the_windows_end(room):
    with room.db.write() as tx:
        bundles.window_ended(tx, _timer(tx), room.now, ops=room.ops)
        raise RuntimeError("killed before the commit")


def _timer(tx):
    row = tx.execute(select(timers.timers).where(timers.timers.c.kind == bundles.WINDOW)).one()
    return timers.Timer(row.id, row.kind, row.subject, row.due_at, row.payload)


def test_the_log_says_why_a_page_waits(room):
    alone(room)
    storm_of(room, [2000, 1042])
    [entry] = room.log("bundled")
    assert entry.text == "ana is told by webhook with others at 02:00:10 UTC"
    assert entry.why == "told of policy storage less than 10s before"


def test_mail_names_a_few_and_says_how_many_more(room):
    alone(room, "mailto:ana@example.org")
    storm_of(room, range(2000, 2500))
    room.wait("10s")
    mail = room.mailbox.mails()[-1].message
    assert mail["Subject"] == "[storage] 499 more incidents: 499 critical"
    text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert text.count("I have it: https://shift.example.org/p/") == 10
    for body in (text, html):
        assert "... and 489 more" in body
        assert "https://shift.example.org/incidents?policy=storage" in body
    assert "Next, unless somebody acknowledges: ana (user:ana), at 2026-11-21 02:05:00 UTC." in text


def test_a_page_in_a_bundle_is_open_until_it_is_acknowledged(room):
    alone(room)
    storm_of(room, range(2000, 2003))
    room.wait("10s")
    assert [room.pages(number)[0].state for number in (2001, 2002)] == [PageState.OPEN] * 2
    bundle_id = room.pages(2001)[0].attempts[0].bundle
    with room.db.read() as tx:
        assert bundle_store.get(tx, bundle_id).pages == 2


# -- settings --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{window: 2h}", "has to be between 1s and 1h, or 0s for none"), ("{longest: 0s}", "has to be between 1s and 1h"),
        ("{window: 20m}", "the longest window is shorter than the first one"), ("{per_hour: 0}", "has to be 1 or more, not 0"),
        ("{named: 1000}", "has to be 100 or less, not 1000"), ("{windows: 1s}", "windows"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused_with_their_line(text, error):
    problems = Problems()
    [node] = parse_documents(f"\n{text}".encode(), "quietshift.yaml", problems)
    config.bundling(node)
    assert error in str(problems.errors[0])
    assert problems.errors[0].line == 2


def test_settings_are_read_and_what_is_left_out_is_as_by_default():
    problems = Problems()
    [node] = parse_documents(b"{window: 1m, per_hour: 7}", "quietshift.yaml", problems)
    assert config.bundling(node) == Bundling(window=timedelta(minutes=1), per_hour=7)
    assert not problems.errors
    assert config.bundling(None) == Bundling()
