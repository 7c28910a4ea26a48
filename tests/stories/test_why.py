"""Why was I paged? Why was nobody paged? The ladder tells each hop, and the one that stopped it."""

from datetime import timedelta

from quietshift.alerts import usecases as alerts
from quietshift.alerts.ladder import Ladder
from quietshift.alerts.matchers import parse_matcher
from quietshift.alerts.model import Silence
from quietshift.incidents import usecases
from quietshift.incidents.why import why, why_nobody
from tests.stories.world import World


def paged(world: World, user: str | None = None) -> list[Ladder]:
    with world.app.db.read() as tx:
        return why(tx, world.incident.id, ops=world.app.ops.current, user=user)


def nobody(world: World, *wanted: str) -> list[Ladder]:
    with world.app.db.read() as tx:
        return why_nobody(tx, tuple(map(parse_matcher, wanted)), world.now, ops=world.app.ops.current)


def hops(ladder: Ladder) -> dict[str, str]:
    return {hop.title: hop.state for hop in ladder.hops}


def test_each_hop_from_the_alert_to_the_acknowledgement(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana")
    world.at("02:05").expect_page("bo").at("02:06").ack("bo")
    first, second = paged(world)
    assert (first.title, second.title) == ("Why was ana paged?", "Why was bo paged?")
    assert list(hops(second)) == [
        "Alert received", "Route taken", "Inhibited, silenced, muted?", "Group", "Incident", "Policy and step", "Person",
        "Contact", "Provider's answer", "Acknowledged",
    ]  # fmt: skip
    by_title = {hop.title: hop for hop in second.hops}
    assert set(hops(second).values()) == {"passed"}
    assert by_title["Route taken"].source.startswith("alertmanager.yml:")
    assert 'service="gitaly"' in by_title["Route taken"].detail
    assert "storage-backup" in by_title["Person"].detail
    assert by_title["Policy and step"].detail == "storage: step 2, round 1"
    assert by_title["Policy and step"].since == 300
    assert by_title["Acknowledged"].since == 60
    assert paged(world, "bo") == [second]


def test_who_was_not_paged_is_told_what_came_before(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana").ack("ana")
    (ladder,) = paged(world, "bo")
    assert ladder.title == "Why was bo not paged?"
    assert ladder.hops[-1].state == "stopped"
    assert ladder.answer == "Acknowledged: by ana: before bo was called."


def test_a_gap_on_the_way_is_told(world: World) -> None:
    storage = world.on_shift("storage", primary="ana", secondary="bo")
    storage.only["storage"] = [{"days": ["Mon"], "from": "09:00", "until": "10:00"}]
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("bo")
    (ladder,) = paged(world)
    passed_over = next(hop for hop in ladder.hops if hop.title == "Passed over")
    assert passed_over.state == "skipped"
    assert "schedule:storage" in passed_over.detail


def test_a_silence_stopped_it_and_who_wanted_that(world: World) -> None:
    world.on_shift("storage", primary="ana")
    world.at("02:00")
    silence = Silence(
        "",
        (parse_matcher('alertname="GitErrorBudgetBurn"'),),
        world.now,
        world.now + timedelta(hours=1),
        "chen",
        "load test",
        world.now,
    )
    with world.app.db.write() as tx:
        alerts.set_silence(tx, silence, "user:chen", world.now)
    world.alert("GitErrorBudgetBurn", service="gitaly").at("02:10").expect_no_more_pages()
    (ladder,) = nobody(world, 'alertname="GitErrorBudgetBurn"')
    assert ladder.hops[-1].state == "stopped"
    assert "by chen until 2026-11-21T03:00:00Z (load test)" in ladder.answer
    world.at("03:01").expect_page("ana")
    (ladder,) = nobody(world, 'service="gitaly"')
    assert "but not any more" in next(hop.detail for hop in ladder.hops if hop.title.startswith("Inhibited"))


def test_a_receiver_that_pages_nobody_is_named(world: World) -> None:
    world.on_shift("storage", primary="ana")
    world.app.db.close()
    world._app = None
    path = world.folder / "quietshift.yaml"
    world.write_ops = lambda: None  # type: ignore[method-assign]  # the files are changed by hand here
    path.write_text("receivers: {}\n")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").at("02:10").expect_no_more_pages()
    (ladder,) = nobody(world, 'alertname="GitErrorBudgetBurn"')
    assert ladder.answer.startswith("Escalation policy: receiver storage pages nobody")


def test_resolved_by_hand_it_tells_who_did(world: World) -> None:
    world.on_shift("storage", primary="ana")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana").do(usecases.resolve, "ana")
    (ladder,) = nobody(world, 'service="gitaly"')
    assert ladder.hops[-1].detail == "by ana"


def test_what_never_came_has_no_ladder(world: World) -> None:
    world.on_shift("storage", primary="ana")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana")
    assert nobody(world, 'alertname="SomethingElse"') == []
