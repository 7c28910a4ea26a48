"""What the browser is sent: small, ours or accounted for, readable in both schemes, and nothing a strict policy forbids."""

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from tests.browser import gallery

VENDORED = [gallery.STATIC / "vendor", Path(__file__).parent / "vendor"]
TEMPLATES = sorted((gallery.APP / "templates").glob("*.html"))


def size(pattern: str) -> int:
    return sum(file.stat().st_size for file in gallery.STATIC.rglob(pattern))


def test_styles_and_scripts_stay_small() -> None:
    assert size("*.css") <= 32_000
    assert size("*.js") <= 60_000


@pytest.mark.parametrize("folder", VENDORED, ids=["static", "tests"])
def test_everything_written_elsewhere_is_on_record(folder: Path) -> None:
    record = folder / "vendored.toml"
    assets = tomllib.loads(record.read_text())["asset"]
    accounted = {record.name}
    for asset in assets:
        accounted |= {asset["file"], *(file.name for file in folder.glob(asset["licence_file"] + "*"))}
        assert hashlib.sha256((folder / asset["file"]).read_bytes()).hexdigest() == asset["sha256"], asset["file"]
        assert (folder / asset["licence_file"]).stat().st_size > 200
        assert asset["version"] in asset["source"]
    assert {file.name for file in folder.iterdir()} == accounted


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.stem)
def test_template_holds_nothing_the_policy_forbids(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|hx-on|javascript:|<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", text), "a foreign host"


@pytest.mark.parametrize("name", gallery.PAGES)
def test_every_id_is_there_once_and_every_post_form_has_one(name: str) -> None:
    text = gallery.render(name)
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert sorted(ids) == sorted(set(ids))
    unnamed = [form for form in re.findall(r'<form method="post"[^>]*>', text) if " id=" not in form and "/sign-out" not in form]
    assert unnamed == []


PARTS = {"base.html", "macros.html", "changes.html"}  # of others


def test_a_template_is_never_left_unseen() -> None:
    shown = {template for template, _ in gallery.PAGES.values()}
    assert shown == {file.name for file in TEMPLATES} - PARTS - {"whatif.html"}  # test_real_pages.py shows that one


def test_what_people_wrote_is_escaped() -> None:
    template, context = gallery.PAGES["incident"]
    filled = context()
    filled["incident"]["title"] = "<img src=x onerror=alert(1)>"
    filled["timeline"][0]["note"] = '"><script>alert(1)</script>'
    text = gallery.environment().get_template(template).render(filled)
    assert "<img src=x" not in text
    assert "<script>alert" not in text


# ---- colours ----


def tokens(scheme: str) -> dict[str, str]:
    text = (gallery.STATIC / "tokens.css").read_text()
    light, dark = text.split("@media (prefers-color-scheme: dark)", 1)
    found = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", light))
    return found if scheme == "light" else found | dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", dark))


def luminance(colour: str) -> float:
    """Relative luminance. Source: WCAG 2.2, "relative luminance"."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


TEXT = [
    *((ink, paper) for ink in ("text", "muted", "accent", "hurt", "will") for paper in ("ground", "surface")),
    *((ink, paper) for ink in ("text", "muted") for paper in ("sunken",)),
    ("text", "button"), ("text", "button-hover"), ("accent", "accent-tint"), ("hurt", "hurt-tint"), ("will", "will-tint"),
    ("on-accent", "accent"), ("on-accent", "accent-strong"), ("on-hurt", "hurt-strong"), ("on-will", "will-strong"),
    ("bar-text", "bar"),
]  # fmt: skip
SHAPES = [*((ink, paper) for ink in ("line-ui", "accent", "bar-edge", "bar-strong", "hurt") for paper in ("ground", "surface")),
          ("chart", "surface"), ("chart-night", "surface")]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_told_apart(scheme: str) -> None:
    colours = tokens(scheme)
    faint = [f"{a} on {b}: {contrast(colours[a], colours[b]):.2f}" for a, b in TEXT if contrast(colours[a], colours[b]) < 4.5]
    faint += [f"{a} on {b}: {contrast(colours[a], colours[b]):.2f}" for a, b in SHAPES if contrast(colours[a], colours[b]) < 3]
    assert faint == []


def test_colours_and_sizes_are_chosen_in_one_file() -> None:
    styles = (gallery.STATIC / "app.css").read_text()
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[;\s])", styles) == []
    loose = set(re.findall(r"font(?:-size)?:[^;/]*?([\d.]+(?:px|rem))", styles)) - {"12px"}  # 12px: shapes in a disc, no text
    assert loose == set()
