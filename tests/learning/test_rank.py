"""What repeats is counted and ranked; nights are those of the people who were paged."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from quietshift.learning.decide import night_of, rank, weeks
from quietshift.learning.model import By, Paged

START, END = datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)
STORAGE, WEB = "group:default/storage", "group:default/web"
ZONES = {STORAGE: ZoneInfo("Europe/Berlin"), WEB: ZoneInfo("Asia/Singapore")}


def page(incident, alert, owner, user, at, verdict=""):
    return Paged(incident, alert, owner, user, datetime.fromisoformat(at), verdict)


PAGES = [
    page(1, "DiskWillFill", STORAGE, "ana", "2026-11-02T02:00:00+01:00", "noise"),
    page(1, "DiskWillFill", STORAGE, "bo", "2026-11-02T02:05:00+01:00", "noise"),
    page(2, "DiskWillFill", STORAGE, "ana", "2026-11-02T03:00:00+01:00"),
    page(3, "DiskWillFill", WEB, "dee", "2026-11-03T12:00:00+08:00", "actionable"),
    page(4, "CheckoutFailing", WEB, "dee", "2026-11-03T23:30:00+08:00", "actionable"),
    page(5, "CheckoutFailing", WEB, "dee", "2026-11-04T06:59:59+08:00", "actionable"),
]


def ranked(pages=PAGES, by=By.ALERT, has_runbook=lambda p: False):
    return rank(pages, start=START, end=END, zones=ZONES, by=by, has_runbook=has_runbook)


def test_alerts_are_ranked_by_owner_with_who_was_woken_and_what_it_was():
    ranking = ranked(has_runbook=lambda p: p.alertname == "CheckoutFailing")
    assert [(r.alertname, r.owner, r.pages, r.incidents, r.people) for r in ranking.rows] == [
        ("DiskWillFill", STORAGE, 3, 2, 2),
        ("CheckoutFailing", WEB, 2, 2, 1),
        ("DiskWillFill", WEB, 1, 1, 1),
    ]
    disk, checkout, _ = ranking.rows
    assert (disk.share, disk.nights, disk.sleeps, disk.runbook) == (0.5, 3, 2, False)  # ana's one night broken twice
    assert disk.verdicts == {"noise": 1, "unsaid": 1}  # of incidents, not of pages
    assert (disk.busiest_hour, disk.hours[2], disk.hours[3]) == (2, 2, 1)
    assert (checkout.nights, checkout.sleeps, checkout.runbook) == (2, 1, True)  # 23:30 and 06:59 are one night
    assert (ranking.pages, ranking.nights, ranking.sleeps) == (6, 5, 3)


def test_owners_and_hours_are_ranked_too():
    assert [(r.key, r.pages, r.runbook) for r in ranked(by=By.OWNER).rows] == [(STORAGE, 3, None), (WEB, 3, None)]
    hours = ranked(by=By.HOUR).rows
    assert [(r.key, r.pages, r.nights) for r in hours][:2] == [("02:00", 2, 2), ("03:00", 1, 1)]
    assert {r.key: r.nights for r in hours}["12:00"] == 0


def test_an_owner_without_a_schedule_lives_in_utc():
    row = ranked([page(1, "X", "", "ana", "2026-11-02T22:00:00+00:00")]).rows[0]
    assert (row.nights, row.hours[22]) == (1, 1)


def test_only_pages_of_the_span_count():
    edge = [page(1, "X", "", "ana", START.isoformat()), page(2, "X", "", "ana", END.isoformat())]
    assert ranked(edge).pages == 1
    assert ranked([]).rows == ()


def test_a_night_begins_at_ten_and_belongs_to_the_evening():
    day = datetime(2026, 11, 2, tzinfo=ZoneInfo("Europe/Berlin"))
    assert night_of(day.replace(hour=21, minute=59)) is None
    assert night_of(day.replace(hour=22)) == date(2026, 11, 2)
    assert night_of(day.replace(hour=6, minute=59)) == date(2026, 11, 1)
    assert night_of(day.replace(hour=7)) is None


def test_weeks_begin_on_the_owners_monday_and_those_before_counting_began_are_left_out():
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    sunday_night = page(9, "X", WEB, "dee", "2026-11-08T23:00:00+00:00")  # Monday 07:00 in Singapore
    found = weeks([*PAGES, sunday_night], now=now, since=datetime(2026, 10, 28, tzinfo=UTC), zones=ZONES)
    assert [(w.label, w.pages, w.nights) for w in found] == [("W44", 0, 0), ("W45", 6, 5), ("W46", 1, 0), ("W47", 0, 0)]
    assert weeks([], now=now, since=None, zones=ZONES) == []
    assert len(weeks([], now=now, since=now - timedelta(days=365), zones=ZONES)) == 12


@given(
    st.lists(
        st.builds(
            Paged,
            incident_id=st.integers(1, 5),
            alertname=st.sampled_from("AB"),
            owner=st.sampled_from(["", STORAGE, WEB]),
            user=st.sampled_from(["ana", "bo"]),
            due_at=st.integers(0, 27 * 86400).map(lambda s: START + timedelta(seconds=s)),
            verdict=st.sampled_from(["", "noise"]),
        )
    ),
    st.sampled_from(By),
)
def test_every_page_is_counted_exactly_once(pages, by):
    ranking = ranked(pages, by=by)
    assert sum(row.pages for row in ranking.rows) == len(pages) == ranking.pages
    assert abs(sum(row.share for row in ranking.rows) - (1 if pages else 0)) < 1e-9
    assert sum(row.nights for row in ranking.rows) == ranking.nights
    for row in ranking.rows:
        assert sum(row.hours) == row.pages >= row.nights >= row.sleeps
        assert sum(row.verdicts.values()) == row.incidents
        assert sum(row.hours[h] for h in (*range(7), 22, 23)) == row.nights
    assert [row.pages for row in ranking.rows] == sorted((row.pages for row in ranking.rows), reverse=True)
