"""Who is called, when, and why: from one alert to the person who answers."""

from datetime import timedelta

import pytest

from quietshift.incidents import usecases
from quietshift.incidents.model import State
from quietshift.oncall import usecases as oncall
from tests.stories.world import World

ROOMS_ABOVE = ("runbooks", "learning", "changes", "delivery", "capacity", "fleet", "review", "chatops")


def test_second_responder_is_called_when_the_first_does_not_answer(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly")
    world.expect_page("ana", within="1s")
    world.at("02:05").expect_page("bo", because="not acknowledged in 5m")
    world.at("02:06").ack("bo")
    world.at("04:00").expect_no_more_pages()
    assert (world.state, world.incident.acknowledged_by) == (State.ACKNOWLEDGED, "user:bo")


def test_an_acknowledgement_stops_the_next_call(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana")
    world.at("02:04:59").ack("ana")
    world.at("03:30").expect_no_more_pages()


def test_an_acknowledgement_stops_the_rungs_of_the_ladder_that_are_still_to_come(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.contacts["ana"] = [("0s", world.phone.url("/ana")), ("1m", world.phone.url("/ana/call"))]
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana")
    world.at("02:00:59").expect_no_more_pages().ack("ana")
    world.at("02:10").expect_no_more_pages()
    assert not world.phone.posts("/ana/call")


def test_a_gap_in_the_schedule_falls_through_to_the_next_step_at_once(world: World) -> None:
    storage = world.on_shift("storage", primary="ana", secondary="bo")
    storage.only["storage"] = [{"days": ["Mon"], "from": "09:00", "until": "10:00"}]
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly")
    world.expect_page("bo", within="1s")
    assert any("nobody" in f"{entry.text} {entry.why}" and "storage" in f"{entry.text} {entry.why}" for entry in world.timeline())


def test_when_no_step_reaches_anybody_the_owning_group_is_paged(world: World) -> None:
    storage = world.on_shift("storage", primary="ana")
    storage.members = ["ana", "chen"]
    storage.only["storage"] = [{"days": ["Mon"], "from": "09:00", "until": "10:00"}]
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly")
    world.expect_pages("ana", "chen", within="1s")


def test_whoever_does_not_answer_is_not_left_alone(world: World) -> None:
    """The policy has run out: the owning group and the last step are called again and again until somebody answers."""
    world.on_shift("storage", primary="ana", secondary="bo")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana")
    world.at("02:05").expect_page("bo")
    world.at("05:00")
    late = world.received[-1]
    assert world.now - late.at <= timedelta(hours=1)
    world.ack("bo")
    world.expected = len(world.received)
    world.at("06:30").expect_no_more_pages()


def test_a_provider_that_is_down_is_asked_again_with_the_same_page(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.phone.answer("/ana", 503, 503)
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly")
    world.at("02:01")
    attempts = [one for one in world.received if one.user == "ana"]
    assert [one.body["attempt"] for one in attempts] == [1, 2, 3]
    assert len({one.body["page_id"] for one in attempts}) == 1


def test_escalate_now_does_not_wait(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana")
    world.at("02:01").do(usecases.escalate_now, "ana", configured=True, why="I am on a train")
    world.expect_page("bo", because="ana")
    assert any("I am on a train" in entry.why for entry in world.timeline())


def test_escalate_now_of_what_somebody_has_asks_for_another_acknowledgement(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana").ack("ana")
    world.at("02:10").do(usecases.escalate_now, "ana", configured=True)
    assert world.state is State.TRIGGERED
    world.expect_page("bo", within="1s")
    world.ack("bo").at("03:30").expect_no_more_pages()


def test_reassigned_it_calls_whom_it_was_given_to(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.on_shift("web", primary="dee")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana").ack("ana")
    world.at("02:03").do(usecases.reassign, "ana", ["user:dee"], configured=True, why="it is the proxy")
    world.expect_page("dee", within="1s")
    assert (world.state, world.incident.assignees) == (State.TRIGGERED, ("user:dee",))
    world.ack("dee").at("03:30").expect_no_more_pages()


def test_a_snooze_stops_paging_and_then_pages_again_from_the_first_step(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana")
    world.at("02:02").do(usecases.snooze, "ana", world.now + timedelta(hours=1))
    world.at("03:01:59").expect_no_more_pages()
    world.at("03:02").expect_page("ana", because="snooze")
    assert world.state is State.TRIGGERED
    world.at("03:07").expect_page("bo")


def test_a_snoozed_incident_whose_alerts_end_stays_quiet(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana")
    world.at("02:02").do(usecases.snooze, "ana", world.now + timedelta(hours=1))
    world.at("02:30").resolve_alerts().at("04:00").expect_no_more_pages()
    assert world.state is State.RESOLVED


def test_a_restart_in_the_middle_of_an_escalation_forgets_nobody(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana")
    world.at("02:03").restart()
    world.at("02:05").expect_page("bo", because="not acknowledged in 5m")
    world.restart().ack("bo")
    world.restart().at("03:30").expect_no_more_pages()


def test_down_while_a_call_was_due_it_is_made_right_after(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana")
    world.close()
    world.clock.set(world.now + timedelta(minutes=7))
    world.expect_page("bo", within="1s")


@pytest.mark.parametrize(
    ("starts_at", "ends_at"),
    [("1970-01-01T00:00:00Z", ""), ("", "9999-12-31T23:59:59Z"), ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z")],
)
def test_an_alert_whose_sender_has_a_wild_clock_wakes_somebody(world: World, starts_at: str, ends_at: str) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly", starts_at=starts_at, ends_at=ends_at)
    world.expect_page("ana", within="1s")
    world.at("02:05").expect_page("bo")
    assert world.incident.opened_at.year == 2026
    assert world.timeline()


def test_an_alert_that_begins_in_8000_years_by_its_senders_clock_wakes_somebody_now(world: World) -> None:
    world.on_shift("storage", primary="ana")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly", starts_at="9999-12-31T23:59:59Z")
    world.expect_page("ana", within="1s")


def test_paging_works_with_every_room_above_incidents_switched_off(world: World) -> None:
    """Nothing of theirs is registered, and their tables are gone: whatever asked them for anything would fail."""
    from sqlalchemy import Table, text

    from quietshift.runbooks import store as runbooks

    world.above = False
    world.on_shift("storage", primary="ana", secondary="bo")
    of_rooms_above = [one.name for one in vars(runbooks).values() if isinstance(one, Table)]
    assert of_rooms_above
    with world.app.db.write() as tx:
        for name in of_rooms_above:
            tx.execute(text(f"DROP TABLE {name}"))
    assert not [kind for kind in (*world.app.registry.timers, *world.app.registry.outbox) if kind.split(".")[0] in ROOMS_ABOVE]
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana", within="1s")
    world.at("02:05").expect_page("bo").at("02:06").ack("bo")
    world.at("02:20").resolve_alerts().at("03:00").expect_no_more_pages()
    assert world.state is State.RESOLVED


@pytest.mark.parametrize("odd", ["a\x00b", "\x1b[2Jred", "‮gnp.exe", "x" * 100_000, "😀" * 300, "%s {0} {{x}} <script>"])
def test_odd_texts_wake_somebody_all_the_same(world: World, odd: str) -> None:
    world.on_shift("storage", primary="ana")
    try:
        world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly", summary=odd, note=odd)
    except ValueError:
        world.firing.clear()  # refused with a clear error: the sender knows
        return
    world.expect_page("ana", within="1s")
    assert "\x00" not in world.incident.title
    assert len(world.incident.title) <= 200


def test_who_was_put_on_call_by_an_override_at_run_time_is_paged(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo").members.append("chen")
    world.at("01:00")
    now = world.clock.now()
    with world.app.db.write() as tx:
        made = oncall.override(
            tx, "storage", "chen", now, now + timedelta(hours=4), "user:chen", now, ops=world.app.ops.current, asks="chen",
            instead="ana", why="ana is ill",
        )  # fmt: skip
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("chen", because="chen instead of ana").ack("chen")
    with world.app.db.write() as tx:
        oncall.end_override(tx, made.id, "user:chen", world.clock.now(), ops=world.app.ops.current, asks="chen")
    world.at("03:00").alert("DiskWillFill", service="gitaly").expect_page("ana")
