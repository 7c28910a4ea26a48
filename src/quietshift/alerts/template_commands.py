"""`quietshift alerts template render`: what a notification template gives, by the files alone, no server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quietshift.alerts.commands import alerts

if TYPE_CHECKING:
    from quietshift.channels.gotemplate import Templates

SAMPLE: dict[str, Any] = {
    "receiver": "team", "status": "firing", "externalURL": "https://quietshift.example.org",
    "groupLabels": {"alertname": "DiskFull"}, "commonLabels": {"alertname": "DiskFull", "severity": "critical"},
    "commonAnnotations": {"summary": "A disk is nearly full"},
    "alerts": [
        {
            "status": status, "labels": {"alertname": "DiskFull", "severity": "critical", "instance": instance},
            "annotations": {"summary": "A disk is nearly full"}, "startsAt": "2026-01-02T03:04:05Z", "endsAt": ends_at,
            "generatorURL": "https://prometheus.example.org/graph", "fingerprint": fingerprint,
        }
        for status, instance, ends_at, fingerprint in (
            ("firing", "db1:9100", "0001-01-01T00:00:00Z", "1b8a5c8e5f2d9a01"),
            ("resolved", "db2:9100", "2026-01-02T03:24:05Z", "c3d2a77be1904f02"),
        )
    ],
}  # fmt: skip


@alerts.group()
def template() -> None:
    """Notification templates."""


@template.command()
@click.option("--text", "--template.text", required=True, metavar="TEMPLATE", help="As in a receiver's field.")
@click.option("--html", "as_html", is_flag=True, help="As HTML, values escaped; else as text.")
@click.option("--config", type=click.Path(path_type=Path), help="With the templates of this alertmanager.yml.")
@click.option("--glob", "--template.glob", "globs", multiple=True, metavar="PATTERN", help="With those of these files.")
@click.option("--data", "--template.data", type=click.Path(path_type=Path),
              help="The group, JSON like a webhook's body. Default: a sample of two alerts.")  # fmt: skip
def render(text: str, as_html: bool, config: Path | None, globs: tuple[str, ...], data: Path | None) -> None:
    """Show what a template gives, such as '{{ template "email.default.subject" . }}', or what is wrong with it and where."""
    from quietshift.channels.gotemplate import TemplateError

    known, group = _templates(config, globs), _group(data)
    try:
        known.check(text)
        click.echo(known.html(text, group) if as_html else known.text(text, group))
    except TemplateError as error:
        raise click.ClickException(str(error)) from None


def _templates(config: Path | None, globs: tuple[str, ...]) -> Templates:
    """Those that are built in, those of the configuration, those of the patterns. Raises ConfigError with every error."""
    from quietshift.alerts import templates
    from quietshift.alerts.config import load_file
    from quietshift.channels.gotemplate import Templates
    from quietshift.kernel.errors import Problems

    if config is not None and globs:
        raise click.UsageError("--config and --glob are two places to look: name one")
    problems = Problems()
    found = load_file(config, problems).templates if config else templates.of_patterns(globs, Path.cwd(), problems)
    problems.raise_errors()
    for warning in problems.warnings:
        click.echo(str(warning), err=True)
    return found or Templates.parse()


def _group(path: Path | None) -> Any:
    import msgspec

    from quietshift.channels.gotemplate import Data

    try:
        return Data.from_json(SAMPLE if path is None else msgspec.json.decode(path.read_bytes(), type=dict[str, Any]))
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise click.ClickException(f"{path}: {error}") from None
