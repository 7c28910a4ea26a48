"""`quietshift catalog` reads an ops directory and needs no server."""

import json

import pytest
from click.testing import CliRunner

from quietshift.catalog.commands import catalog
from quietshift.kernel.errors import ConfigError, NotFound

ENTITY = "apiVersion: backstage.io/v1alpha1\nkind: {}\nmetadata: {{name: {}}}\nspec: {}\n"
CATALOG = "---\n".join(
    [
        ENTITY.format("Group", "storage", "{type: team, children: [], members: [ana], profile: {displayName: Storage}}"),
        ENTITY.format("User", "ana", "{memberOf: [], profile: {email: ana@example.org}}"),
        ENTITY.format("Component", "gitaly", "{type: service, lifecycle: production, owner: storage, dependsOn: [resource:db]}"),
        ENTITY.format("Resource", "db", "{type: database}"),
    ]
)


@pytest.fixture
def ops(tmp_path):
    (tmp_path / "catalog" / "teams").mkdir(parents=True)
    (tmp_path / "catalog" / "teams" / "all.yml").write_text(CATALOG)
    (tmp_path / "oncall").mkdir()
    (tmp_path / "oncall" / "all.yaml").write_text("apiVersion: quietshift.dev/v1\nkind: Schedule\n")
    return tmp_path


def run(*arguments, **options):
    return CliRunner().invoke(catalog, [str(argument) for argument in arguments], **options)


def test_get_shows_one_entity_whole(ops):
    found = json.loads(run("get", "Gitaly", "--ops", ops, "-o", "json").stdout)
    assert found["ref"] == "component:default/gitaly"
    assert (found["owner"], found["depends_on"], found["lifecycle"]) == (
        "group:default/storage",
        ["resource:default/db"],
        "production",
    )
    assert (found["file"].endswith("catalog/teams/all.yml"), found["line"]) == (True, 11)
    group = json.loads(run("get", "group:storage", "--ops", ops, "-o", "json").stdout)
    assert (group["members"], group["display_name"]) == (["ana"], "Storage")
    user = json.loads(run("get", "user:ana", "--ops", ops, "-o", "json").stdout)
    assert (user["groups"], user["email"]) == (["group:default/storage"], "ana@example.org")
    assert json.loads(run("get", "resource:db", "--ops", ops, "-o", "json").stdout)["dependents"] == ["component:default/gitaly"]


def test_get_lists_everything_and_tables_name_it_too(ops):
    refs = ["component:default/gitaly", "group:default/storage", "resource:default/db", "user:default/ana"]
    assert [entity["ref"] for entity in json.loads(run("get", "--ops", ops, "-o", "json").stdout)] == refs
    table = run("get", env={"QUIETSHIFT_OPS": str(ops)}).stdout
    assert all(ref in table for ref in refs)
    assert "resource:default/db" in run("get", "gitaly", "--ops", ops).stdout


def test_owners_lists_what_nobody_owns_first(ops):
    found = json.loads(run("owners", "--ops", ops, "-o", "json").stdout)
    assert [(row["ref"], row["owner"], row["people"]) for row in found] == [
        ("resource:default/db", None, []),
        ("component:default/gitaly", "group:default/storage", ["ana"]),
    ]
    assert "nobody" in run("owners", "--ops", ops).stdout


def test_what_is_wrong_is_said(ops):
    assert isinstance(run("get", "zoekt", "--ops", ops).exception, NotFound)
    (ops / "catalog" / "teams" / "all.yml").write_text(CATALOG.replace("owner: storage", "owner: strage"))
    error = run("owners", "--ops", ops).exception
    assert isinstance(error, ConfigError)
    assert str(error) == "catalog/teams/all.yml:14: spec.owner: group:default/strage is not in the catalog"
    missing = run("get", "--ops", ops / "nowhere").exception
    assert "nowhere: is not a directory" in str(missing)
