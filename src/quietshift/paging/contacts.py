"""How each person is reached: what they set themselves, else the ops directory's `Contacts`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, insert

from quietshift.catalog.model import Catalog
from quietshift.channels.parse import mask, parse_via
from quietshift.kernel import journal
from quietshift.kernel.db import Tx
from quietshift.kernel.durations import format_duration
from quietshift.kernel.errors import Invalid, NotFound
from quietshift.kernel.ids import new_id
from quietshift.kernel.ops import Loaded
from quietshift.paging import config
from quietshift.paging.model import MAX_RULES, Ladder, PagingConfig, Rule
from quietshift.paging.tables import contact_rules

_MILLISECOND = timedelta(milliseconds=1)


def set_rules(tx: Tx, user: str, rules: Sequence[Rule], actor: str, now: datetime, *, ops: Loaded) -> Ladder:
    """A person's own ladder, in place of the ops directory's; no rules: back to that. Returns the ladder in force.

    The journal hears how many rungs there are and of which kind, never an address. Raises NotFound for a person the catalog
    does not know, Invalid for rules that cannot be followed.
    """
    person = _person(user, ops)
    if len(rules) > MAX_RULES:
        raise Invalid(f"a ladder has at most {MAX_RULES} rungs, not {len(rules)}")
    for number, rule in enumerate(rules, start=1):
        try:
            parse_via(rule.via)
        except ValueError as error:
            raise Invalid(f"rung {number}: {error}") from None
        if not timedelta() <= rule.after <= config.MAX_AFTER:
            raise Invalid(f"rung {number}: after has to be between 0s and {format_duration(config.MAX_AFTER)}")
    tx.execute(delete(contact_rules).where(contact_rules.c.person == person))
    rows = [
        {
            "id": new_id(now), "person": person, "position": position, "after_ms": rule.after // _MILLISECOND, "via": rule.via,
            "set_at": now,
        }
        for position, rule in enumerate(config.ladder(rules))
    ]  # fmt: skip
    if rows:
        tx.execute(insert(contact_rules), rows)
    told = [{"after": format_duration(rule.after), "via": mask(rule.via)} for rule in config.ladder(rules)]
    why = "contact ladder set" if rules else "contact ladder: back to the default"
    journal.append(tx, now, actor, "contacts.changed", f"user:{person}", why, {"rules": told})
    tx.publish(f"user:{person}")
    return ladders(tx, [person], ops=ops)[person]


def get_rules(tx: Tx, user: str) -> Ladder:
    """What the person set; empty where nothing: then the ops directory counts."""
    return _own(tx, [user]).get(user, ())


def ladders(tx: Tx, users: Iterable[str], *, ops: Loaded) -> dict[str, Ladder]:
    """The ladder in force of each of these people; empty for who has no contact."""
    wanted = list(dict.fromkeys(users))
    defaults = ops.get(PagingConfig).contacts
    own = _own(tx, wanted) if wanted else {}
    return {user: own.get(user) or defaults.get(user, ()) for user in wanted}


def _own(tx: Tx, users: list[str]) -> dict[str, Ladder]:
    found: dict[str, Ladder] = {}
    for person, after_ms, via in tx.run(_RULES, [tx.these(users)]):
        found[person] = (*found.get(person, ()), Rule(after_ms * _MILLISECOND, via))
    return found


_RULES = "SELECT person, after_ms, via FROM contact_rules WHERE person AMONG ? ORDER BY person, position"


def _person(user: str, ops: Loaded) -> str:
    known = ops.get(Catalog).user(user)
    if known is None:
        raise NotFound(f"the catalog has no User {user!r}")
    return known.id
