"""Ticking a step is an action on record: in the journal, on the timeline, and the latest word counts."""

from datetime import timedelta

import pytest

from quietshift.incidents.timeline import timeline
from quietshift.kernel import journal
from quietshift.kernel.errors import Invalid, NotFound
from quietshift.runbooks import pages, store, usecases
from tests.runbooks.conftest import NOW


def tick(db, books, step, outcome, note="", actor="user:ana", after=0):
    with db.write() as tx:
        return usecases.tick(
            tx, 1042, "CheckoutFailing", step, outcome, note, actor, NOW + timedelta(seconds=after), runbooks=books
        )


def outcomes(db, incident, books):
    with db.read() as tx:
        worked = usecases.worked(tx, incident, runbooks=books)
    return [tick.outcome.value if tick else None for _, tick in worked.steps]


def test_a_tick_is_kept_with_who_when_and_why(db, incident, books):
    assert outcomes(db, incident, books) == [None, None, None]
    tick(db, books, 1, "done", "  only gitaly-03 ")
    tick(db, books, 2, "skipped", actor="token:ci", after=5)
    assert outcomes(db, incident, books) == ["done", "skipped", None]
    with db.read() as tx:
        first = store.ticks(tx, 1042)[0]
        entries = [e for e in timeline(tx, 1042) if "step" in e.kind]
        acts = [e for e in journal.entries(tx, subject="incident:INC-1042") if e.act.startswith("runbook.")]
    assert (first.actor, first.note, first.title, first.at) == ("user:ana", "only gitaly-03", "Look", NOW)
    assert [(e.actor, e.at) for e in entries] == [("user:ana", NOW), ("token:ci", NOW + timedelta(seconds=5))]
    assert "Look" in entries[0].text
    assert [(a.act, a.actor) for a in acts] == [("runbook.step_skipped", "token:ci"), ("runbook.step_done", "user:ana")]
    assert acts[1].data == {"runbook": "CheckoutFailing", "step": 1, "title": "Look"}


def test_changing_ones_mind_adds_a_row_and_the_latest_counts(db, incident, books):
    tick(db, books, 1, "done")
    tick(db, books, 1, "failed", after=1)
    assert outcomes(db, incident, books) == ["failed", None, None]
    with db.read() as tx:
        assert [t.outcome for t in store.ticks(tx, 1042, "CheckoutFailing")] == ["done", "failed"]


@pytest.mark.parametrize(
    ("incident_id", "runbook", "step", "outcome", "note", "error"),
    [
        (1, "CheckoutFailing", 1, "done", "", NotFound),
        (1042, "Gone", 1, "done", "", NotFound),
        (1042, "CheckoutFailing", 4, "done", "", NotFound),
        (1042, "CheckoutFailing", 0, "done", "", NotFound),
        (1042, "CheckoutFailing", 1, "maybe", "", Invalid),
        (1042, "CheckoutFailing", 1, "done", "x" * 2001, Invalid),
    ],
)
def test_what_does_not_exist_is_not_ticked(db, books, incident_id, runbook, step, outcome, note, error):
    with pytest.raises(error), db.write() as tx:
        usecases.tick(tx, incident_id, runbook, step, outcome, note, "user:ana", NOW, runbooks=books)
    with db.read() as tx:
        assert store.ticks(tx, incident_id) == []


def test_secrets_in_a_note_do_not_reach_the_disk(db, books):
    tick(db, books, 1, "done", "used password=hunter2hunter2 for it")
    with db.read() as tx:
        kept = store.ticks(tx, 1042)[0].note
    assert "hunter2" not in kept


def test_the_incidents_page_shows_open_steps_with_their_body_and_done_ones_with_who(db, incident, books):
    tick(db, books, 1, "done", "seen")
    with db.read() as tx:
        shown = pages.context(tx, incident, runbooks=books)
    assert (shown["title"], shown["href"], shown["name"]) == ("Checkout fails", "/runbooks/CheckoutFailing", "CheckoutFailing")
    first, second, third = shown["steps"]
    assert (first["outcome"], first["by"], first["note"], first["at"]) == ("done", "ana", "seen", NOW)
    assert (second["outcome"], third["outcome"]) == ("", "")
    assert 'href="https://example.org/d"' in second["html"]
