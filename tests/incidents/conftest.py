"""A real database of each kind, an ops directory, and what the incident desk's verbs need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from quietshift.app import parts
from quietshift.app.wire import load_tables
from quietshift.kernel.db import Database
from quietshift.kernel.ops import Loaded
from quietshift.kernel.settings import Settings, load_settings

FILES = {
    "catalog/all.yaml": """\
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: storage}
spec: {type: team, children: [], members: [ana, bo]}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: web}
spec: {type: team, children: [], members: [bo]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: ana}
spec: {memberOf: [storage]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: bo}
spec: {memberOf: [web]}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: gitaly}
spec: {type: service, lifecycle: production, owner: group:web}
""",
    "oncall/all.yaml": """\
apiVersion: quietshift.dev/v1
kind: EscalationPolicy
metadata: {name: storage}
spec: {owner: "group:storage", steps: [{after: 0s, targets: ["user:ana"]}, {after: 5m, targets: ["user:bo"]}]}
---
apiVersion: quietshift.dev/v1
kind: Contacts
metadata: {name: ana}
spec: {rules: [{after: 0s, via: "http://127.0.0.1:9/ana"}]}
---
apiVersion: quietshift.dev/v1
kind: Contacts
metadata: {name: bo}
spec: {rules: [{after: 0s, via: "http://127.0.0.1:9/bo"}]}
""",
    "alertmanager.yml": """\
route: {receiver: storage, group_by: [alertname], routes: [{receiver: quiet, matchers: ['team="quiet"']}]}
receivers: [{name: storage}, {name: quiet}]
""",
    "quietshift.yaml": "receivers: {storage: {escalation_policy: storage}}\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "ops" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "ops"


@pytest.fixture
def ops(root: Path) -> Loaded:
    loaded, problems = parts.read_ops(root)
    problems.raise_errors()
    return loaded


@pytest.fixture
def options() -> Settings:
    return load_settings({}, {})


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    load_tables()
    from quietshift.kernel.schema import metadata

    database = Database.open(database_url)
    metadata.create_all(database.raw_engine())
    yield database
    database.close()
