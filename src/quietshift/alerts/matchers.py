"""Label matchers as Alertmanager writes them: `a="b"`, `a!=b`, `a=~"x|y"`, `a!~z`, lists `{a="b", "c.d"="e"}`; see `syntax`.

Regular expressions are RE2's, anchored at both ends and linear in time: a hostile pattern costs nothing. The engine is
imported with the first pattern that needs it.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

from quietshift.alerts import labels, syntax
from quietshift.alerts.syntax import Syntax

log = logging.getLogger("quietshift.alerts")
_S = r"[\t\n\f\r ]*"  # what RE2 calls space
_FORM = re.compile(rf"{_S}([a-zA-Z_:][a-zA-Z0-9_:]*){_S}(=~|=|!=|!~){_S}(.*?){_S}", re.ASCII | re.DOTALL)
_PLAIN = re.compile(r"[\w \-/,@%#&~:;<>=!]*(?:\|[\w \-/,@%#&~:;<>=!]*)*")  # words and alternatives: no engine needed
MAX_PATTERN = 10_000


class Matcher(msgspec.Struct, frozen=True, order=True):
    """One condition on one label. operator: = != =~ !~. A label that is absent has the empty value."""

    name: str
    value: str
    operator: str = "="

    @property
    def is_regex(self) -> bool:
        return self.operator in ("=~", "!~")

    @property
    def is_equal(self) -> bool:
        return self.operator in ("=", "=~")

    def matches(self, value: str) -> bool:
        """Whether this label value fulfils the condition."""
        if self.operator == "=":
            return value == self.value
        if self.operator == "!=":
            return value != self.value
        return compiled(self.value)(value) == (self.operator == "=~")

    @property
    def listed(self) -> frozenset[str] | None:
        """The values that the condition names: all that fulfil it where it asks for equality, else all that do not. None where
        they cannot be listed: a pattern that is more than words and alternatives."""
        return alternatives(self.value) if self.is_regex else frozenset((self.value,))

    def __str__(self) -> str:
        """As group keys have it: a name that needs quotes is quoted as Go does, and its value with it."""
        if not syntax.is_plain(self.name):
            return f"{labels.go_quote(self.name)}{self.operator}{labels.go_quote(self.value)}"
        escaped = self.value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        return f'{self.name}{self.operator}"{escaped}"'


Matchers = tuple[Matcher, ...]


def matcher(name: str, operator: str, value: str) -> Matcher:
    """A matcher whose pattern compiles. Raises ValueError that says why it does not."""
    if operator in ("=~", "!~"):
        compiled(value)
    return Matcher(name, value, operator)


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether a label set fulfils every condition."""
    return all(m.matches(labels.get(m.name, "")) for m in matchers)


def filter_matches(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether a label set passes the `filter` of a request: like all_match, but `a=""` asks for a label that is absent and
    `a!=""` for one that is there."""
    for m in matchers:
        if not m.value and (m.name in labels) != m.is_equal:
            continue
        if not m.matches(labels.get(m.name, "")):
            return False
    return True


def text(matchers: Iterable[Matcher]) -> str:
    """`{a="b",c=~"d"}`, as in group keys."""
    return "{" + ",".join(map(str, matchers)) + "}"


def route_order(m: Matcher) -> tuple[str, str, int]:
    """Sort key of a route's matchers: name, value, then the operators in Alertmanager's order."""
    return (m.name, m.value, ("=", "!=", "=~", "!~").index(m.operator))


def anchored(pattern: str) -> str:
    """The pattern as Alertmanager keeps and shows that of a `match_re`, in group keys too."""
    return f"^(?:{pattern})$"


def _bare(pattern: str) -> str:
    """Without the anchors that mean nothing here, for a pattern has to match the whole text anyway."""
    return pattern[4:-2] if pattern.startswith("^(?:") and pattern.endswith(")$") else pattern


def alternatives(pattern: str) -> frozenset[str] | None:
    """All texts that a pattern of plain words and `|` matches; None for any other."""
    pattern = _bare(pattern)
    return frozenset(pattern.split("|")) if pattern.isascii() and _PLAIN.fullmatch(pattern) else None


@functools.lru_cache(maxsize=4096)
def compiled(pattern: str) -> Callable[[str], bool]:
    """Tells whether a whole text matches an RE2 pattern. Raises ValueError for what RE2 does not take."""
    if len(_bare(pattern)) > MAX_PATTERN:
        raise ValueError(f"the regular expression is longer than {MAX_PATTERN} characters")
    words = alternatives(pattern)
    if words is not None:
        return words.__contains__
    if _bare(pattern) == ".+":
        return lambda value: bool(value) and "\n" not in value
    if _bare(pattern) == ".*":
        return lambda value: "\n" not in value
    try:
        pattern.encode()
    except UnicodeEncodeError:
        raise ValueError("the regular expression is not valid UTF-8") from None
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        expression = re2.compile(pattern, options)
    except re2.error as error:
        why = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"not a regular expression (RE2 syntax): {pattern!r}: {why}") from None
    full = expression.fullmatch
    return lambda value: full(value) is not None


# -- reading -------------------------------------------------------------------------------------------------------------


class Reading(msgspec.Struct, frozen=True):
    """What was read. warning: why another parser may read it otherwise; empty where none does."""

    matchers: Matchers
    warning: str = ""


def read_matcher(source: str) -> Reading:
    """One matcher by the syntax in use. Raises ValueError naming the text that is none."""
    if syntax.chosen() is not Syntax.CLASSIC and (source.startswith("{") or source.endswith("}")):
        raise ValueError(f"unexpected open or close brace: {source}")
    return _read(source, lambda text: (_classic(text),), 1)


def read_matchers(source: str) -> Reading:
    """A comma-separated list by the syntax in use, the braces around it optional. Raises ValueError naming what is none."""
    return _read(source, _classic_list)


def parse_matcher(source: str) -> Matcher:
    """One matcher. Raises ValueError naming the text that is none."""
    found = read_matcher(source)
    _warn(found.warning)
    return found.matchers[0]


def parse_matchers(source: str) -> Matchers:
    """A comma-separated list, the braces around it optional. Raises ValueError naming the text that is none."""
    found = read_matchers(source)
    _warn(found.warning)
    return found.matchers


@functools.lru_cache(maxsize=256)
def _warn(warning: str) -> None:
    """Once for each: what asks is a dashboard, and it asks all day."""
    if warning:
        log.warning("%s", warning)


def _read(source: str, classic: Callable[[str], Matchers], wanted: int | None = None) -> Reading:
    if not syntax.is_utf8(source):
        raise ValueError(f"bad matcher format: not valid UTF-8: {source!r}")
    if syntax.chosen() is Syntax.CLASSIC:
        return Reading(classic(source))
    old, new, refused = None, None, ""
    try:
        triples = syntax.read_utf8(source)
        if wanted not in (None, len(triples)):
            raise ValueError(f"bad matcher format: {source}: expected one matcher, found {len(triples)}")
        new = tuple(matcher(*triple) for triple in triples)
    except ValueError as error:
        if syntax.chosen() is Syntax.UTF8:
            raise
        refused = str(error)
    if syntax.chosen() is Syntax.BOTH:
        try:
            old = classic(source)
        except ValueError:
            if new is None:
                raise
    if old is None or old == new:
        return Reading(new or ())
    if new is None:
        words = f"only the classic syntax reads this matcher; newer ones want {text(old)[1:-1]} ({refused})"
    else:
        words = f"the classic and the UTF-8 syntax do not agree on {source}: read as {text(old)[1:-1]}, not {text(new)[1:-1]}"
    return Reading(old, words)


def _classic(source: str) -> Matcher:
    """One matcher of the classic syntax. The value may be in double quotes, with \\" \\\\ \\n as escapes; other backslashes are
    literal."""
    form = _FORM.fullmatch(source)
    if form is None:
        raise ValueError(f"bad matcher format: {source}")
    name, operator, raw = form.groups()
    quoted = raw.startswith('"')
    value = raw[1:] if quoted else raw
    closed = False
    out: list[str] = []
    position = 0
    while position < len(value):
        char = value[position]
        position += 1
        if char == "\\" and position < len(value):
            following = value[position]
            position += 1
            out.append({"n": "\n", '"': '"', "\\": "\\"}.get(following, "\\" + following))
        elif char == '"':
            if not quoted or position < len(value):
                raise ValueError(f"matcher value contains unescaped double quote: {raw}")
            closed = True
        else:
            out.append(char)
    if quoted and not closed:
        raise ValueError(f"matcher value lacks its closing double quote: {raw}")
    return matcher(name, operator, "".join(out))


def _classic_list(source: str) -> Matchers:
    """A list of the classic syntax; commas within double quotes do not separate."""
    body = source.removeprefix("{").removesuffix("}")
    parts: list[str] = []
    begin = 0
    quoted = escaped = False
    for position, char in enumerate(body):
        if char == ",":
            if not quoted:
                parts.append(body[begin:position])
                begin = position + 1
            continue  # an escape before it still counts after it: so does Alertmanager
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped
    if last := body[begin:].strip(syntax.SPACE):
        parts.append(last)
    return tuple(map(_classic, parts))
