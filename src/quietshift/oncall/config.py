"""Reads `kind: Schedule` (`ops/oncall/**/*.yaml`), against the catalog that knows its people and groups."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from quietshift.catalog.model import Catalog, Ref, is_name
from quietshift.kernel.config import Node
from quietshift.kernel.errors import Problems
from quietshift.kernel.ops import Loaded, OpsFiles
from quietshift.oncall.localtime import FIRST, LAST, instant, zone_of
from quietshift.oncall.model import DAY, DAYS, OVERRIDE, Fairness, Layer, Oncall, Override, Rest, Rotation, Schedule, Unit, Window
from quietshift.oncall.rest import strains

LOOKED_AT = timedelta(weeks=8)  # how far rest rules are looked at when a schedule is read
API_VERSION = "quietshift.dev/v1"
KIND = "Schedule"
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_SHAPES = {
    Unit.HOUR: "a time like '09:00'",
    Unit.DAY: "a time like '09:00'",
    Unit.WEEK: "a day and time like 'Mon 09:00'",
    Unit.MONTH: "a day and time like '1 09:00'",
}


def part(files: OpsFiles, loaded: Loaded, problems: Problems) -> Oncall:
    """The schedules' part of the ops directory. The people and groups they name are looked up in the catalog, if it is loaded."""
    return load(files.of(API_VERSION, KIND), problems, loaded.get(Catalog) if loaded.has(Catalog) else None)


def load(documents: list[Node], problems: Problems, catalog: Catalog | None) -> Oncall:
    """The schedules of these documents, all of kind Schedule. What is wrong goes to `problems`, with its place.

    catalog: who there is; None where that is not asked.
    """
    schedules: dict[str, Schedule] = {}
    broken: set[str] = set()
    for document in documents:
        schedule = _schedule(document, catalog)
        if schedule is None:
            broken.add(written_name(document))
            continue
        if schedule.name in schedules:
            first = schedules[schedule.name]
            text = f"schedule {schedule.name} is written twice, first at {first.file}:{first.line}"
            problems.add(schedule.file, schedule.line, text)
            continue
        schedules[schedule.name] = schedule
    return Oncall(MappingProxyType(schedules), frozenset(broken - {""}))


def written_name(document: Node) -> str:
    """What a document calls itself, whatever else is wrong with it; empty where it does not."""
    meta = document.entries().get("metadata") if document.is_map else None
    name = meta.entries().get("name") if meta is not None and meta.is_map else None
    return name.text() if name is not None and not name.is_map and not name.is_list else ""


def _schedule(document: Node, catalog: Catalog | None) -> Schedule | None:
    """The schedule, or None where it has no name, zone or owner to stand on."""
    top = document.fields("apiVersion", "kind", "metadata", "spec")
    meta = top["metadata"].fields("name", "description", "labels", "annotations")
    name = meta["name"].required()
    if name and not is_name(name):
        meta["name"].error(f"{name!r} is no name: letters, digits and -_. between them, at most 63 characters")
    if top["spec"].missing:
        top["spec"].error("is required")
        return None
    spec = top["spec"].fields("owner", "timeZone", "layers", "overrides", "rest")
    owner = _owner(spec["owner"], catalog)
    zone = spec["timeZone"].parsed(zone_of, None) if spec["timeZone"].required() else None
    layers = _layers(spec["layers"], catalog)
    overrides = [_override(node, zone or ZoneInfo("UTC"), catalog) for node in spec["overrides"].items()]
    if not spec["layers"].items() and not overrides:
        spec["layers"].error("a schedule needs layers, or at least overrides: nobody would ever be on")
    rest = _rest(spec["rest"])
    if not name or zone is None or owner is None:
        return None
    schedule = Schedule(
        name=name,
        owner=owner,
        zone=zone,
        layers=layers,
        overrides=tuple(filter(None, overrides)),
        description=meta["description"].text(),
        file=document.file,
        line=document.line,
        rest=rest,
    )
    if rest is not None and layers:
        _warn_of_strains(spec["rest"], schedule)
    return schedule


def _rest(node: Node) -> Rest | None:
    if node.missing:
        return None
    fields = node.fields("most", "least")
    most, least = (None if fields[key].missing else fields[key].duration(timedelta()) for key in ("most", "least"))
    if most is None and least is None:
        node.error("holds no rule: most (in a row) or least (between two)")
    return Rest(most, least)


def _warn_of_strains(node: Node, schedule: Schedule) -> None:
    """By the layers' own turns, for the first weeks in which all of them have begun: what a schedule breaks, it breaks soon."""
    start = max(instant(schedule.zone, datetime.combine(layer.rotation.start, time())) for layer in schedule.layers)
    found = strains(schedule, start, min(start + LOOKED_AT, LAST - timedelta(days=1)))
    for user in sorted({strain.user for strain in found}):
        mine = [strain.text for strain in found if strain.user == user]
        more = f", and {len(mine) - 1} more within {LOOKED_AT.days} days" if len(mine) > 1 else ""
        node.warning(f"{mine[0]}{more}")


def _owner(node: Node, catalog: Catalog | None) -> Ref | None:
    if not node.required():
        return None
    ref = node.parsed(lambda text: Ref.parse(text, "group"), None)
    if catalog is not None and ref is not None and catalog.group(ref) is None:
        node.error(f"{ref} is not in the catalog" if ref.kind == "group" else f"has to be a Group, not {ref}")
    return ref


def _user(node: Node, catalog: Catalog | None) -> str:
    """The user's id as the catalog writes it; empty where the catalog does not know the person."""
    text = node.required()
    if catalog is None:
        return text
    user = catalog.user(text)
    if text and user is None:
        node.error(f"the catalog has no User {text!r}")
    return user.id if user else ""


def _layers(node: Node, catalog: Catalog | None) -> tuple[Layer, ...]:
    found: list[Layer] = []
    names: set[str] = set()
    for item in node.items():
        fields = item.fields("name", "rotation", "users", "only", "fairness")
        name = fields["name"].required()
        if name == OVERRIDE:
            fields["name"].error(f"{OVERRIDE!r} is how overrides are shown: choose another name")
        elif name in names:
            fields["name"].error(f"a layer {name!r} is there already")
        names.add(name)
        people = fields["users"].items()
        if not people:
            fields["users"].error("needs at least one user")
        takers = [_taker(person, catalog) for person in people]
        rotation = _rotation(fields["rotation"])
        fairness = Fairness(fields["fairness"].choice(*Fairness, default=Fairness.CALENDAR))
        if fairness is Fairness.COVERED and rotation and rotation.unit is Unit.HOUR:
            fields["fairness"].error("hours are counted as they elapse: take unit day with a hand-off for each time of day")
            rotation = None
        windows = tuple(filter(None, (_window(window) for window in fields["only"].items())))
        if not fields["only"].missing and not fields["only"].items():
            fields["only"].error("holds no window: leave it out where the layer is on all the time")
        if name and rotation and takers and all(takers):
            users = tuple(dict.fromkeys(user for taker in takers for user in taker))
            if all(len(taker) == 1 for taker in takers):
                found.append(Layer(name, rotation, tuple(taker[0] for taker in takers), windows, fairness=fairness))
            else:
                found.append(Layer(name, rotation, users, windows, tuple(takers), fairness))
    return tuple(found)


def _taker(node: Node, catalog: Catalog | None) -> tuple[str, ...]:
    """Who takes a turn: one person, or a list of those who are on together; nobody where one is not known."""
    if not node.is_list:
        user = _user(node, catalog)
        return (user,) if user else ()
    users = [_user(person, catalog) for person in node.items()]
    if not users:
        node.error("holds nobody: name those who are on together")
    elif all(users) and len(set(users)) < len(users):
        node.error("names somebody twice")
        return ()
    return tuple(users) if all(users) else ()


def _rotation(node: Node) -> Rotation | None:
    if node.missing:
        node.error("is required")
        return None
    fields = node.fields("unit", "every", "handoff", "start")
    written = fields["unit"].required()
    if not written:
        return None
    unit = Unit(fields["unit"].choice(*Unit, default=Unit.WEEK))
    every = fields["every"].integer(1, minimum=1)
    handoffs = _handoffs(fields["handoff"], unit)
    start = fields["start"].parsed(_start, None) if fields["start"].required() else None
    if written not in tuple(Unit) or not handoffs or start is None:
        return None
    (day, minute), *more = handoffs
    return Rotation(unit, every, minute, day, start, tuple(more))


def _handoffs(node: Node, unit: Unit) -> list[tuple[int | None, int]]:
    """Day (see Rotation) and minute of each hand-off; none where one is wrong."""
    if not node.is_list:
        one = node.parsed(lambda text: _handoff(unit, text), None) if node.required() else None
        return [one] if one else []
    items = node.items()
    found = [one for item in items if (one := item.parsed(lambda text: _handoff(unit, text), None))]
    if not items:
        node.error("holds no hand-off")
    elif len(found) > 1 and unit is Unit.HOUR:
        node.error("unit hour begins at one time and counts elapsed hours from there")
        return []
    elif len(set(found)) < len(found):
        node.error("names a hand-off twice")
        return []
    elif sum(day is not None and day >= 28 for day, _ in found) > 1 and unit is Unit.MONTH:
        node.error("of the days 28 to 31 only one can be named: in February they are the same")
        return []
    return found if len(found) == len(items) else []


def _start(text: str) -> date:
    try:
        start = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected a date like 2026-01-05, not {text!r}") from None
    if not FIRST.year <= start.year < LAST.year:
        raise ValueError(f"{text} is outside the years {FIRST.year} to {LAST.year - 1}")
    return start


def _handoff(unit: Unit, text: str) -> tuple[int | None, int]:
    """Day (see Rotation) and minute of the day. Raises ValueError with what this unit takes."""
    day, _, time = text.rpartition(" ")
    minute = _minute(time)
    if minute is not None:
        if unit in (Unit.HOUR, Unit.DAY) and not day:
            return None, minute
        if unit is Unit.WEEK and day.title() in DAYS:
            return DAYS.index(day.title()), minute
        if unit is Unit.MONTH and re.fullmatch("[0-9]{1,2}", day) and 1 <= int(day) <= 31:
            return int(day), minute
    raise ValueError(f"unit {unit} takes {_SHAPES[unit]}, not {text!r}")


def _minute(text: str) -> int | None:
    """Minutes from midnight of `09:00`; None where it is no time of day."""
    match = _CLOCK.fullmatch(text)
    return int(match[1]) * 60 + int(match[2]) if match else None


def _window(node: Node) -> Window | None:
    fields = node.fields("days", "from", "until")
    days = [day.parsed(_day, None) for day in fields["days"].items()]
    if not fields["days"].missing and not days:
        fields["days"].error("holds no day: leave it out where every day is meant")
    start = fields["from"].parsed(_time, 0)
    until = fields["until"].parsed(_until, DAY)
    known = [day for day in days if day is not None]
    return Window(frozenset(known or range(7)), start, until) if len(known) == len(days) else None


def _day(text: str) -> int:
    if text.title() not in DAYS:
        raise ValueError(f"has to be one of {', '.join(DAYS)}, not {text!r}")
    return DAYS.index(text.title())


def _time(text: str) -> int:
    minute = _minute(text)
    if minute is None:
        raise ValueError(f"expected a time of day like '09:00', not {text!r}")
    return minute


def _until(text: str) -> int:
    return DAY if text == "24:00" else _time(text)


def _override(node: Node, zone: ZoneInfo, catalog: Catalog | None) -> Override | None:
    fields = node.fields("user", "start", "end", "insteadOf")
    user = _user(fields["user"], catalog)
    instead = "" if fields["insteadOf"].missing else _user(fields["insteadOf"], catalog)
    start, end = (
        fields[key].parsed(lambda text: moment(text, zone), None) if fields[key].required() else None for key in ("start", "end")
    )
    if start is None or end is None:
        return None
    if end <= start:
        fields["end"].error(f"{fields['end'].text()} is not after the start {fields['start'].text()}")
        return None
    if user and user == instead:
        fields["insteadOf"].error(f"{user} cannot stand in for themselves")
        return None
    return Override(user, start, end, instead) if user and (instead or fields["insteadOf"].missing) else None


def moment(text: str, zone: ZoneInfo) -> datetime:
    """The instant (UTC) of `2026-12-24T09:00` in that zone, or of one with an offset, whatever the zone.

    Raises ValueError where the text is none, has no time of day, or lies outside the years 1970 to 9998.
    """
    try:
        if len(text) <= len("2026-12-24"):
            raise ValueError(text)
        written = datetime.fromisoformat(text)
        found = instant(zone, written) if written.tzinfo is None else written.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"expected a time like 2026-12-24T09:00, or 2026-12-24T09:00+01:00, not {text!r}") from None
    if not FIRST <= found < LAST:
        raise ValueError(f"{text} is outside the years {FIRST.year} to {LAST.year - 1}")
    return found
