"""Alerts in, notifications out, on both databases; time is driven."""

from datetime import timedelta

from quietshift.alerts import store, usecases
from quietshift.alerts.matchers import parse_matchers
from quietshift.alerts.model import Silence
from tests.alerts.conftest import DEFAULT, World

DESK = """
route: {receiver: storage, group_by: [alertname], group_wait: 10s, group_interval: 1m, repeat_interval: 1h}
receivers: [{name: storage}, {name: quiet}]
"""
INHIBIT = """
route: {receiver: hook, group_wait: 10s, group_interval: 1m, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: 'http://receiver.invalid/'}]}]
inhibit_rules: [{source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [zone]}]
"""


def silence(world, matchers: str, start: float, end: float, silence_id: str = "") -> str:
    zero = world.clock.now() - timedelta(seconds=world.seconds)
    made = Silence(
        silence_id, parse_matchers(matchers), zero + timedelta(seconds=start), zero + timedelta(seconds=end), "ana", "known", zero
    )
    with world.db.write() as tx:
        return usecases.set_silence(tx, made, "user:ana", world.clock.now())


def rows(world, what):
    with world.db.read() as tx:
        return what(tx)


def test_a_group_waits_and_is_told_once(world):
    world.post({"host": "a"})
    world.run(5)
    world.post({"host": "b"})
    world.run(60)
    assert world.told() == [(10, "firing", ["a", "b"], [])]


def test_an_alert_that_has_been_firing_for_longer_is_told_at_once(world):
    world.run(60)
    world.post({"host": "a", "start": 0, "end": 400})
    world.run(61)
    assert [when for when, *_ in world.told()] == [60]


def test_a_group_that_waits_is_told_at_once_if_its_alert_turns_out_to_fire_for_longer(world):
    world.run(60)
    world.post({"host": "a", "start": 60, "end": 60})
    world.run(62)
    world.post({"host": "a", "start": 0, "end": 400})
    world.run(75)
    assert [when for when, *_ in world.told()] == [62]


def test_a_new_alert_is_told_at_the_next_interval_and_a_resolved_one_too(world):
    world.post({"host": "a", "end": 1000, "start": 0})
    world.run(20)
    world.post({"host": "b", "end": 1000, "start": 20})
    world.run(80)
    world.post({"host": "a", "start": 0, "end": 80})
    world.run(200)
    assert world.told() == [(10, "firing", ["a"], []), (70, "firing", ["a", "b"], []), (130, "firing", ["b"], ["a"])]
    assert rows(world, lambda tx: [len(m) for m in store.all_members(tx).values()]) == [1]


def test_silence_of_the_sender_resolves_after_resolve_timeout(world):
    world.post({"host": "a"})
    world.run(20)
    world.post({"host": "a"})
    world.run(600)
    assert world.told() == [(10, "firing", ["a"], []), (370, "resolved", [], ["a"])]
    assert world.sent[1][1]["alerts"][0]["endsAt"] == "2026-11-21T03:05:20Z"  # of what was heard last: 20 s + 5 m


def test_the_group_of_resolved_alerts_goes_and_a_return_waits_again(world):
    world.post({"host": "a", "start": 0, "end": 500})
    world.run(20)
    world.post({"host": "a", "start": 0, "end": 20})
    world.run(200)
    assert rows(world, store.groups) == []
    world.post({"host": "a", "start": 200, "end": 500})
    world.run(220)
    assert world.told() == [(10, "firing", ["a"], []), (70, "resolved", [], ["a"]), (210, "firing", ["a"], [])]


def test_an_alert_that_returns_at_once_keeps_the_groups_rhythm(world):
    world.post({"host": "a", "start": 0, "end": 500})
    world.run(20)
    world.post({"host": "a", "start": 0, "end": 20})
    world.run(75)
    world.post({"host": "a", "start": 75, "end": 500})
    world.run(200)
    assert world.told()[1:] == [(70, "resolved", [], ["a"]), (130, "firing", ["a"], [])]


def test_a_group_of_a_short_interval_keeps_its_rhythm_while_it_is_empty_for_a_moment(make_world):
    world = make_world(DEFAULT.replace("group_interval: 1m", "group_interval: 7s"))
    world.post({"host": "a", "start": 0, "end": 12})
    world.run(30)
    world.post({"host": "a", "start": 30, "end": 32})
    world.run(80)
    world.post({"host": "a", "start": 80, "end": 500})
    world.run(100)
    assert world.told() == [
        (10, "firing", ["a"], []), (17, "resolved", [], ["a"]), (31, "firing", ["a"], []), (38, "resolved", [], ["a"]),
        (90, "firing", ["a"], []),
    ]  # fmt: skip


def test_what_fires_and_resolves_between_two_flushes_is_told_with_the_others(world):
    world.post({"host": "a", "start": 0, "end": 900})
    world.run(20)
    world.post({"host": "b", "start": 20, "end": 900})
    world.post({"host": "b", "start": 20, "end": 20})
    world.run(80)
    assert world.told()[-1] == (70, "firing", ["a"], ["b"])


def test_an_end_told_again_and_again_changes_nothing(world):
    world.post({"host": "a", "start": 0, "end": 900}, {"host": "b", "start": 0, "end": 900})
    world.run(20)
    for second in range(20, 300, 10):
        world.run(second)
        world.post({"host": "b", "start": 0, "end": 15})  # Prometheus repeats a resolved alert for 15 minutes
    world.run(400)
    assert world.told() == [(10, "firing", ["a", "b"], []), (70, "firing", ["a"], ["b"])]


def test_an_unchanged_group_is_repeated_after_repeat_interval(world):
    for minute in range(130):
        world.run(minute * 60)
        world.post({"host": "a"})
    assert [when for when, *_ in world.told()] == [10, 3670, 7330]  # the first flush after more than an hour


def test_a_failed_notification_is_tried_again_until_it_gets_through(world, caplog):
    world.down = True
    world.post({"host": "a", "start": 0, "end": 900})
    world.run(31)
    assert world.attempts == 5
    told = [text for text in caplog.messages if "notification" in text]
    assert len(told) == 1, "once, when it begins"
    assert told[0].startswith("a notification to hook/webhook/0 failed and is tried again: ")
    world.down = False
    world.run(120)
    assert world.told() == [(35, "firing", ["a"], [])]


def test_a_later_flush_takes_the_place_of_what_was_not_sent(world):
    world.down = True
    world.post({"host": "a", "start": 0, "end": 900})
    world.run(20)
    world.post({"host": "b", "start": 0, "end": 900})
    world.run(69)
    world.down = False
    world.run(200)
    assert world.told() == [(70, "firing", ["a", "b"], [])]


def test_what_resolved_before_it_could_be_told_is_not_told(world):
    world.down = True
    world.post({"host": "a", "start": 0, "end": 900})
    world.run(20)
    world.post({"host": "a", "start": 0, "end": 20})
    world.run(75)
    world.down = False
    world.run(300)
    assert world.told() == []
    assert rows(world, store.groups) == []


def test_restarts_forget_nothing_and_repeat_nothing(world):
    world.post({"host": "a", "start": 0, "end": 3000})
    world.restart()
    world.run(15)
    world.restart()
    world.post({"host": "b", "start": 15, "end": 3000})
    world.run(40)
    world.restart()
    world.run(200)
    assert world.told() == [(10, "firing", ["a"], []), (70, "firing", ["a", "b"], [])]


def test_after_a_downtime_nothing_resolves_by_silence_until_senders_can_be_heard_again(world):
    world.post({"host": "lease", "start": 0, "end": 240}, {"host": "timeout"}, {"host": "gone", "start": 0, "end": 240})
    world.run(20)
    world.restart(after=1000)  # beyond every end
    assert [a["labels"]["host"] for a in world.listed()] != []
    assert len(world.listed()) == 3
    world.run(1030)
    world.post({"host": "lease", "start": 0, "end": 5000}, {"host": "timeout"})
    world.run(1300)
    assert [t for t in world.told() if t[3]] == []  # no false resolve
    world.run(1325)  # ready at 1020, and resolve_timeout is 300: who is silent still is resolved now
    assert [t[3] for t in world.told() if t[3]] == [["gone"]]
    assert {a["labels"]["host"] for a in world.listed()} == {"lease", "timeout"}
    world.run(1400)  # heard at 1030 for the last time
    assert [t[3] for t in world.told() if t[3]] == [["gone"], ["timeout"]]


def test_an_explicit_end_holds_within_the_grace(world):
    world.post({"host": "a", "start": 0, "end": 240})
    world.run(20)
    world.restart(after=1000)
    world.post({"host": "a", "start": 0, "end": 600})  # over, says the sender
    world.run(1200)
    assert world.told()[-1][1:] == ("resolved", [], ["a"])


def test_silenced_alerts_are_not_told_and_return_when_the_silence_ends(world):
    world.post({"host": "a", "start": 0, "end": 9000}, {"host": "b", "start": 0, "end": 9000})
    silence(world, "host=a", 0, 100)
    world.run(300)
    assert world.told() == [(10, "firing", ["b"], []), (130, "firing", ["a", "b"], [])]


def test_expiring_a_silence_ends_it_now(world):
    world.post({"host": "a", "start": 0, "end": 9000})
    sid = silence(world, "host=~.+", 0, 5000)
    world.run(30)
    with world.db.write() as tx:
        usecases.expire_silence(tx, sid, "user:ana", world.clock.now())
    world.run(100)
    assert world.told() == [(70, "firing", ["a"], [])]
    state = rows(world, lambda tx: store.silence(tx, sid))
    assert state.ends_at == world.clock.now() - timedelta(seconds=70)


def test_a_silence_is_changed_in_place_or_replaced(world):
    sid = silence(world, "host=a", 0, 100)
    assert silence(world, "host=a", 0, 200, sid) == sid
    other = silence(world, "host=b", 0, 200, sid)
    assert other != sid
    world.run(1)
    assert rows(world, lambda tx: store.silence(tx, sid)).ends_at < world.clock.now()


def test_inhibited_alerts_are_told_when_the_source_is_over(make_world):
    world = make_world(INHIBIT)
    world.post({"host": "w", "severity": "warning", "zone": "1", "start": 0, "end": 9000})
    world.post({"host": "other", "severity": "warning", "zone": "2", "start": 0, "end": 9000})
    world.post({"host": "c", "severity": "critical", "zone": "1", "start": 0, "end": 9000})
    world.run(30)
    assert {a["labels"]["host"]: a["status"]["state"] for a in world.listed()} == {
        "w": "suppressed", "other": "active", "c": "active",
    }
    assert [a["labels"]["host"] for a in world.listed(inhibited=False)] == [
        a["labels"]["host"] for a in world.listed() if a["labels"]["host"] != "w"
    ]
    world.post({"host": "c", "severity": "critical", "zone": "1", "start": 0, "end": 30})
    world.run(80)
    assert [(when, sorted(firing), over) for when, _, firing, over in world.told()] == [
        (10, ["c", "other"], []), (70, ["other", "w"], ["c"]),
    ]


def test_a_muted_route_says_nothing_until_it_may(make_world):
    world = make_world("""
route:
  receiver: hook
  routes: [{group_wait: 10s, group_interval: 1m, mute_time_intervals: [early]}]
receivers: [{name: hook, webhook_configs: [{url: 'http://receiver.invalid/'}]}]
time_intervals: [{name: early, time_intervals: [{times: [{start_time: '03:00', end_time: '03:03'}]}]}]
""")
    world.post({"host": "a", "start": 0, "end": 9000})
    world.run(400)
    assert world.told() == [(190, "firing", ["a"], [])]
    assert "muted by time interval early" in _reasons(world)


def _reasons(world) -> str:
    with world.db.read() as tx:
        return "\n".join(row.reason for row in tx.execute(store.alert_decisions.select()))


def test_every_decision_is_kept_with_its_reason_but_not_repeated(world):
    silence(world, "host=a", 0, 500)
    world.post({"host": "a", "start": 0, "end": 9000}, {"host": "b", "start": 0, "end": 9000})
    world.run(400)
    with world.db.read() as tx:
        kept = [(row.outcome, row.reason, row.detail) for row in tx.execute(store.alert_decisions.select().order_by("id"))]
    assert [(outcome, reason) for outcome, reason, _ in kept] == [
        ("told", "first notification"), ("sent", "200 OK"), ("kept", "unchanged"),
    ]
    assert len(kept[0][2]["firing"]) == 1
    assert "silenced by" in next(iter(kept[0][2]["muted"].values()))


def test_labels_that_are_too_long_for_an_index_are_grouped_and_told(make_world):
    world = make_world("""
route: {receiver: hook, group_by: ['...'], group_wait: 0s}
receivers: [{name: hook, webhook_configs: [{url: 'http://r/'}]}, {name: storage}]
""", {"hook": "policy"})
    world.post({f"l{i}": f"{i:08}" * 50 for i in range(100)} | {"host": "a", "start": 0, "end": 500})
    world.run(1)
    assert [firing for _, _, firing, _ in world.told()] == [["a"]]
    assert len(world.desk) == 1


# -- reload --------------------------------------------------------------------------------------------------------------


def test_a_reload_tells_nobody_twice_and_follows_the_new_routes(world):
    world.post({"host": "a", "start": 0, "end": 9000})
    world.run(20)
    text = """
route: {receiver: other, group_by: [alertname], group_wait: 10s, group_interval: 1m, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: 'http://r/'}]}, {name: other, webhook_configs: [{url: 'http://r/'}]}]
"""
    world.reload(text.replace("receiver: other", "receiver: hook"))
    world.run(200)
    assert world.told() == [(10, "firing", ["a"], [])]
    world.reload(text)
    world.run(210)
    assert [(when, body["receiver"]) for when, body in world.sent] == [(10, "hook"), (200, "other")]


def test_routes_that_were_changed_while_down_are_followed_at_the_start(world):
    world.post({"host": "a", "start": 0, "end": 9000})
    world.run(5)
    world.config = world._read("""
route: {receiver: hook, group_by: [host], group_wait: 20s}
receivers: [{name: hook, webhook_configs: [{url: 'http://r/'}]}]
""")
    world.restart()
    world.run(60)
    assert [body["groupKey"] for _, body in world.sent] == ['{}:{host="a"}']


# -- the incident desk ---------------------------------------------------------------------------------------------------


def test_the_desk_hears_of_news_repeats_and_the_end(make_world):
    world = make_world(DESK, {"storage": "policy"})
    for minute in range(63):
        world.run(minute * 60)
        world.post({"host": "a", "start": 0, "end": minute * 60 + 240})
    world.post({"host": "a", "start": 0, "end": 3720})
    world.run(4000)
    assert [(when, told["status"], told["reason"]) for when, told in world.desk] == [
        (10, "firing", "first notification"), (3670, "firing", "repeat_interval has passed"), (3730, "resolved", "all resolved"),
    ]
    assert world.desk[0][1]["escalation_policy"] == "policy"


def test_the_desk_hears_that_a_silenced_alert_is_over(make_world):
    world = make_world(DESK, {"storage": "policy"})
    world.post({"host": "a", "start": 0, "end": 9000})
    world.run(20)
    silence(world, "host=a", 20, 5000)
    world.run(30)
    world.post({"host": "a", "start": 0, "end": 30})
    world.run(100)
    assert [told["status"] for _, told in world.desk] == ["firing", "resolved"]


def test_the_desk_does_not_hear_of_a_silenced_alert_that_fires(make_world):
    world = make_world(DESK, {"storage": "policy"})
    silence(world, "host=a", 0, 5000)
    world.post({"host": "a", "start": 0, "end": 9000})
    world.run(200)
    assert world.desk == []


def test_the_desk_hears_that_a_group_is_not_its_any_more(make_world):
    world = make_world(DESK, {"storage": "policy"})
    world.post({"host": "a", "start": 0, "end": 9000})
    world.run(20)
    world.reload(DESK.replace("receiver: storage", "receiver: quiet"))
    world.run(100)
    assert [(told["status"], told["receiver"]) for _, told in world.desk] == [("firing", "storage"), ("resolved", "storage")]
    assert "configuration was changed" in world.desk[-1][1]["reason"]


# -- forgetting ----------------------------------------------------------------------------------------------------------


def test_what_is_over_is_forgotten_after_a_while(world):
    silence(world, "host=zzz", 0, 50)
    world.post({"host": "a", "start": 0, "end": 9000})
    world.run(20)
    world.post({"host": "a", "start": 0, "end": 20})
    world.run(3700)
    assert rows(world, store.all_alerts) == []
    assert rows(world, store.groups) == []
    world.run(130 * 3600)
    assert rows(world, store.all_silences) == []
    assert _reasons(world) == ""
    world.post({"host": "a"})
    world.run(130 * 3600 + 15)
    assert world.told()[-1][1] == "firing"


def test_decisions_about_a_group_are_read_by_its_digest_in_their_order(world):
    world.post({"host": "a", "start": 0, "end": 9000}, {"alertname": "Other", "host": "a", "start": 0, "end": 9000})
    world.run(200)
    key = '{}:{alertname="X"}'
    found = rows(world, lambda tx: store.decisions(tx, key, "hook"))
    assert [d.outcome for d in found] == ["told", "sent", "kept"]
    assert [d.outcome for d in rows(world, lambda tx: store.decisions(tx, key, "hook", newest=1))] == ["kept"]
    assert [d.outcome for d in rows(world, lambda tx: store.decisions(tx, key, "hook", until=found[0].at))] == ["told", "sent"]
    assert rows(world, lambda tx: store.decisions(tx, key, "other")) == []


def away(world: World, now: bool) -> None:
    """The store takes nothing, or takes again what it is given."""
    connection = world.db.raw_engine().raw_connection()
    connection.cursor().execute(f"PRAGMA query_only = {int(now)}")
    connection.close()


def test_a_reload_that_the_store_does_not_take_is_followed_as_soon_as_it_does(tmp_path):
    world = World(f"sqlite:///{tmp_path}/quietshift.db", DEFAULT)
    world.post({"host": "a", "start": 0, "end": 5000})
    away(world, True)
    world.reload(DEFAULT.replace("[alertname]", "[host]").replace(": hook", ": other"))
    away(world, False)
    world.run(100)
    assert [(body["receiver"], body["groupLabels"]) for _, body in world.sent] == [("other", {"host": "a"})]
    world.close()


def test_labels_of_any_name_are_kept_grouped_told_and_silenced(make_world):
    world = make_world(DEFAULT.replace("[alertname]", '[ünï, "host name"]'))
    world.post({"host": "a", "ünï": "x", "host name": "1", "nul\0": "z", "🚨": "!"})
    world.post({"host": "b", "ünï": "y", "host name": "1"})
    silence(world, '{"host name"="1", "ünï"=~"y|z"}', 0, 100)
    world.run(20)
    assert world.told() == [(10, "firing", ["a"], [])]
    assert world.sent[0][1]["groupKey"] == '{}:{"host name"="1", ünï="x"}'
    assert world.sent[0][1]["groupLabels"] == {"host name": "1", "ünï": "x"}
    world.restart()
    assert [alert["labels"].get("🚨") for alert in world.listed(filter=parse_matchers('"nul\\x00"="z"'))] == ["!"]


def test_an_alert_that_left_one_of_its_groups_joins_it_again(make_world):
    """It goes two ways; one group has told its end and let it go, the other flushes later."""
    world = make_world("""
route:
  receiver: hook
  group_by: [alertname]
  group_wait: 10s
  routes:
    - {receiver: hook, matchers: ['alertname="X"'], continue: true, group_interval: 1m, repeat_interval: 10h}
    - {receiver: slow, matchers: ['alertname="X"'], group_interval: 1h, repeat_interval: 10h}
receivers:
  - {name: hook, webhook_configs: [{url: 'http://receiver.invalid/'}]}
  - {name: slow, webhook_configs: [{url: 'http://receiver.invalid/'}]}
""")
    world.post({"host": "a", "start": 0, "end": 30})
    world.run(100)
    world.post({"host": "a", "start": 100, "end": 100000})
    world.run(1000)
    told = [(body["receiver"], body["status"]) for _, body in world.sent]
    assert sorted(told[:2]) == [("hook", "firing"), ("slow", "firing")]
    assert told[2:] == [("hook", "resolved"), ("hook", "firing")]


def test_an_alert_that_is_over_is_kept_until_its_last_group_has_told_so(make_world):
    world = make_world("""
route:
  receiver: hook
  group_by: [alertname]
  group_wait: 10s
  routes:
    - {receiver: hook, matchers: ['alertname="X"'], continue: true, group_interval: 1m, repeat_interval: 10h}
    - {receiver: slow, matchers: ['alertname="X"'], group_interval: 2h, repeat_interval: 10h}
receivers:
  - {name: hook, webhook_configs: [{url: 'http://receiver.invalid/'}]}
  - {name: slow, webhook_configs: [{url: 'http://receiver.invalid/'}]}
""")
    world.post({"host": "a", "start": 0, "end": 30})
    world.run(8000)
    assert [(b["receiver"], b["status"]) for _, b in world.sent][2:] == [("hook", "resolved"), ("slow", "resolved")]
