"""What is written into a runbook cannot run, load from elsewhere, or lead astray when it is shown."""

import re

import pytest

from quietshift.runbooks import render
from quietshift.runbooks.config import parse


def html(text, name="X"):
    return render.body(parse(name, text))


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "[x](javascript:alert(1))",
        "[x](<java\nscript:alert(1)>)",
        '<a href="javascript:alert(1)">x</a>',
        '<a href="data:text/html,x">x</a>',
        '<div onclick="alert(1)" style="position:fixed">x</div>',
        "<iframe src=https://evil.example></iframe>",
        '<form action="/incidents/1/resolve" method="post"><button>x</button></form>',
        "<style>body{display:none}</style>",
        "<svg><script>alert(1)</script></svg>",
        "<base href=https://evil.example>",
        "<meta http-equiv=refresh content=0>",
        '![x](https://evil.example/pixel.png "t")',
        "[x](vbscript:x) [y](VBSCRIPT:x)",
        "```html\n<script>alert(1)</script>\n```",
    ],
)
def test_nothing_in_a_runbook_runs_or_loads(text):
    made = html(f"# T\n\n{text}\n")
    tags = set(re.findall(r"<\s*/?([a-z0-9]+)", made.lower()))
    assert tags <= render.TAGS
    assert not re.search(r"<[^>]+\s(on\w+|style|src|srcset)\s*=", made, re.I)
    for scheme in re.findall(r'href="([a-z]+):', made, re.I):
        assert scheme in render.SCHEMES


def test_the_title_is_left_to_the_page_and_tables_details_and_code_stay():
    folded = "<details><summary>more</summary>\n\nx\n</details>"
    made = html(f"# T\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n{folded}\n\n```sh\nls <dir>\n```\n")
    assert "<h1" not in made
    assert "<table>" in made
    assert "<summary>more</summary>" in made
    assert "<pre><code>ls &lt;dir&gt;" in made


def test_an_image_becomes_a_link_to_it():
    made = html("![The graph](https://example.org/g.png)")
    assert made == '<p><a href="https://example.org/g.png" rel="noopener noreferrer">image: The graph</a></p>'
    assert html("![here](g.png)") == "<p>image: here</p>"


@pytest.mark.parametrize(
    ("href", "leads"),
    [
        ("DiskWillFill.md", "/runbooks/storage/DiskWillFill"),
        ("../web/Slow.md#why", "/runbooks/web/Slow#md-why"),
        ("#why", "#md-why"),
        ("https://example.org/a", "https://example.org/a"),
        ("mailto:ana@example.org", "mailto:ana@example.org"),
        ("../../../etc/passwd", ""),
        ("../../catalog/a.md", ""),
        ("script.sh", ""),
        ("/runbooks/X", ""),
        ("ftp://example.org", ""),
        ("//evil.example/x", ""),
    ],
)
def test_links_lead_to_the_pages_of_other_runbooks_and_outside(href, leads):
    assert render.destination(href, "storage/X") == leads


def test_a_link_to_a_heading_finds_it():
    made = html("[down](#why-it-happens)\n\n## Why it happens?\n")
    assert 'href="#md-why-it-happens"' in made
    assert 'id="md-why-it-happens"' in made


def test_links_by_reference_work_within_a_step():
    book = parse("X", "1. Read [the docs][d]\n\n[d]: https://example.org/d\n")
    assert 'href="https://example.org/d"' in render.step_bodies(book)[0]
