"""`quietshift catalog`: reads an ops directory; needs no server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from quietshift.kernel.terminal import output_option, show_json, show_table

if TYPE_CHECKING:
    from quietshift.catalog.model import Catalog

ops_option = click.option(
    "--ops",
    type=click.Path(path_type=Path),
    envvar="QUIETSHIFT_OPS",
    default=".",
    show_default="QUIETSHIFT_OPS, else this directory",
    help="The ops directory.",
)


@click.group()
def catalog() -> None:
    """Who owns what, as the Backstage descriptors of an ops directory say: the files are read, no server is asked (its catalog is
    at GET /api/v1/catalog)."""


@catalog.command()
@click.argument("ref", required=False)
@ops_option
@output_option
def get(ref: str | None, ops: Path, output: str) -> None:
    """Show what REF ([kind:][namespace/]name, a Component unless it names its kind) is; without it, list everything."""
    from quietshift.catalog import answers

    loaded = _read(ops)
    if ref is None:
        found = answers.entities(loaded)
        columns = ("ref", "type", "lifecycle", "owner", "title")
        rows = ([entity.get(column) or entity.get("display_name") for column in columns] for entity in found)
        show_json(found) if output == "json" else show_table(columns, rows, f"no descriptors in {ops / 'catalog'}")
        return
    entity = answers.entity(loaded, loaded.get(ref, "component"))
    if output == "json":
        show_json(entity)
    else:
        entity["place"] = f"{entity.pop('file')}:{entity.pop('line')}"
        show_table(("", str(entity["ref"])), ((key, _text(value)) for key, value in entity.items() if value))


@catalog.command()
@ops_option
@output_option
def owners(ops: Path, output: str) -> None:
    """List whatever can be owned, with who answers for it; what nobody owns comes first."""
    from quietshift.catalog import answers

    found = answers.owners(_read(ops))
    if output == "json":
        show_json(found)
    else:
        rows = ([row["ref"], row["owner"] or "nobody", ", ".join(row["people"])] for row in found)
        show_table(("ref", "owner", "people"), rows, f"nothing that can be owned in {ops / 'catalog'}")


def _read(ops: Path) -> Catalog:
    """The catalog of an ops directory. Raises ConfigError with every error found."""
    from quietshift.catalog.config import part
    from quietshift.catalog.model import Catalog
    from quietshift.kernel.ops import read

    loaded, problems = read(ops, [part], whole=False)
    problems.raise_errors()
    return loaded.get(Catalog)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={text}" for key, text in value.items())
    if isinstance(value, list):
        return ", ".join(item["url"] if isinstance(item, dict) else str(item) for item in value)
    return str(value)
