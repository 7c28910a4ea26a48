"""Stored reasons as people read them: names, zones, and nothing that a label could smuggle into a page."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from quietshift.alerts.ladder import Hop, Ladder
from quietshift.app.web import wording
from quietshift.app.web.alerts import _ladder
from quietshift.app.web.incident_views import alike
from quietshift.incidents.why import ANSWER

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
NAMES = {"user:ana": "Ana", "user:bo": "Bo", "user:will": "Will", "group:default/storage": "Storage", "group:storage": "Storage"}


def name_of(ref: str) -> str:
    return NAMES.get(ref, "")


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("schedule:payments: bo is on until T (layer weekly)", "Bo is on call in schedule payments until T (layer weekly)"),
        ("not acknowledged in 5m: step 2 of 3: member of group:storage",
         "nobody acknowledged in 5m, so step 2 of 3 followed: everybody in Storage is called"),
        ("bo joins: ana has had it since T", "Bo joins: Ana has had it since T"),
        ("silenced by ana until T (load test)", "silenced by Ana until T (load test)"),
        ("reassigned by user:ana to user:bo", "reassigned by Ana to Bo"),
        ("Why was ana paged?", "Why was Ana paged?"),
        ("owned by group:default/storage", "owned by Storage"),
        ("turn 2 of [ana, bo]", "turn 2 of [Ana, Bo]"),
        ("mail to mailto:a***@example.org, attempt 1", "mail to a***@example.org, attempt 1"),
        ("the disk of media-03 will fill", "the disk of media-03 will fill"),  # somebody is called Will
        ("schedule:web: nobody: layer weekly is on only Mon 09:00", "schedule web: nobody: layer weekly is on only Mon 09:00"),
        ("resolved by nobody-we-know", "resolved by nobody-we-know"),
    ],
)  # fmt: skip
def test_people_and_groups_are_called_by_their_names(stored: str, read: str) -> None:
    assert wording.plain(stored, name_of) == read


@pytest.mark.parametrize(
    ("instant", "zone", "words"),
    [
        ("2026-11-21T03:30:00Z", BERLIN, "04:30"),
        ("2026-11-23T08:00:00.123456Z", BERLIN, "Mon 09:00"),
        ("2026-12-24T23:30:00+00:00", BERLIN, "Fri 25 Dec 00:30"),
        ("2026-11-23T14:00:00Z", NEW_YORK, "Mon 09:00 New York"),
    ],
)
def test_instants_are_told_in_the_zone_of_the_page_which_is_named_where_it_is_not_the_readers(
    instant: str, zone: ZoneInfo, words: str
) -> None:
    text = wording.told(f"on until {instant}, then off", name_of, NOW, zone, BERLIN)
    assert text.startswith(f'on until <time datetime="{instant}" title="')
    assert text.endswith(f">{words}</time>, then off")


def test_what_a_label_says_stays_text() -> None:
    text = wording.told("<script>x</script> 2026-11-21T03:30:00Z <b>", name_of, NOW, BERLIN, BERLIN)
    assert "<script>" not in text
    assert text.endswith("&lt;b&gt;")
    assert wording.told("9999-99-99T99:99:99Z", name_of, NOW, BERLIN, BERLIN) == "9999-99-99T99:99:99Z"


def test_a_sentence_leaves_out_how_the_turns_go() -> None:
    env = wording.environment(str, name_of)
    text = "step 1 of 3: schedule:web: bo is on until 2026-11-21T03:30:00Z (layer weekly, turn 2 of [ana, bo])"
    shown = env.from_string("{{ text|sentence }}").render(text=text, now=NOW, viewer={"zone": BERLIN})
    assert shown.startswith("Step 1 of 3: Bo is on call in schedule web until <time")
    assert shown.endswith(">04:30</time>.")


def test_attempts_answered_alike_stand_once() -> None:
    def one(second: int, answer: str, outcome: str = "failed") -> dict[str, object]:
        at = NOW + timedelta(seconds=second)
        return {"at": at, "channel": "webhook", "to": "x", "outcome": outcome, "answer": answer, "times": 1, "until": None}

    shown = alike([one(0, "refused"), one(1, "refused"), one(3, "refused"), one(7, "200 OK", "accepted"), one(9, "refused")])
    assert [(a["times"], a["answer"]) for a in shown] == [(3, "refused"), (1, "200 OK"), (1, "refused")]
    assert shown[0]["until"] == NOW + timedelta(seconds=3)


def test_a_ladder_folds_attempts_answered_alike_and_keeps_every_other_hop() -> None:
    hops = [Hop("Person", "bo")]
    for number in (1, 2, 3):
        hops += [Hop("Contact", f"webhook to x, attempt {number}"), Hop(ANSWER, "temporary, refused: tried again")]
    hops += [Hop("Contact", "webhook to x, attempt 4"), Hop(ANSWER, "accepted, 200 OK"), Hop("Acknowledged", "by bo")]
    shown = _ladder(Ladder("Why was bo paged?", "", tuple(hops)))["hops"]
    assert [hop["detail"] for hop in shown] == [
        "bo", "webhook to x, attempts 1 to 3", "temporary, refused: tried again", "webhook to x, attempt 4", "accepted, 200 OK",
        "by bo",
    ]  # fmt: skip
