"""Which runbook an alert leads to, and which of its steps count as done."""

from datetime import UTC, datetime, timedelta

import pytest

from quietshift.kernel.errors import NotFound
from quietshift.runbooks import decide
from quietshift.runbooks.config import parse
from quietshift.runbooks.model import Outcome, Runbooks, Tick

BOOKS = Runbooks(
    {
        name: parse(name, f"# {name}\n1. look\n2. act\n")
        for name in ("DiskWillFill", "storage/Slow", "web/eu/Slow", "web/CheckoutFailing")
    },
    {"component:default/checkout": "web/CheckoutFailing"},
)
OUTSIDE = "https://runbooks.prometheus-operator.dev/runbooks/node/nodefilesystemspacefillingup"


@pytest.mark.parametrize(
    ("alertname", "runbook_url", "component", "name", "url"),
    [
        ("Slow", "", "", "storage/Slow", ""),  # the least deep
        ("Slow", "runbooks/web/eu/Slow.md", "", "web/eu/Slow", ""),
        ("Slow", "web/eu/Slow", "", "web/eu/Slow", ""),
        ("Slow", "./DiskWillFill.md#now", "", "DiskWillFill", ""),
        ("Slow", "https://git.example.org/ops/blob/main/runbooks/web/eu/Slow.md?plain=1#L3", "", "web/eu/Slow", ""),
        ("Slow", "https://git.example.org/runbooks/ops/runbooks/DiskWillFill.md", "", "DiskWillFill", ""),
        ("Slow", OUTSIDE, "", "storage/Slow", OUTSIDE),  # the team's own, and the link
        ("Unheard", OUTSIDE, "", None, OUTSIDE),
        ("Unheard", "javascript:alert(1)", "component:default/checkout", "web/CheckoutFailing", ""),
        ("Unheard", "", "component:default/checkout", "web/CheckoutFailing", ""),
        ("Unheard", "http://[bad", "component:default/checkout", "web/CheckoutFailing", ""),
    ],
)
def test_the_runbook_of_an_alert(alertname, runbook_url, component, name, url):
    named = decide.runbook_for(BOOKS, alertname=alertname, runbook_url=runbook_url, component=component)
    assert named is not None
    assert (named.runbook.name if named.runbook else None, named.url) == (name, url)
    assert named.reason


@pytest.mark.parametrize("runbook_url", ["", "runbooks/../../etc/passwd.md", "gone.md", "javascript:alert(1)"])
def test_no_runbook_where_none_is_named(runbook_url):
    assert decide.runbook_for(BOOKS, alertname="Unheard", runbook_url=runbook_url, component="component:default/x") is None


def test_an_unknown_runbook_or_step_is_named_with_what_is_there():
    with pytest.raises(NotFound, match=r"DiskWilFill.*did you mean DiskWillFill"):
        BOOKS.get("DiskWilFill")
    with pytest.raises(NotFound, match=r"has no step 3 \(it has 2\)"):
        BOOKS.get("DiskWillFill").step(3)


NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)


def ticked(*acts):
    return [
        Tick(str(i), 1042, "X", number, title, Outcome(word), "", "user:ana", NOW + timedelta(seconds=i))
        for i, (number, title, word) in enumerate(acts)
    ]


def outcomes(text, *acts):
    found = decide.progress(parse("X", text).steps, ticked(*acts))
    return {number: tick.outcome.value for number, tick in found.items()}


def test_the_latest_word_on_a_step_counts_and_an_unfinished_step_is_not_done():
    assert outcomes("1. look\n2. act\n", (1, "look", "done"), (1, "look", "failed")) == {1: "failed"}


def test_a_runbook_changed_meanwhile_keeps_ticks_with_their_words_and_gives_none_to_a_new_step():
    assert outcomes("1. check disk\n2. look\n3. act now\n", (1, "look", "done"), (2, "act", "done")) == {2: "done"}


def test_steps_of_the_same_words_are_told_apart_by_number():
    assert outcomes("1. wait\n2. act\n3. wait\n", (3, "wait", "skipped")) == {3: "skipped"}
