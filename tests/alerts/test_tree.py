"""The routing tree as `quietshift check` prints it."""

from quietshift.alerts.config import load
from quietshift.alerts.tree import draw
from quietshift.kernel.errors import Problems

TEXT = """\
route:
  receiver: hook
  group_by: [b, a]
  group_wait: 10s
  routes:
    - matchers: ['team="x"']
      receiver: pager
      continue: true
      mute_time_intervals: [nights]
      routes:
        - matchers: ['env!="prod"']
          receiver: hook
          repeat_interval: 1d
    - group_by: ['...']
receivers:
  - name: hook
    webhook_configs: [{url: 'http://x.invalid/'}]
  - name: pager
  - name: nobody
time_intervals: [{name: nights, time_intervals: []}]
"""


def test_the_tree_shows_what_each_route_changes() -> None:
    problems = Problems()
    config = load(TEXT.encode(), "alertmanager.yml", problems, {"pager": "storage"})
    assert not problems.errors
    assert list(draw(config)) == [
        " 2  every alert -> hook (webhook); by a, b; group_wait 10s; group_interval 5m; repeat_interval 4h",
        ' 6  ├─ {team="x"} -> pager (pages by policy storage); muted in nights; continues',
        '11  │  └─ {env!="prod"} -> hook (webhook); repeat_interval 1d',
        "14  └─ {} -> hook (webhook); by all labels",
    ]
