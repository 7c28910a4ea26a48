"""Policies and contacts are read as people write them; what is wrong is named with file and line."""

from datetime import timedelta
from textwrap import dedent

from quietshift.catalog.config import load as load_catalog
from quietshift.kernel.config import parse_documents
from quietshift.kernel.errors import Problems
from quietshift.kernel.ops import OpsFiles, read
from quietshift.oncall.config import load as load_oncall
from quietshift.paging import config
from quietshift.paging.model import PagingConfig, Policy

CATALOG = """\
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: storage}
spec: {type: team, children: [], members: [ana, bo, chen]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: ana}
spec: {memberOf: [storage]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: bo}
spec: {memberOf: [storage], profile: {email: bo@example.net}}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: chen}
spec: {memberOf: [storage]}
"""

# the shapes to keep, as they are promised to people who write them by hand
PROMISED = """\
apiVersion: quietshift.dev/v1
kind: Schedule
metadata: {name: storage}
spec:
  owner: group:storage
  timeZone: Europe/Berlin
  layers:
    - name: weekly
      rotation: {unit: week, every: 1, handoff: "Mon 09:00", start: 2026-01-05}
      users: [ana, bo, chen]
---
apiVersion: quietshift.dev/v1
kind: Schedule
metadata: {name: storage-backup}
spec:
  owner: group:storage
  timeZone: Europe/Berlin
  layers:
    - name: weekly
      rotation: {unit: week, every: 1, handoff: "Mon 09:00", start: 2026-01-05}
      users: [bo, chen, ana]
---
apiVersion: quietshift.dev/v1
kind: EscalationPolicy
metadata: {name: storage}
spec:
  owner: group:storage
  repeat: 3
  steps:                                    # after: time since the step before
    - {after: 0s, targets: [schedule:storage]}
    - {after: 5m, targets: [schedule:storage-backup, user:ana]}
---
apiVersion: quietshift.dev/v1
kind: Contacts
metadata: {name: ana}
spec:
  rules:                                    # after: time since the page was due
    - {after: 0s, via: "mailto:ana@example.org"}
    - {after: 1m, via: "ntfys://ntfy.example.org/ana"}
"""


def load(text):
    problems = Problems()
    catalog = load_catalog(parse_documents(CATALOG.encode(), "catalog.yaml", problems), problems)
    documents = parse_documents(dedent(text).encode(), "p.yaml", problems)
    by_kind = {}
    for node in documents:
        by_kind.setdefault(node.entries()["kind"].text(), []).append(node)
    oncall = load_oncall(by_kind.get("Schedule", []), problems, catalog)
    found = config.load(by_kind.get("EscalationPolicy", []), by_kind.get("Contacts", []), problems, catalog, oncall)
    return found, [str(p) for p in problems.errors]


def policy(spec):
    head = "apiVersion: quietshift.dev/v1\nkind: EscalationPolicy\nmetadata: {name: storage}\nspec:\n"
    return load(head + "".join(f"  {line}\n" for line in dedent(spec).strip().splitlines()))


def test_the_promised_shapes_are_read():
    found, errors = load(PROMISED)
    assert errors == []
    storage = found.policy("storage")
    assert storage.rounds == 4
    assert [(s.after, [str(t) for t in s.targets]) for s in storage.steps] == [
        (timedelta(), ["schedule:storage"]), (timedelta(minutes=5), ["schedule:storage-backup", "user:ana"]),
    ]  # fmt: skip
    assert [str(t) for t in storage.last_resort] == ["group:storage"]
    assert [(r.after, r.via) for r in found.contacts["ana"]] == [
        (timedelta(), "mailto:ana@example.org"), (timedelta(minutes=1), "ntfys://ntfy.example.org/ana"),
    ]  # fmt: skip
    assert (storage.file, storage.line) == ("p.yaml", 23)


def test_who_has_no_contacts_is_reached_at_the_address_that_the_catalog_gives():
    found, _ = load(PROMISED)
    assert [(r.after, r.via) for r in found.contacts["bo"]] == [(timedelta(), "mailto:bo@example.net")]
    assert "chen" not in found.contacts


def test_check_warns_of_people_whom_a_policy_may_call_and_nothing_reaches():
    problems = Problems()
    catalog = load_catalog(parse_documents(CATALOG.encode(), "catalog.yaml", problems), problems)
    nodes = parse_documents(PROMISED.encode(), "p.yaml", problems)
    oncall = load_oncall(nodes[:2], problems, catalog)
    config.load(nodes[2:3], nodes[3:], problems, catalog, oncall)
    [warning] = [str(p) for p in problems.warnings if "may call" in p.message]
    assert warning.startswith("p.yaml:23: warning: escalation policy storage may call chen: without Contacts")


def test_a_policy_survives_being_kept():
    storage = load(PROMISED)[0].policy("storage")
    assert Policy.from_json(storage.as_json()) == storage


def test_what_is_wrong_with_a_policy_is_named_with_its_line():
    _, errors = policy("""\
        owner: group:nobody
        repeat: -1
        step: []
        steps:
          - {after: soon, targets: [schedule:none]}
          - {after: 1m, targets: [user:zoe, ana, user:ana, user:ana]}
          - {after: 1m}
        fallback: []
    """)
    assert errors == [
        "p.yaml:5: spec.owner: group:default/nobody is not in the catalog",
        "p.yaml:6: spec.repeat: has to be 0 or more, not -1",
        "p.yaml:7: spec.step: unknown key (did you mean steps?)",
        "p.yaml:9: spec.steps[0].after: not a duration: 'soon' (write it like 30s, 5m, 1h30m, 7d)",
        "p.yaml:9: spec.steps[0].targets[0]: there is no schedule 'none' (schedules: none)",
        "p.yaml:10: spec.steps[1].targets[0]: user:zoe is not in the catalog",
        "p.yaml:10: spec.steps[1].targets[1]: 'ana' is no target: write user:NAME, schedule:NAME or group:NAME",
        "p.yaml:10: spec.steps[1].targets[3]: user:ana is there already",
        "p.yaml:11: spec.steps[2].targets: a step needs targets: user:NAME, schedule:NAME or group:NAME",
        "p.yaml:12: spec.fallback: is empty: leave it out to have everybody of the owner called",
    ]


def test_a_policy_without_steps_or_owner_is_none():
    assert policy("repeat: 1")[1] == [
        "p.yaml:5: spec.owner: is required",
        "p.yaml:5: spec.steps: a policy needs steps: nobody would ever be called",
    ]
    bare = "apiVersion: quietshift.dev/v1\nkind: EscalationPolicy\nmetadata: {name: x}\n"
    assert load(bare)[1] == ["p.yaml:1: spec: is required"]
    assert policy("owner: component:x\nsteps: [{targets: [user:ana]}]")[1] == [
        "p.yaml:5: spec.owner: has to be a Group or a User, not component:default/x"
    ]


def test_a_policy_written_twice_names_both_places():
    one = "apiVersion: quietshift.dev/v1\nkind: EscalationPolicy\nmetadata: {name: s}\n"
    one += "spec: {owner: storage, steps: [{targets: [user:ana]}]}\n"
    assert load(one + "---\n" + one)[1] == ["p.yaml:6: escalation policy s is written twice, first at p.yaml:1"]


def test_what_is_wrong_with_contacts_is_named_with_its_line_and_without_a_secret():
    _, errors = load("""\
        apiVersion: quietshift.dev/v1
        kind: Contacts
        metadata: {name: zoe}
        spec:
          rules:
            - {via: "tel:+4930123456"}
            - {after: 1m}
            - {after: 8d, via: "mailto:ana"}
            - {after: 0s, via: "https://:hush@/"}
    """)
    assert errors == [
        "p.yaml:3: metadata.name: the catalog has no User 'zoe'",
        "p.yaml:6: spec.rules[0].via: tel: is not supported (supported: mailto:, http:, https:, ntfy:, ntfys:, slack:, discord:, "
        "msteams:, pushover:, telegram:)",
        "p.yaml:7: spec.rules[1].via: is required",
        "p.yaml:8: spec.rules[2].after: is longer than a week",
        "p.yaml:8: spec.rules[2].via: not a mail address: expected one like ana@example.org",
        "p.yaml:9: spec.rules[3].via: not a URL: the host is missing (write https://host/path)",
    ]
    one = "apiVersion: quietshift.dev/v1\nkind: Contacts\nmetadata: {name: ana}\nspec: {rules: [{via: 'mailto:a@b.c'}]}\n"
    assert load(one + "---\n" + one)[1] == ["p.yaml:6: the contacts of ana are written twice"]
    empty = one.replace("[{via: 'mailto:a@b.c'}]", "[]")
    assert load(empty)[1] == ["p.yaml:4: spec.rules: contacts need rules: {after: 0s, via: ...}"]


def test_the_part_reads_an_ops_directory(tmp_path):
    from quietshift.catalog import config as catalog_config
    from quietshift.oncall import config as oncall_config

    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "all.yaml").write_text(CATALOG)
    (tmp_path / "oncall").mkdir()
    (tmp_path / "oncall" / "storage.yaml").write_text(PROMISED)
    loaded, problems = read(tmp_path, [catalog_config.part, oncall_config.part, config.part])
    assert problems.errors == []
    assert set(loaded.get(PagingConfig).policies) == {"storage"}
    assert OpsFiles(tmp_path, problems).documents == []
