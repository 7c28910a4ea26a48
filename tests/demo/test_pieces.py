"""The demo's pieces are what they claim: a real shop, a watcher that tells no lies, phones and an inbox on real protocols."""

import http.client
import json
import smtplib
import threading
from datetime import date, datetime
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import pytest

from quietshift.app.demo import ops, watcher
from quietshift.app.demo.inbox import Devices, MailServer
from quietshift.app.demo.shop import Shop
from quietshift.app.demo.watcher import Symptom, Watcher
from quietshift.app.parts import read_ops
from quietshift.kernel.clock import parse_rfc3339
from quietshift.oncall import decide
from quietshift.oncall.model import Oncall


def request(method, url, body=None):
    rest = url.partition("://")[2]
    netloc, _, path = rest.partition("/")
    connection = http.client.HTTPConnection(netloc, timeout=5)
    connection.request(method, f"/{path}", body)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


@pytest.fixture
def shop():
    made = Shop()
    yield made
    made.close()


def test_the_switch_makes_real_orders_fail_and_the_metrics_count_them(shop):
    assert request("POST", f"{shop.url}/checkout")[0] == 200
    shop.break_it()
    assert request("POST", f"{shop.url}/checkout")[0] == 502
    assert request("POST", f"{shop.url}/checkout")[0] == 502
    shop.mend()
    assert request("POST", f"{shop.url}/checkout")[0] == 200
    metrics = request("GET", f"{shop.url}/metrics")[1]
    assert 'checkout_requests_total{code="200"} 2.0' in metrics
    assert 'checkout_requests_total{code="502"} 2.0' in metrics


def fed(symptom, *rounds):
    """Rounds of (seconds, good orders, failed orders): what the symptom says after each."""
    at, good, bad, said = 0.0, 0, 0, []
    for seconds, more_good, more_bad in rounds:
        at, good, bad = at + seconds, good + more_good, bad + more_bad
        said.append(symptom.sample(at, good, bad))
    return said


def test_the_symptom_fires_when_the_part_that_fails_stays_above_the_threshold():
    steady = [(0.5, 5, 0)] * 10
    failing = [(0.5, 0, 5)] * 4
    assert fed(Symptom(), *steady, *failing) == [False] * 12 + [True] * 2  # above it for HOLD seconds
    assert not any(fed(Symptom(), *[(0.5, 100, 1)] * 20))


def test_the_symptom_ends_when_the_window_holds_good_orders_alone():
    symptom = Symptom()
    fed(symptom, (0.5, 0, 0), *[(0.5, 0, 5)] * 8)
    assert symptom.firing
    said = [symptom.sample(4.5 + n / 2, 5 * n, 40) for n in range(1, 12)]
    assert said.index(False) in (7, 8, 9)  # WINDOW seconds later
    assert not any(said[said.index(False) :])


def test_too_few_orders_change_nothing():
    assert not any(fed(Symptom(), *[(0.5, 0, 0)] * 5, (0.5, 0, 3), (0.5, 0, 0), (0.5, 0, 0), (0.5, 0, 0)))
    symptom = Symptom()
    fed(symptom, (0.5, 0, 0), *[(0.5, 0, 5)] * 8)
    assert all(symptom.sample(10 + n, 0, 40) for n in range(10))  # no orders at all: still unknown, never good


def test_the_watcher_posts_what_prometheus_posts_and_repeats_what_was_not_taken(shop, webhook_server, monkeypatch):
    for name, value in {"SCRAPE": 0.02, "WINDOW": 0.2, "HOLD": 0.0, "RESEND": 0.1, "ENOUGH": 1}.items():
        monkeypatch.setattr(watcher, name, value)
    webhook_server.answer("/api/v2/alerts", 503)
    shop.break_it()
    stop = threading.Event()
    customer = threading.Thread(target=lambda: [request("POST", f"{shop.url}/checkout") for _ in iter(stop.is_set, True)])
    customer.start()
    watching = Watcher(shop.url, webhook_server.url().rstrip("/"))
    try:
        first, second, third = webhook_server.wait_for(3, path="/api/v2/alerts")[:3]
        assert (first.answered, second.answered) == (503, 200)
        assert second.json[0]["startsAt"] == first.json[0]["startsAt"] == third.json[0]["startsAt"]
        alert = third.json[0]
        assert alert["labels"] == watcher.LABELS
        assert parse_rfc3339(alert["endsAt"]) > third.received_at
        assert "of users" in alert["annotations"]["summary"]
        shop.mend()
        ended = webhook_server.wait_for(
            1, path="/api/v2/alerts", where=lambda post: parse_rfc3339(post.json[0]["endsAt"]) <= post.received_at
        )
        assert ended[0].json[0]["startsAt"] == alert["startsAt"]
    finally:
        watching.close()
        stop.set()
        customer.join()


def test_mail_arrives_by_smtp_with_its_link():
    devices = Devices()
    server = MailServer(devices)
    try:
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = "INC-1001 triggered", "q@example.org", "bo@example.org"
        message.set_content("Checkout fails\n\nAcknowledge: http://127.0.0.1:8080/p/abc-_=\n")
        with smtplib.SMTP("127.0.0.1", server.port, timeout=5) as client:
            client.send_message(message)
    finally:
        server.close()
    mail = devices.mails("bo@example.org")[0]
    assert (mail.subject, mail.link) == ("INC-1001 triggered", "http://127.0.0.1:8080/p/abc-_=")
    assert devices.mails("ana@example.org") == []


PAGE = {
    "page_id": "p1", "attempt": 1, "user": "ana", "incident": {"id": "INC-1001", "title": "Checkout fails"},
    "acknowledge_url": "http://127.0.0.1:8080/p/abc",
}  # fmt: skip


def test_a_phone_rings_for_a_page_and_refuses_anything_else():
    devices = Devices()
    devices.ring("ana", PAGE)
    assert [(c.incident, c.title) for c in devices.calls("ana")] == [("INC-1001", "Checkout fails")]
    with pytest.raises(ValueError, match="not a page"):
        devices.ring("ana", {"page_id": "p1"})
    with pytest.raises(ValueError, match="not a page"):
        devices.ring("ana", json.loads("[]"))


@pytest.mark.parametrize(
    ("now", "monday"),
    [
        ("2026-11-21T03:00:00+00:00", date(2026, 11, 16)),
        ("2026-11-23T13:59:00+00:00", date(2026, 11, 16)),  # Monday 08:59 in New York
        ("2026-11-23T14:00:00+00:00", date(2026, 11, 23)),
    ],
)
def test_somebody_is_on_shift_whenever_the_demo_starts(tmp_path, now, monday):
    at = datetime.fromisoformat(now)
    assert ops.turn_began(at, ZoneInfo(ops.ZONE)) == monday
    ops.write(
        tmp_path, at, quietshift_url="http://127.0.0.1:8080", devices_url="http://127.0.0.1:8081", smtp_port=2525,
        shop_url="http://127.0.0.1:8082",
    )  # fmt: skip
    loaded, problems = read_ops(tmp_path)
    assert [str(p) for p in problems.found] == []
    schedules = loaded.get(Oncall)
    assert decide.who(schedules.get("payments"), at).users == (ops.FIRST,)
    assert decide.who(schedules.get("payments-backup"), at).users == (ops.SECOND,)
    text = (tmp_path / "alertmanager.yml").read_text()
    assert "group_wait: 0s" in text
    assert "group_interval: 2s" in text
