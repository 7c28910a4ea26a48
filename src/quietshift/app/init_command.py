"""`quietshift init DIR`: a small working ops directory, as a beginning."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click

from quietshift.kernel.errors import Invalid

EXAMPLE = Path(__file__).parent / "example"


def write_example(directory: Path) -> list[Path]:
    """Copy the example; returns its files, relative to the directory.

    Raises Invalid, and writes nothing, where the directory is not empty or cannot be written.
    """
    if directory.exists() and not directory.is_dir():
        raise Invalid(f"{directory} is a file: name a directory that is new or empty")
    try:
        if directory.is_dir() and any(directory.iterdir()):
            raise Invalid(f"{directory} is not empty: nothing was written; name a directory that is new or empty")
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copytree(
            EXAMPLE, directory, dirs_exist_ok=True, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("__pycache__")
        )
    except OSError as error:
        raise Invalid(f"{directory} cannot be written: {os.strerror(error.errno or 0)}") from None
    return sorted(path.relative_to(directory) for path in directory.rglob("*") if path.is_file())


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
def init(directory: Path) -> None:
    """Write a small working ops directory: three teams, their services, schedules and runbooks."""
    for path in write_example(directory):
        click.echo(f"  {directory / path}")
    click.echo(f"\nNext:\n  quietshift check {directory}\n  quietshift serve --ops {directory} --db quietshift.db")
