"""A page that is due is attempted, and again, until somebody acknowledges. Time is driven, nothing sleeps."""

from datetime import timedelta

import pytest

from quietshift.kernel import journal, outbox
from quietshift.kernel.errors import Conflict, Invalid, NotFound
from quietshift.paging import store, usecases
from quietshift.paging.model import EscalationState, PageState, Stage
from tests.support.webhook import Scripted

ONLY_MONDAYS = [{"days": ["Mon"], "from": "09:00", "until": "18:00"}]


def two_steps(room, **policy):
    room.person("ana", ("0s", "/ana")).person("bo", ("0s", "/bo"))
    room.schedule("storage", "ana").schedule("backup", "bo")
    return room.policy(("0s", "schedule:storage"), ("5m", "schedule:backup"), **policy)


def test_second_responder_is_called_when_the_first_does_not_answer(room):
    two_steps(room)
    room.start()
    assert room.rung() == ["ana"]
    room.wait("4m59s")
    assert room.rung() == ["ana"]
    room.wait("1s")
    assert room.rung() == ["ana", "bo"]
    ana, bo = room.pages()
    assert (ana.user, ana.step, ana.round, ana.state) == ("ana", 1, 1, PageState.OPEN)
    assert (bo.user, bo.step, bo.due_at - ana.due_at) == ("bo", 2, timedelta(minutes=5))
    assert bo.reason.startswith("not acknowledged in 5m: step 2 of 2: schedule:backup: bo is on")
    [attempt] = bo.attempts
    assert (attempt.channel, attempt.outcome, attempt.code, attempt.answer) == ("webhook", "accepted", 200, "200 OK")
    assert attempt.attempted_at == attempt.due_at == bo.due_at


def test_an_acknowledgement_stops_everything(room):
    two_steps(room, repeat=3)
    room.people["ana"].append(("1m", room.phone.url("/ana-again")))
    room.start()
    room.stop()
    room.wait("6h")
    assert room.rung() == ["ana"]
    assert room.next_due() is None
    assert room.pages()[0].state is PageState.ACKNOWLEDGED
    assert room.escalation().state is EscalationState.STOPPED
    assert [(e.kind, e.why) for e in room.log("stopped")] == [("stopped", "acknowledged by ana")]
    with room.db.read() as tx:
        assert store.next_step(tx, 1042) is None
        assert usecases.is_over(tx, 1042)


def test_a_ladder_is_climbed_until_somebody_acknowledges(room):
    room.person("ana", ("2m", "mailto:ana@example.org"), ("0s", "/ana"), ("1m", "/ana-loud")).policy(("0s", "user:ana"))
    room.start()
    room.wait("59s")
    assert [post.path for post in room.phone.posts()] == ["/ana"]
    room.wait("1s")
    assert [post.path for post in room.phone.posts()] == ["/ana", "/ana-loud"]
    room.wait("1m")
    [mail] = room.mailbox.mails("ana@example.org")
    assert mail.subject == "[INC-1042] Git push fails"
    [page] = room.pages()
    assert [a.via for a in page.attempts][-1] == "mailto:a***@example.org"
    assert {post.json["page_id"] for post in room.phone.posts()} == {page.id}


def test_rounds_are_repeated_then_everybody_is_called_each_half_hour_and_it_never_falls_silent(room):
    two_steps(room, repeat=1).person("chen", ("0s", "/chen"))
    room.start()
    room.wait("15m")
    assert room.rung() == ["ana", "bo", "ana", "bo"]
    assert room.escalation().state is EscalationState.RUNNING
    room.wait("5m")
    assert sorted(room.rung()[4:]) == ["ana", "bo", "chen"]
    assert room.escalation().state is EscalationState.EXHAUSTED
    assert len(room.log("exhausted")) == 1
    assert {p.stage for p in room.pages()[4:]} == {Stage.LAST_RESORT}
    room.wait("29m59s")
    assert len(room.rung()) == 7
    room.wait("1s")
    assert len(room.rung()) == 10
    room.wait("24h")
    assert len(room.rung()) == 10 + 3 * 48
    assert len(room.log("exhausted")) == 1
    assert [p.user for p in room.pages() if p.state is PageState.OPEN] == [p.user for p in room.pages()[-3:]]


def test_a_gap_falls_through_to_the_next_step_at_once_and_is_recorded(room):
    two_steps(room)
    room.schedule("storage", "ana", only=ONLY_MONDAYS)
    room.start()
    assert room.rung() == ["bo"]
    [gap] = room.log("gap")
    assert gap.text == "schedule:storage at step 1 of 2: nobody is called"
    assert "is on only Mon 09:00-18:00" in gap.why
    assert room.pages()[0].step == 2


def test_who_has_no_contact_is_passed_over_at_once_and_that_is_recorded(room):
    two_steps(room)
    room.people["ana"] = []
    room.start()
    assert room.rung() == ["bo"]
    [entry] = room.log("no_contact")
    assert entry.text.startswith("user:ana at step 1 of 2")


def test_where_no_step_reaches_anybody_the_owning_group_is_called(room):
    two_steps(room)
    room.schedule("storage", "ana", only=ONLY_MONDAYS).schedule("backup", "bo", only=ONLY_MONDAYS)
    room.person("chen", ("0s", "/chen"))
    room.start()
    assert room.rung() == ["ana", "bo", "chen"]
    assert {(p.stage, p.step) for p in room.pages()} == {(Stage.FALLBACK, None)}
    assert "no step of the policy reaches anybody" in room.pages()[0].reason


def test_a_policy_may_name_its_own_fallback(room):
    two_steps(room, fallback=["user:dee"]).person("dee", ("0s", "/dee"), groups=())
    room.schedule("storage", "ana", only=ONLY_MONDAYS).schedule("backup", "bo", only=ONLY_MONDAYS)
    room.start()
    assert room.rung() == ["dee"]


def test_when_nobody_at_all_can_be_called_it_is_loud_and_tried_again_each_minute(room, caplog):
    two_steps(room)
    contacts = dict(room.people)
    room.people = {"ana": [], "bo": []}
    room.start()
    assert room.rung() == []
    assert room.escalation().state is EscalationState.NOBODY
    with room.db.read() as tx:
        assert store.counts(tx)[EscalationState.NOBODY] == 1
        assert "paging.nobody" in [entry.act for entry in journal.entries(tx, subject="incident:INC-1042")]
    assert "nobody could be called" in caplog.text
    with room.db.read() as tx:
        written = len(store.log(tx, 1042))
    room.wait("10m")
    assert len(room.log("nobody")) == 1  # said once, not each minute
    with room.db.read() as tx:
        assert len(store.log(tx, 1042)) == written > 1  # and neither is why
    room.people = contacts
    room.reload()
    room.wait("1m")
    assert room.rung() == ["ana"]
    assert room.escalation().state is EscalationState.RUNNING


def test_a_contact_refused_for_good_brings_the_next_one_at_once(room):
    room.person("ana", ("0s", "/ana"), ("10m", "mailto:ana@example.org")).policy(("0s", "user:ana"))
    room.phone.always("/ana", Scripted(404, b"gone"))
    room.start()
    assert [m.subject for m in room.mailbox.mails()] == ["[INC-1042] Git push fails"]
    [entry] = room.log("pulled_forward")
    assert "refused it: 404 Not Found: gone" in entry.why
    assert [a.outcome for a in room.pages()[0].attempts] == ["permanent", "accepted"]
    room.wait("11m")
    mails = room.mailbox.mails()
    assert len({m.message["Message-ID"] for m in mails}) == len(mails)


def test_when_a_ladder_is_used_up_the_next_person_is_called_at_once(room):
    two_steps(room)
    room.phone.always("/ana", 410)
    room.start()
    assert room.rung() == ["ana", "bo"]
    ana, bo = room.pages()
    assert (ana.state, bo.state, bo.due_at) == (PageState.FAILED, PageState.OPEN, room.now)
    assert "every contact of everybody called failed" in bo.reason


def test_others_of_the_same_step_who_were_reached_are_a_reason_to_wait(room):
    two_steps(room)
    room.policy(("0s", "user:ana", "user:bo"), ("5m", "group:storage"))
    room.phone.always("/ana", 410)
    room.start()
    room.wait("4m")
    assert sorted(room.rung()) == ["ana", "bo"]


def test_when_every_contact_of_a_round_fails_the_fallback_is_called_and_no_loop_runs_hot(room):
    two_steps(room, repeat=5, fallback=["user:dee"]).person("dee", ("0s", "/dee"))
    for path in ("/ana", "/bo", "/dee"):
        room.phone.always(path, 410)
    room.start()
    assert room.rung() == ["ana", "bo", "dee"]
    assert room.escalation().state is EscalationState.NOBODY
    room.wait("59s")
    assert len(room.rung()) == 3
    room.wait("10m")
    assert 3 < len(room.rung()) <= 3 + 3 * 10
    room.phone.always("/bo", 200)
    room.wait("1m")
    assert room.rung()[-2:] == ["bo", "dee"]
    assert room.escalation().state is EscalationState.EXHAUSTED
    calls = len(room.rung())
    room.wait("29m")
    assert len(room.rung()) == calls  # bo was reached: the half hour counts again


def test_a_provider_that_is_down_is_tried_again_fast_then_each_minute(room):
    room.person("ana", ("0s", "/ana")).policy(("0s", "user:ana"))
    room.phone.always("/ana", 503)
    room.start()
    room.wait("3m")
    [page] = room.pages()
    spans = [later.attempted_at - sooner.attempted_at for sooner, later in zip(page.attempts, page.attempts[1:], strict=False)]
    assert [span.total_seconds() for span in spans] == [1, 2, 4, 8, 16, 32, 60]
    bodies = [post.json for post in room.phone.posts()]
    assert {body["page_id"] for body in bodies} == {page.id}
    assert [body["attempt"] for body in bodies] == list(range(1, 9))
    assert {post.headers["Idempotency-Key"] for post in room.phone.posts()} == {f"{page.id}-0"}
    room.phone.always("/ana", 200)
    room.wait("1m")
    assert room.pages()[0].attempts[-1].outcome == "accepted"
    assert room.pages()[0].accepted_at is not None


def test_an_attempt_that_is_under_way_when_somebody_acknowledges_is_recorded_and_not_repeated(room):
    room.person("ana", ("0s", "/ana")).policy(("0s", "user:ana"))
    with room.db.write() as tx:
        usecases.start(tx, room.facts(), "storage", room.now, ops=room.ops)
    kind = room.kinds["page.webhook"]
    with room.db.write() as tx:
        [delivery] = outbox.claim(tx, kind, room.now, 10)
    with room.db.write() as tx:
        usecases.stop(tx, 1042, room.now, "acknowledged by bo", by="user:bo")
    room.phone.always("/ana", 503)
    answer = outbox.act(kind, delivery)
    with room.db.write() as tx:
        outbox.record(tx, room.kinds, [(delivery, answer)], room.now)
    room.wait("10m")
    [page] = room.pages()
    assert page.state is PageState.WITHDRAWN
    assert [(a.outcome, a.final) for a in page.attempts] == [("temporary", True)]


def test_a_crash_between_sending_and_recording_sends_again_under_the_same_id(room):
    room.person("ana", ("0s", "/ana")).policy(("0s", "user:ana"))
    with room.db.write() as tx:
        usecases.start(tx, room.facts(), "storage", room.now, ops=room.ops)
    kind = room.kinds["page.webhook"]
    with room.db.write() as tx:
        [delivery] = outbox.claim(tx, kind, room.now, 10)
    outbox.act(kind, delivery)  # sent; and here the process dies
    with room.db.write() as tx:
        outbox.release(tx, None)  # as the next start does
    room.settle()
    first, second = (post.json for post in room.phone.posts())
    assert first["page_id"] == second["page_id"]
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert [a.attempt for a in room.pages()[0].attempts] == [2]
    room.wait("4m")
    assert len(room.phone.posts()) == 2


def test_a_rolled_back_start_pages_nobody(room):
    two_steps(room)

    def start_and_fail(tx):
        usecases.start(tx, room.facts(), "storage", room.now, ops=room.ops)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        room.do(start_and_fail)
    room.wait("10m")
    assert room.rung() == []


def test_the_same_person_is_called_once_by_two_targets_of_a_step(room):
    two_steps(room)
    room.policy(("0s", "schedule:storage", "user:ana", "group:storage"))
    room.start()
    assert sorted(room.rung()) == ["ana", "bo"]


def test_who_is_paged_again_has_one_page_open_and_its_ladder_begins_anew(room):
    room.person("ana", ("0s", "/ana"), ("7m", "/ana-loud")).policy(("0s", "user:ana"), ("5m", "user:ana"))
    room.start()
    room.wait("11m59s")
    assert [post.path for post in room.phone.posts()] == ["/ana", "/ana", "/ana"]
    assert [p.state for p in room.pages()] == [PageState.SUPERSEDED, PageState.SUPERSEDED, PageState.OPEN]


def test_the_policy_is_frozen_while_it_is_under_way_but_shifts_are_not(room):
    two_steps(room)
    room.start()
    room.policy(("0s", "user:ana")).schedule("backup", "ana")
    room.reload()
    room.wait("5m")
    assert room.rung() == ["ana", "ana"]  # the second step is still there; who is on by it is asked when it is due
    assert room.pages()[1].step == 2


def test_targets_that_have_left_the_directory_are_gaps(room):
    two_steps(room)
    room.start()
    del room.schedules["backup"]
    room.policy(("0s", "user:ana"))
    room.reload()
    room.wait("5m")
    assert [e.why for e in room.log("gap")] == ["is no longer in the ops directory"]
    assert room.pages()[1].reason.startswith("not acknowledged in 5m: all steps are over and nobody has acknowledged")


def test_escalate_now_calls_the_next_step_and_goes_on_from_there(room):
    two_steps(room)
    room.start()
    room.wait("1m")
    room.do(usecases.escalate_now, room.facts(), "user:ana", room.now, ops=room.ops)
    assert room.rung() == ["ana", "bo"]
    assert "user:ana asked for it" in room.pages()[1].reason
    room.wait("4m59s")
    assert room.rung() == ["ana", "bo"]
    room.wait("1s")
    assert len(room.rung()) == 4


def test_escalate_now_after_an_acknowledgement_goes_on_where_it_stood(room):
    two_steps(room)
    room.start()
    room.stop()
    room.do(usecases.escalate_now, room.facts(), "user:ana", room.now, ops=room.ops)
    assert room.rung() == ["ana", "bo"]
    assert room.escalation().running


def test_reassign_calls_the_others_at_once_and_takes_back_what_was_open(room):
    two_steps(room).person("chen", ("0s", "/chen"))
    room.start()
    room.do(usecases.reassign, room.facts(), ["user:chen"], "user:ana", room.now, ops=room.ops)
    assert room.rung() == ["ana", "chen"]
    assert [p.state for p in room.pages()] == [PageState.WITHDRAWN, PageState.OPEN]
    room.wait("5m")
    assert room.rung() == ["ana", "chen", "bo"]  # chen did not acknowledge: the policy goes on


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        ("user:nobody", Invalid, "user:nobody is not in the catalog"), ("schedule:none", Invalid, "no schedule 'none'"),
        ("team:storage", Invalid, "is no target"), ("user:dee", Conflict, "user:dee has no contact"),
    ],
)  # fmt: skip
def test_reassigning_to_nobody_is_refused_and_changes_nothing(room, target, error, words):
    two_steps(room).person("dee")
    room.start()
    before = room.next_due()
    with pytest.raises(error, match=words):
        room.do(usecases.reassign, room.facts(), [target], "user:ana", room.now, ops=room.ops)
    assert room.next_due() == before
    room.wait("5m")
    assert room.rung() == ["ana", "bo"]


def test_starting_twice_calls_once_and_starting_again_after_a_stop_begins_anew(room):
    two_steps(room)
    room.start()
    room.start()
    assert room.rung() == ["ana"]
    room.stop()
    room.wait("1h")
    room.start(why="reopened")
    room.wait("5m")
    assert room.rung() == ["ana", "ana", "bo"]
    assert [p.turn for p in room.pages()] == [1, 2, 3]


def test_an_unknown_policy_calls_the_owner_and_says_so(room):
    two_steps(room)
    room.start(policy="gone")
    assert sorted(room.rung()) == ["ana", "bo"]
    assert "there is no escalation policy 'gone'" in room.log("started")[0].why


def test_the_first_step_may_wait(room):
    room.person("ana", ("0s", "/ana")).policy(("3m", "user:ana"))
    room.start()
    with room.db.read() as tx:
        assert store.next_step(tx, 1042).users == ("ana",)
    room.wait("2m59s")
    assert room.rung() == []
    room.wait("1s")
    assert room.rung() == ["ana"]


def test_who_is_called_next_and_when_is_known_and_told(room):
    two_steps(room)
    room.start()
    with room.db.read() as tx:
        following = store.next_step(tx, 1042)
    assert (following.users, following.at) == (("bo",), room.now + timedelta(minutes=5))
    assert room.phone.posts()[0].json["next"]["users"] == ["bo"]


def test_after_an_hour_of_downtime_everything_due_is_attempted_at_once_and_its_lateness_is_measured(room):
    two_steps(room)
    with room.db.write() as tx:
        usecases.start(tx, room.facts(), "storage", room.now, ops=room.ops)
    room.clock.advance(timedelta(hours=1))  # nobody was there
    room.settle()
    assert room.rung() == ["ana", "bo"]
    with room.db.read() as tx:
        late = store.lateness(tx, room.now - timedelta(days=1))
    assert (late.count, late.most) == (2, timedelta(hours=1))
    assert late.buckets[timedelta(seconds=300)] == 0
    assert [(c, o) for c, o, _ in room.late] == [("webhook", "accepted")] * 2


def test_lateness_is_counted_by_first_attempts(room):
    room.person("ana", ("0s", "/ana")).policy(("0s", "user:ana"))
    room.phone.answer("/ana", 503, 503)
    room.start()
    room.wait("1m")
    with room.db.read() as tx:
        late = store.lateness(tx, room.now - timedelta(days=1))
    assert (late.count, late.total, late.buckets[timedelta(seconds=0.1)]) == (1, 0.0, 1)


def test_a_test_page_tries_every_contact_at_once_and_asks_for_nothing(room):
    room.person("ana", ("0s", "/ana"), ("10m", "mailto:ana@example.org")).person("bo").policy(("0s", "user:ana"))
    page = room.do(usecases.test_page, "ana", "user:bo", room.now, ops=room.ops)
    [post] = room.phone.posts("/ana")
    assert (post.json["test"], post.json["incident"], post.json["acknowledge_url"]) == (True, None, None)
    [mail] = room.mailbox.mails("ana@example.org")
    assert mail.subject == "[TEST] Test page: nothing is wrong, nothing to do"
    with room.db.read() as tx:
        [found] = store.tests_of(tx, "ana", 1)
    assert found.id == page.id
    assert found.done
    with pytest.raises(Conflict, match="bo has no contact"):
        room.do(usecases.test_page, "bo", "user:bo", room.now, ops=room.ops)
    with pytest.raises(NotFound):
        room.do(usecases.test_page, "zoe", "user:bo", room.now, ops=room.ops)


def test_a_test_page_gives_up_soon(room):
    room.person("ana", ("0s", "/ana")).policy(("0s", "user:ana"))
    room.phone.always("/ana", 503)
    room.do(usecases.test_page, "ana", "user:bo", room.now, ops=room.ops)
    room.wait("1h")
    assert len(room.phone.posts()) < 10
    with room.db.read() as tx:
        assert store.tests_of(tx, "ana", 1)[0].done
    assert room.next_due() is None


def test_no_address_stays_in_the_database_once_it_is_over(room):
    secret = "/hooks/hush-hush"
    room.person("ana", ("0s", secret), ("1m", "mailto:ana.secret@example.org")).policy(("0s", "user:ana"))
    room.start()
    room.wait("30s")
    room.stop()
    from sqlalchemy import select

    from quietshift.kernel.schema import metadata

    with room.db.read() as tx:
        for table in metadata.sorted_tables:
            for row in tx.execute(select(table)):
                assert "hush-hush" not in str(tuple(row)), table.name
                assert "ana.secret" not in str(tuple(row)), table.name
