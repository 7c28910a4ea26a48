"""Every decision about an alert can be asked for: its way on each route, on both databases; time is driven."""

from datetime import timedelta

import pytest

from quietshift.alerts import usecases, why
from quietshift.alerts.labels import fingerprint
from quietshift.alerts.matchers import parse_matchers
from quietshift.alerts.model import Silence
from quietshift.kernel.errors import NotFound

TWO = """\
route:
  receiver: hook
  group_wait: 10s
  group_interval: 1m
  repeat_interval: 1h
  routes:
    - matchers: [host=~".+"]
      group_by: [host]
      receiver: quiet
      continue: true
    - matchers: [alertname=X]
      mute_time_intervals: [early]
inhibit_rules:
  - source_matchers: [severity=critical]
    target_matchers: [severity=warning]
    equal: [zone]
receivers:
  - name: hook
    webhook_configs: [{url: 'http://receiver.invalid/'}]
  - name: quiet
    webhook_configs: [{url: 'http://receiver.invalid/'}]
time_intervals: [{name: early, time_intervals: [{times: [{start_time: '03:00', end_time: '03:03'}]}]}]
"""


def explain(world, **labels: str):
    with world.db.read() as tx:
        return why.explain(world.room.use, tx, fingerprint({"alertname": "X"} | labels), world.clock.now())


def silence(world, matchers: str, seconds: float) -> str:
    now = world.clock.now()
    made = Silence("", parse_matchers(matchers), now, now + timedelta(seconds=seconds), "ana", "load test", now)
    with world.db.write() as tx:
        return usecases.set_silence(tx, made, "user:ana", now)


def hops(way) -> list[tuple[str, str]]:
    return [(hop.title, hop.state) for hop in way.ladder.hops]


def detail(way, title: str) -> str:
    return next(hop.detail for hop in way.ladder.hops if hop.title == title)


def test_an_alert_that_waits_for_its_group(world):
    world.post({"host": "a", "start": 0, "end": 9000})
    (way,) = explain(world, host="a").ways
    assert hops(way)[:-1] == [
        ("Alert received", "passed"), ("Route taken", "passed"), ("Inhibited?", "passed"), ("Silenced?", "passed"),
        ("Muted?", "passed"),
    ]
    assert way.ladder.answer == 'Group: {alertname="X"}: waits for others until 2026-11-21T03:00:10Z (group_wait 10s).'
    assert why.as_json(explain(world, host="a"))["routes"][0]["steps"][1]["source"] == "alertmanager.yml:2"


def test_who_was_told_what_they_answered_and_when_they_are_told_again(world):
    world.post({"host": "a", "start": 0, "end": 9000})
    world.run(100)
    (way,) = explain(world, host="a").ways
    assert [(d.outcome, d.reason) for d in way.decisions] == [
        ("told", "first notification"), ("sent", "200 OK"), ("kept", "unchanged"),
    ]
    assert hops(way)[-2:] == [("Not told", "passed"), ("Repeated", "waiting")]
    assert way.ladder.answer == "Sent: webhook/0: 200 OK.", "that nothing has changed since is no answer"
    (told,) = way.told
    assert told.integration == "webhook/0"
    world.run(3700)
    assert world.sent[-1][0] == (told.repeat_at - told.at).total_seconds() + 10, "it is repeated when it was said to be"


def test_a_receiver_that_does_not_answer(world):
    world.down = True
    world.post({"host": "a", "start": 0, "end": 9000})
    world.run(20)
    (way,) = explain(world, host="a").ways
    assert hops(way)[-2:] == [("Told", "passed"), ("Not sent", "waiting")]
    assert way.ladder.answer == "Not sent: webhook/0: 503 Service Unavailable: tried again."
    assert way.told == ()


def test_each_route_has_its_own_way_and_a_muted_one_tells_until_when(make_world):
    world = make_world(TWO)
    world.post({"host": "a", "start": 0, "end": 9000})
    world.run(90)
    first, second = explain(world, host="a").ways
    assert (first.route.line, first.route.receiver, first.group_labels) == (7, "quiet", {"host": "a"})
    assert (second.route.line, second.route.receiver, second.group_labels) == (11, "hook", {})
    assert first.muted is None
    assert second.ladder.answer == "Muted by time interval early, until 2026-11-21T03:03:00Z."
    assert [(d.outcome, d.reason) for d in second.decisions] == [("kept", "muted by time interval early")]
    world.run(250)
    _, second = explain(world, host="a").ways
    assert second.ladder.answer == "Sent: webhook/0: 200 OK."
    assert ("Not told", "stopped") in hops(second), "what was is told as well"


def test_who_silenced_it_until_when_and_why(world):
    silenced = silence(world, "host=a", 500)
    world.post({"host": "a", "start": 0, "end": 9000}, {"host": "b", "start": 0, "end": 9000})
    world.run(30)
    found = explain(world, host="a")
    words = "by ana until 2026-11-21T03:08:20Z (load test)"
    assert [s.id for s in found.silences] == [silenced]
    (way,) = found.ways
    assert way.ladder.answer == f"Silenced {words}."
    assert detail(way, "Not told") == f"webhook/0: silenced {words}"
    assert [d.outcome for d in way.decisions] == ["told"], "what was told of b, and answered, is not about a"
    assert ("Sent", "passed") not in hops(way)
    assert explain(world, host="b").silences == ()


def test_what_inhibits_it_by_which_rule(make_world):
    world = make_world(TWO)
    world.post({"host": "a", "severity": "warning", "zone": "z"}, {"host": "b", "severity": "critical", "zone": "z"})
    world.run(30)
    found = explain(world, host="a", severity="warning", zone="z")
    assert found.inhibition is not None
    assert found.inhibition.by["host"] == "b"
    assert found.ways[0].ladder.answer.startswith("Inhibited by alert ")
    hop = found.ways[0].ladder.hops[2]
    assert (hop.title, hop.state, hop.source) == ("Inhibited?", "stopped", "alertmanager.yml:14")
    assert why.as_json(found)["inhibited_by"]["line"] == 14
    assert explain(world, host="b", severity="critical", zone="z").inhibition is None


def test_an_alert_that_is_over(world):
    world.post({"host": "a", "start": 0, "end": 900})
    world.run(20)
    world.post({"host": "a", "start": 0, "end": 20})
    world.run(100)
    found = explain(world, host="a")
    (way,) = found.ways
    assert found.over
    assert way.ladder.answer == "Over since 2026-11-21T03:00:20Z."
    assert way.told == ()
    assert [d.reason for d in way.decisions] == ["first notification", "200 OK", "all resolved", "200 OK"]
    assert "no longer" in detail(way, "Group")


def test_whom_the_desk_pages(make_world):
    world = make_world("route: {receiver: storage, group_wait: 10s}\nreceivers: [{name: storage}]", {"storage": "nights"})
    world.post({"host": "a", "start": 0, "end": 900})
    world.run(20)
    (way,) = explain(world, host="a").ways
    assert way.ladder.answer == "Told: desk/0, by policy nights: first notification."


def test_an_alert_that_nobody_reported_is_not_found(world):
    with pytest.raises(NotFound, match="no alert 0000000000000001 is known"), world.db.read() as tx:
        why.explain(world.room.use, tx, "0" * 15 + "1", world.clock.now())
