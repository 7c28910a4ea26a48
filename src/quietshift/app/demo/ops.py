"""The demo's ops directory: the example of `quietshift init`, with short delays, and devices that are on this machine."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from quietshift.app.init_command import write_example

ZONE = "America/New_York"
FIRST, SECOND = "ana", "bo"
SECOND_AFTER = 10  # seconds until the second person is called


def write(directory: Path, now: datetime, *, quietshift_url: str, devices_url: str, smtp_port: int, shop_url: str) -> None:
    """Write it. Ana is on shift for Payments at `now`, Bo is the backup; Ana has a phone, Bo has mail first."""
    write_example(directory)
    start = turn_began(now, ZoneInfo(ZONE)).isoformat()
    files = {
        "quietshift.yaml": _SETTINGS.format(url=quietshift_url, smtp=smtp_port),
        "alertmanager.yml": (directory / "alertmanager.yml").read_text().replace("group_wait: 10s ", "group_wait: 0s  ").replace(
            "group_interval: 1m ", "group_interval: 2s "
        ),
        "oncall/payments.yaml": _PAYMENTS.format(zone=ZONE, start=start, first=FIRST, second=SECOND, after=SECOND_AFTER),
        "oncall/contacts.yaml": "---\n".join(
            [_PHONE_FIRST.format(user=FIRST, devices=devices_url), _MAIL_FIRST.format(user=SECOND, devices=devices_url)]
            + [_MAIL_FIRST.format(user=user, devices=devices_url) for user in ("chen", "dee", "eli", "fay")]
        ),
        "runbooks/CheckoutFailing.md": _RUNBOOK.format(shop=shop_url, devices=devices_url),
    }  # fmt: skip
    for name, text in files.items():
        (directory / name).write_text(text)


def turn_began(now: datetime, zone: ZoneInfo) -> date:
    """The Monday at whose 09:00 the weekly turn that runs at `now` began."""
    local = now.astimezone(zone) - timedelta(hours=9)
    return local.date() - timedelta(days=local.weekday())


_SETTINGS = """\
external_url: {url}
smtp_smarthost: 127.0.0.1:{smtp}
smtp_tls: none
smtp_from: quietshift@example.org
receivers:
  payments: {{escalation_policy: payments}}
  web: {{escalation_policy: web}}
  storage: {{escalation_policy: storage}}
  unrouted: {{escalation_policy: unrouted}}
"""
_PAYMENTS = """\
apiVersion: quietshift.dev/v1
kind: Schedule
metadata: {{name: payments}}
spec:
  owner: group:payments
  timeZone: {zone}
  layers:
    - name: weekly
      rotation: {{unit: week, every: 1, handoff: "Mon 09:00", start: {start}}}
      users: [{first}, {second}]
---
apiVersion: quietshift.dev/v1
kind: Schedule
metadata: {{name: payments-backup}}
spec:
  owner: group:payments
  timeZone: {zone}
  layers:
    - name: weekly
      rotation: {{unit: week, every: 1, handoff: "Mon 09:00", start: {start}}}
      users: [{second}, {first}]
---
apiVersion: quietshift.dev/v1
kind: EscalationPolicy
metadata: {{name: payments}}
spec:
  owner: group:payments
  repeat: 3
  steps:
    - {{after: 0s, targets: [schedule:payments]}}
    - {{after: {after}s, targets: [schedule:payments-backup]}}
    - {{after: 1m, targets: [group:payments]}}
"""
_PHONE_FIRST = """\
apiVersion: quietshift.dev/v1
kind: Contacts
metadata: {{name: {user}}}
spec:
  rules:
    - {{after: 0s, via: "{devices}/phone/{user}"}}
    - {{after: 20s, via: "mailto:{user}@example.org"}}
"""
_MAIL_FIRST = """\
apiVersion: quietshift.dev/v1
kind: Contacts
metadata: {{name: {user}}}
spec:
  rules:
    - {{after: 0s, via: "mailto:{user}@example.org"}}
    - {{after: 10s, via: "{devices}/phone/{user}"}}
"""
_RUNBOOK = """\
# Checkout fails

## Meaning

Customers who press "Buy" get an error. Each minute costs orders.

## What to do

1. Look what became of the last orders:

   ```sh {{ name=orders interactive=false }}
   curl -s {shop}/metrics | grep checkout_requests_total
   ```

2. Mend the shop: its payment gateway is switched off, the switch is on [the demo's page]({devices}).
3. Place an order yourself:

   ```sh {{ name=order interactive=false }}
   curl -i -X POST {shop}/checkout
   ```
"""
