from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quietshift.alerts import decide
from quietshift.alerts.decide import Heard, Told
from quietshift.alerts.matchers import Matcher, all_match, parse_matchers
from quietshift.alerts.model import Alert, InhibitRule, Route, Silence

T0 = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
ALWAYS = Heard(T0 - timedelta(days=1), timedelta(minutes=5))


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def alert(start: float, end: float, updated: float, timeout: bool = False, **labels: str) -> Alert:
    return Alert(labels or {"a": "b"}, {}, at(start), at(end), at(updated), timeout, end > updated)


# -- merging -------------------------------------------------------------------------------------------------------------

TIMES = st.integers(0, 20)


@st.composite
def episodes(draw, updated=TIMES):
    start, end = sorted((draw(TIMES), draw(TIMES)))
    return alert(start, end, draw(updated), draw(st.booleans()))


def as_alertmanager_does(old: Alert, new: Alert, now: datetime) -> Alert:
    """Its rules as its documentation and provider state them: merge where one's bounds lie inside the other's time."""
    inside = old.starts_at < new.ends_at < old.ends_at or old.starts_at < new.starts_at < old.ends_at
    if not inside:
        return new
    end = new.ends_at
    if new.ends_at <= now:
        if old.ends_at <= now and old.ends_at > new.ends_at:
            end = old.ends_at
    elif old.ends_at > new.ends_at and not old.timeout:
        end = old.ends_at
    return msgspec.structs.replace(new, starts_at=min(old.starts_at, new.starts_at), ends_at=end)


@given(episodes(), episodes())
def test_merging_agrees_with_alertmanagers_rules(old, new):
    now = max(old.updated_at, new.updated_at)
    new = msgspec.structs.replace(new, updated_at=now)
    merged, reason = decide.merge(old, new, now, ALWAYS)
    expected = as_alertmanager_does(old, new, now)
    assert (merged.starts_at, merged.ends_at, merged.timeout) == (expected.starts_at, expected.ends_at, expected.timeout)
    assert reason


@given(episodes(), episodes())
def test_a_merge_never_loses_time_of_one_episode(old, new):
    now = max(old.updated_at, new.updated_at)
    merged, reason = decide.merge(old, new, now, ALWAYS)
    assert merged.starts_at <= new.starts_at
    if reason == "the same episode":
        assert merged.starts_at == min(old.starts_at, new.starts_at)


def test_an_explicit_later_end_beats_a_time_out():
    explicit, silence = alert(0, 600, 0), alert(1, 301, 1, timeout=True)
    assert decide.merge(explicit, silence, at(1), ALWAYS)[0].ends_at == at(600)
    assert decide.merge(alert(0, 600, 0, timeout=True), silence, at(1), ALWAYS)[0].ends_at == at(301)


def test_an_alert_that_was_over_begins_a_new_episode():
    merged, reason = decide.merge(alert(0, 10, 10), alert(20, 300, 20), at(20), ALWAYS)
    assert merged.starts_at == at(20)
    assert reason == "a new episode: the one before was over"


def test_a_repeat_after_a_downtime_belongs_to_the_same_episode():
    """Its end passed while nobody listened; a sender without startsAt reports the time of sending as the start."""
    heard = Heard(at(1000), timedelta(minutes=5))
    merged, _ = decide.merge(alert(0, 300, 0, timeout=True), alert(1010, 1310, 1010, timeout=True), at(1010), heard)
    assert merged.starts_at == at(0)
    assert merged.ends_at == at(1310)


def test_what_a_sender_leaves_out_is_filled_in():
    def accept(start, end):
        return decide.accept({"a": "b"}, {}, start, end, "", at(100), timedelta(minutes=5))

    bare = accept(None, None)
    assert (bare.starts_at, bare.ends_at, bare.timeout, bare.lease) == (at(100), at(400), True, True)
    ended = accept(None, at(50))
    assert (ended.starts_at, ended.ends_at, ended.timeout, ended.lease) == (at(50), at(50), False, False)
    leased = accept(at(0), at(200))
    assert (leased.ends_at, leased.timeout, leased.lease) == (at(200), False, True)
    assert accept(at(9000), None).starts_at == at(100)  # a clock that is ahead by more than resolve_timeout
    with pytest.raises(ValueError, match="ends before it starts"):
        accept(at(10), at(5))
    with pytest.raises(ValueError, match="at least one label"):
        decide.accept({}, {}, None, None, "", at(0), timedelta(minutes=5))


# -- resolving -----------------------------------------------------------------------------------------------------------


@given(episodes(), TIMES, TIMES, st.integers(1, 10))
def test_silence_means_nothing_before_the_grace_is_over(known, since, now, timeout):
    heard = Heard(at(since), timedelta(seconds=timeout))
    over = decide.resolved(known, at(now), heard)
    assert over == (decide.end(known, heard) <= at(now))
    if known.lease and known.updated_at < heard.since and at(now) < heard.until:
        assert not over
    if not known.lease or known.updated_at >= heard.since or at(now) >= heard.until:
        assert over == (known.ends_at <= at(now))


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 400))
def test_the_end_on_disk_never_lags_by_more_than_a_quarter_of_the_timeout(stored, new, now):
    timeout = timedelta(seconds=300)
    if not decide.worth_writing(at(stored), at(new), at(now), timeout):
        assert at(new) - at(stored) < timeout / 4
        assert at(stored) - at(now) > (at(new) - at(now)) / 2  # half of the lease is still on disk


# -- routing -------------------------------------------------------------------------------------------------------------


def route(path: str, matchers: str = "", continues: bool = False, *routes: Route, **more) -> Route:
    return Route(path, path, path, parse_matchers(matchers), continues=continues, routes=routes, **more)


def test_the_first_branch_that_fits_takes_it_unless_it_continues():
    tree = route(
        "0", "", False,
        route("0/0", "team=a", True, route("0/0/0", "env=prod"), route("0/0/1", "env=~.+")),
        route("0/1", "team=~a|b"),
        route("0/2", "team=b"),
    )  # fmt: skip

    def taken(**labels: str) -> list[str]:
        return [r.path for r in decide.match(tree, labels)]

    assert taken(team="a", env="prod") == ["0/0/0", "0/1"]
    assert taken(team="a", env="dev") == ["0/0/1", "0/1"]
    assert taken(team="a") == ["0/0", "0/1"]
    assert taken(team="b") == ["0/1"]
    assert taken(team="c") == ["0"]


CONDITIONS = st.sampled_from(["", "a=1", "a!=1", "b=~x|y", "b!~x", 'a=1,b="x"', "c=~.+"])
LABELS = st.fixed_dictionaries(
    {}, optional={"a": st.sampled_from("12"), "b": st.sampled_from("xyz"), "c": st.just("k")}
)


@st.composite
def trees(draw, path="0", depth=0):
    size = draw(st.integers(0, 3)) if depth < 3 else 0
    children = tuple(draw(trees(f"{path}/{i}", depth + 1)) for i in range(size))
    return route(path, draw(CONDITIONS) if depth else "", draw(st.booleans()) if depth else False, *children)


@given(trees(), LABELS)
def test_every_alert_is_taken_by_leaves_of_fitting_branches(tree, labels):
    taken = decide.match(tree, labels)
    assert taken
    by_path = {r.path: r for r in tree.walk()}
    for r in taken:
        above = ["/".join(r.path.split("/")[: i + 1]) for i in range(r.path.count("/") + 1)]
        assert all(decide.match(by_path[p], labels) for p in above)
        assert not any(decide.match(child, labels) for child in r.routes)
    assert [r.path for r in taken] == sorted({r.path for r in taken}, key=list(by_path).index)


def test_groups_are_told_apart_by_their_labels_alone():
    by_name = route("0", group_by=frozenset({"alertname", "zone"}))
    assert decide.group_labels(by_name, {"alertname": "X", "host": "h"}) == {"alertname": "X"}
    assert decide.group_labels(route("0"), {"alertname": "X"}) == {}
    everything = route("0", group_by_all=True)
    assert decide.group_labels(everything, {"alertname": "X", "host": "h"}) == {"alertname": "X", "host": "h"}


def test_group_keys_are_alertmanagers():
    r = Route("0/0", '{}/{a="b"}', "x", group_by=frozenset({"alertname"}))
    assert decide.group_key(r, {"alertname": 'a"b'}) == '{}/{a="b"}:{alertname="a\\"b"}'


def test_a_group_waits_unless_its_alert_has_been_firing_for_longer():
    r = route("0", group_wait=timedelta(seconds=30))
    assert decide.first_flush(r, at(0), at(10), at(10)) == at(40)
    assert decide.first_flush(r, at(0), at(10), at(5)) == at(35)  # it came at 5, and is stored at 10
    assert decide.first_flush(r, at(0), at(30), at(30)) == at(60)
    assert decide.first_flush(r, at(0), at(31), at(31)) == at(31)
    assert decide.first_flush(r, datetime.max.replace(tzinfo=UTC), at(0), at(0)) == at(30)
    assert decide.first_flush(r, datetime.min.replace(tzinfo=UTC), at(0), at(0)) == at(0)


# -- muting --------------------------------------------------------------------------------------------------------------


def test_a_silence_holds_from_its_start_until_its_end():
    silence = Silence("s", parse_matchers("a=b"), at(10), at(20), "ana", "", at(0))
    states = [str(decide.silence_state(silence, at(t))) for t in (9, 10, 19, 20)]
    assert states == ["pending", "active", "active", "expired"]
    assert decide.silenced_by([silence], {"a": "b"}, at(10)) == ("s",)
    assert decide.silenced_by([silence], {"a": "c"}, at(10)) == ()
    assert decide.silenced_by([silence], {"a": "b"}, at(20)) == ()


def test_inhibition_wants_a_firing_source_with_equal_labels():
    rules = [InhibitRule(parse_matchers("severity=critical"), parse_matchers("severity=warning"), ("alertname", "zone"))]
    critical = {"alertname": "X", "severity": "critical"}
    assert decide.inhibited_by(rules, {"alertname": "X", "severity": "warning"}, [critical]) is not None  # zone: both lack it
    assert decide.inhibited_by(rules, {"alertname": "Y", "severity": "warning"}, [critical]) is None
    assert decide.inhibited_by(rules, {"alertname": "X", "severity": "warning", "zone": "a"}, [critical]) is None
    assert decide.inhibited_by(rules, critical, [critical]) is None


def test_alerts_on_both_sides_of_a_rule_do_not_inhibit_each_other():
    rules = [InhibitRule(parse_matchers("a=~.+"), parse_matchers("b=~.+"))]
    both, source = {"a": "1", "b": "1"}, {"a": "2"}
    assert decide.inhibited_by(rules, both, [both, {"a": "3", "b": "3"}]) is None
    assert decide.inhibited_by(rules, both, [both, source]) == decide.labels.fingerprint(source)


# -- notifying -----------------------------------------------------------------------------------------------------------

REPEAT = timedelta(hours=4)


def verdict(told: Told | None, firing: set[int], over: set[int], send_resolved: bool = True, now: float = 60):
    return decide.needs_update(told, frozenset(firing), frozenset(over), REPEAT, send_resolved, at(now))


def told(firing: set[int], over: set[int] = frozenset(), when: float = 0) -> Told:
    return Told(frozenset(firing), frozenset(over), at(when))


@pytest.mark.parametrize(
    ("known", "firing", "over", "send_resolved", "tell", "reason"),
    [
        (None, {1}, set(), True, True, "first notification"),
        (None, set(), {1}, True, False, "never notified, and nothing is firing"),
        (told({1}), {1, 2}, set(), True, True, "new alerts are firing"),
        (told({1, 2}), {1}, set(), True, False, "unchanged"),
        (told({1, 2}), {1}, {2}, True, True, "more alerts are resolved"),
        (told({1, 2}), {1}, {2}, False, False, "unchanged"),
        (told({1}), set(), {1}, False, True, "all resolved"),
        (told(set(), {1}), set(), {1, 2}, True, False, "resolved before anybody was told"),
        (told({1}), {1}, set(), True, False, "unchanged"),
    ],
)
def test_a_receiver_is_told_what_is_news_to_it(known, firing, over, send_resolved, tell, reason):
    assert verdict(known, firing, over, send_resolved) == decide.Verdict(tell, reason)


def test_an_unchanged_group_is_repeated_after_its_interval():
    assert not verdict(told({1}), {1}, set(), now=4 * 3600).tell
    assert verdict(told({1}), {1}, set(), now=4 * 3600 + 1) == decide.Verdict(True, "repeat_interval has passed")


IDENTITIES = st.frozensets(st.integers(0, 4), max_size=4)


@given(IDENTITIES, IDENTITIES, IDENTITIES, IDENTITIES, st.booleans())
def test_after_being_told_there_is_nothing_new(firing, over, known_firing, known_over, send_resolved):
    decide.needs_update(Told(known_firing, known_over, at(0)), firing, over - firing, REPEAT, send_resolved, at(1))
    assert not decide.needs_update(Told(firing, over, at(0)), firing, over, REPEAT, send_resolved, at(1)).tell


def test_retries_begin_after_half_a_second_and_are_spread():
    assert decide.retry_delay(1, 0.0) == timedelta(seconds=0.25)
    assert decide.retry_delay(1, 1.0) == timedelta(seconds=0.75)
    assert decide.retry_delay(500, 0.5) == timedelta(seconds=60)


def test_an_unchanged_group_is_repeated_at_its_first_flush_after_more_than_repeat_interval():
    told, hour, interval = at(0), timedelta(hours=1), timedelta(minutes=1)
    for next_flush, expected in ((60, 3660), (3600, 3660), (3601, 3601), (90, 3630), (9000, 9000)):
        repeated = decide.repeat_at(told, hour, told + timedelta(seconds=next_flush), interval)
        assert repeated == told + timedelta(seconds=expected)
        unchanged = Told(frozenset((1,)), frozenset(), told)
        flushes = [told + timedelta(seconds=next_flush) + n * interval for n in range(61)]
        tells = [at for at in flushes if decide.needs_update(unchanged, frozenset((1,)), frozenset(), hour, True, at).tell]
        assert tells[0] == repeated


_few = st.sampled_from(["a", "b"])
_sets = st.dictionaries(st.sampled_from(["n", "m", "zone"]), _few, min_size=1).map(lambda pairs: dict(sorted(pairs.items())))
_sides = st.lists(st.builds(Matcher, st.sampled_from(["n", "m"]), _few, st.sampled_from(["=", "!="])), max_size=2).map(tuple)
_rules = st.lists(st.builds(InhibitRule, _sides, _sides, st.sampled_from([(), ("zone",), ("zone", "m")])), max_size=3)


@given(_rules, st.lists(_sets, max_size=6), _sets)
def test_inhibition_is_what_asking_every_source_says(rules, firing, labels):
    def inhibits(rule: InhibitRule, other: dict[str, str]) -> bool:
        both = all_match(rule.source, labels) and all_match(rule.target, other)
        same = all(other.get(name, "") == labels.get(name, "") for name in rule.equal)
        return all_match(rule.target, labels) and all_match(rule.source, other) and same and not both

    by = [decide.labels.fingerprint(other) for rule in rules for other in firing if inhibits(rule, other)]
    assert decide.Inhibition(rules, firing).by(labels) == (by[0] if by else None)
