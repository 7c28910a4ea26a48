"""`check` names each runbook, and each link to one, that leads nowhere."""

from textwrap import dedent

import pytest

from quietshift.catalog import config as catalog
from quietshift.kernel.ops import read
from quietshift.runbooks import config
from quietshift.runbooks.model import Runbooks

COMPONENT = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: Checkout
  annotations:
    quietshift.dev/runbook: {runbook}
spec: {{type: service, lifecycle: production, owner: web}}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {{name: web}}
spec: {{type: team, children: []}}
"""
PLACE = "catalog/c.yaml:6: metadata.annotations.quietshift.dev/runbook"


@pytest.fixture
def ops(tmp_path):
    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path = path.with_suffix(".yaml" if "catalog" in name else ".md")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
        loaded, problems = read(tmp_path, (catalog.part, config.part))
        return loaded.get(Runbooks), [str(p) for p in problems.errors], [str(p) for p in problems.warnings]

    return write


def test_runbooks_are_named_by_their_path_and_may_link_each_other(ops):
    runbooks, errors, warnings = ops(
        runbooks__A="# A title\n1. look at [B](web/B.md#x)\n", runbooks__web__B="see [A](../A.md), [web](https://example.org/no.md)\n"
    )
    assert (errors, warnings) == ([], [])
    assert {name: book.title for name, book in runbooks.by_name.items()} == {"A": "A title", "web/B": "B"}
    assert runbooks.get("web/B").file == "runbooks/web/B.md"


def test_a_link_that_leads_nowhere_is_an_error_at_its_line(ops):
    _, errors, warnings = ops(runbooks__A="# A\n\none\n[b](B.md) and [shared](../../../elsewhere.md)\n")
    assert errors == ["runbooks/A.md:4: the link B.md leads nowhere: there is no runbooks/B.md"]
    assert warnings == ["runbooks/A.md:4: warning: the link ../../../elsewhere.md leaves the ops directory: it is shown as text"]


def test_a_component_may_name_its_runbook_and_a_wrong_name_is_an_error_at_its_line(ops):
    runbooks, errors, _ = ops(runbooks__A="# A\n", catalog__c=COMPONENT.format(runbook="runbooks/A.md"))
    assert errors == []
    assert runbooks.of_component == {"component:default/checkout": "A"}
    _, errors, _ = ops(catalog__c=COMPONENT.format(runbook="runbooks/B.md"))
    assert len(errors) == 1
    assert errors[0].startswith(f"{PLACE}: there is no runbook 'runbooks/B.md'")


def test_only_components_have_runbooks(ops):
    _, errors, _ = ops(runbooks__A="# A\n", catalog__c=COMPONENT.format(runbook="A").replace("Component", "Resource"))
    assert errors == [f"{PLACE}: only a Component's runbook is shown, not a Resource's"]


def test_what_cannot_be_read_is_told_with_its_place(ops):
    fence = "1. x\n   ```sh { name=y\n   ```\n"
    _, errors, warnings = ops(runbooks__A=b"# A\n\xff\n", runbooks__B=fence, runbooks__C="", runbooks__d__C="")
    assert errors == ["runbooks/A.md:2: is not UTF-8"]
    assert warnings == [
        "runbooks/B.md:2: warning: the fence's attributes are not closed: expected }",
        "runbooks/d/C.md: warning: the alert C has two runbooks of its name; runbooks/C.md is shown",
    ]


def test_a_directory_without_runbooks_is_fine(ops):
    runbooks, errors, warnings = ops(catalog__g=COMPONENT.format(runbook="A").partition("---")[2])
    assert (dict(runbooks.by_name), errors, warnings) == ({}, [], [])
