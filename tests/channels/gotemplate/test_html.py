"""What a value becomes in its place of a page, and the mail that is built in."""

import re
from html.parser import HTMLParser

import pytest

from quietshift.channels.gotemplate import Data, Templates

TEMPLATES = Templates.parse()
NASTY = "<script>alert(1)</script>\"'`&+ javascript:x"


def data(value: str = NASTY, **more: object) -> Data:
    labels = {"alertname": "Disk", "x": value}
    alert = {
        "status": "firing", "labels": labels | {"host": "db1"},
        "annotations": {"summary": value, "link": "https://wiki/x?a=1&b=2"},
        "startsAt": "2024-01-02T03:04:05Z", "generatorURL": "javascript:alert(1)",
    }  # fmt: skip
    body = {
        "receiver": r"te\.am", "status": "firing", "externalURL": "https://qs", "groupLabels": {"alertname": "Disk"},
        "commonLabels": labels, "commonAnnotations": alert["annotations"], "alerts": [alert],
    }  # fmt: skip
    return Data.from_json(body | more)


VECTORS = [
    ("<p>%</p>", "a<b", "<p>a&lt;b</p>"),
    ('<a href="%">', "javascript:alert(1)", '<a href="#ZgotmplZ">'),
    ('<a href="%">', "https://x/a b?c=d&e='", '<a href="https://x/a%20b?c=d&amp;e=%27">'),
    ('<a href="/x?q=%">', "a b&c=d/", '<a href="/x?q=a%20b%26c%3dd%2f">'),
    ("<b title=%>", "a b>", "<b title=a&#32;b&gt;>"),
    ('<p style="color: %">', "#ff0000", '<p style="color: #ff0000">'),
    ('<p style="color: %">', "red; background: url(//evil)", '<p style="color: ZgotmplZ">'),
    ('<p style="color: %">', "expression(alert(1))", '<p style="color: ZgotmplZ">'),
    ("<style>p{font:'%'}</style>", "a'}</style>", "<style>p{font:'a\\27 \\7d \\3c /style\\3e '}</style>"),
    ("<style>p{background:url(%)}</style>", "javascript:x", "<style>p{background:url(ZgotmplZ)}</style>"),
    ("<script>f('%')</script>", "';alert(1)//", "<script>f('\\u0027\\u003balert\\u00281\\u0029\\u002f\\u002f')</script>"),
    ("<script>f(%)</script>", "</script>", '<script>f( "\\u003c\\u002fscript\\u003e" )</script>'),
    ("<script>/* % */</script>", "*/alert(1)", "<script>/*  */</script>"),
    ('<a onclick="f(%)">', '"a', '<a onclick="f( &#34;\\u0022a&#34; )">'),
    ("<!-- % -->x", "--><script>", "x"),
    ("<title>%</title>", "</title>", "<title>&lt;/title&gt;</title>"),
    ("<p % >", "onclick", "<p ZgotmplZ >"),
    ("a < b", "", "a &lt; b"),
]  # fmt: skip


@pytest.mark.parametrize(("page", "value", "expected"), VECTORS)
def test_a_value_is_escaped_for_its_place(page, value, expected):
    assert TEMPLATES.html(page.replace("%", "{{ .CommonLabels.x }}"), data(value)) == expected


def test_what_is_declared_safe_is_left_and_what_is_encoded_is_not_encoded_twice():
    assert TEMPLATES.html('{{ safeHtml "<b>" }}{{ "<b>" | html }}', data()) == "<b>&lt;b&gt;"
    assert TEMPLATES.html('<a href="{{ safeUrl "tel:1" }}">', data()) == '<a href="tel:1">'
    assert TEMPLATES.html('<a href="{{ "/x?a=1&b=2" | html }}">', data()) == '<a href="/x?a=1&amp;b=2">'
    assert TEMPLATES.html('<b title="{{ "a+<" | html }}">', data()) == '<b title="a+&lt;">'
    assert TEMPLATES.html('<a href="/?a={{ "b c" | urlquery }}">', data()) == '<a href="/?a=b&#43;c">'


def test_the_place_is_followed_through_templates():
    define = '{{ define "v" }}{{ .CommonLabels.x }}{{ end }}'
    page = define + '<a title="{{ template "v" . }}" href="{{ template "v" . }}">{{ template "v" . }}</a>'
    assert TEMPLATES.html(page, data("javascript:'")) == (
        '<a title="javascript:&#39;" href="#ZgotmplZ">javascript:&#39;</a>'
    )


class _Page(HTMLParser):
    """What a browser sees of it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.addresses, self.shown = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("href", "src", "background")]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, text: str) -> None:
        self.shown += text


def test_the_mail_tells_everything_and_loads_nothing():
    page = TEMPLATES.html('{{ template "email.default.html" . }}', data())
    seen = _Page(page)
    for word in ("1 FIRING", "Disk", "db1", NASTY, "2 Jan 2024, 03:04:05 UTC", "te.am"):
        assert word in seen.shown, word
    assert seen.addresses == ["https://wiki/x?a=1&b=2", "https://qs/#/alerts?receiver=te%5C.am", "https://qs"]
    assert not {"script", "img", "link", "iframe"} & set(seen.tags)
    assert "url(" not in page
    assert "@import" not in page
    assert "ZgotmplZ" not in page


def test_a_mail_shows_forty_alerts_and_counts_the_rest():
    alert = {"status": "firing", "labels": {"a": "b" * 100}, "startsAt": "2024-01-02T03:04:05Z"}
    page = TEMPLATES.html('{{ template "email.default.html" . }}', data(alerts=[alert] * 1234))
    assert page.count("● Firing") == 40
    assert "and 1194 more that are firing" in page
    assert len(page) < 100_000


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_mail_of_any_group_is_whole(count):
    alert = {"status": "resolved", "labels": {}, "startsAt": "2024-01-02T03:04:05Z", "endsAt": "2024-01-02T04:04:05Z"}
    group = data(alerts=[alert] * count, groupLabels={}, commonLabels={}, commonAnnotations={})
    page = TEMPLATES.html('{{ template "email.default.html" . }}', group)
    assert _Page(page).tags.count("tr") == page.count("</tr>")
    assert len(re.findall("✓ Resolved", page)) == count
    assert "Alerts for te\\.am" in page
