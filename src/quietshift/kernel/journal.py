"""The journal: who did what to which subject, when, why. Append-only, and it can be proved.

Entries are written in the transaction of what they tell. One sealer numbers the committed, unsealed entries and chains their
digests under a secret key (HMAC-SHA256), so that nobody who can write the database alone can rewrite the past; the head of
the chain goes to the log as well, so that a cut-off tail is found. An entry's payload hangs on a salted digest: it can be
erased by a journaled act, and the chain still holds.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, text

from quietshift.kernel.clock import to_micros
from quietshift.kernel.db import Database, Tx
from quietshift.kernel.errors import Invalid, NotFound
from quietshift.kernel.ids import first_id, new_id
from quietshift.kernel.redact import redact, redact_text
from quietshift.kernel.schema import journal, journal_payloads, journal_seals

log = logging.getLogger("quietshift.journal")
_GENESIS = "0" * 64
SEALING = 0x71_73_6A_6F  # "qsjo": the advisory lock of the one that seals
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:k, hashtext(current_schema()))")


@dataclass(frozen=True)
class Entry:
    """One act on record. why and data are None where the payload was erased."""

    id: str
    at: datetime
    actor: str
    act: str
    subject: str
    why: str | None
    data: dict[str, Any] | None
    seq: int | None = None


def append(
    tx: Tx, now: datetime, actor: str, act: str, subject: str, why: str = "", data: Mapping[str, Any] | None = None
) -> str:
    """Put an act on record; returns its id. actor: "user:ana", "token:ci", "system"; act: "incident.acknowledged";
    subject: "incident:INC-1042". Secrets in why and data are redacted here, before they are written."""
    entry_id = new_id(now)
    why, clean, salt = redact_text(why), redact(dict(data or {})), secrets.token_hex(16)
    tx.add(
        journal,
        {
            "id": entry_id, "at": now, "actor": actor, "act": act, "subject": subject,
            "payload_digest": _payload_digest(salt, why, clean),
        },
    )
    tx.add(journal_payloads, {"entry_id": entry_id, "salt": salt, "why": why, "data": clean})
    tx.publish("journal")
    return entry_id


def entries(tx: Tx, *, subject: str | None = None, before: str | None = None, limit: int = 100) -> list[Entry]:
    """The newest entries first; of one subject, or older than an entry's id."""
    statement = (
        select(journal, journal_payloads.c.why, journal_payloads.c.data, journal_seals.c.seq)
        .outerjoin(journal_payloads, journal_payloads.c.entry_id == journal.c.id)
        .outerjoin(journal_seals, journal_seals.c.entry_id == journal.c.id)
        .order_by(journal.c.id.desc())
        .limit(limit)
    )
    if subject is not None:
        statement = statement.where(journal.c.subject == subject)
    if before is not None:
        statement = statement.where(journal.c.id < before)
    return [Entry(r.id, r.at, r.actor, r.act, r.subject, r.why, r.data, r.seq) for r in tx.execute(statement)]


def erase_payload(tx: Tx, entry_id: str, now: datetime, actor: str, why: str) -> None:
    """Erase an entry's words and data for good, and put that on record. The chain stays whole. Raises NotFound."""
    gone = tx.execute(delete(journal_payloads).where(journal_payloads.c.entry_id == entry_id))
    if not gone.rowcount:
        raise NotFound(f"no journal entry {entry_id} with a payload")
    append(tx, now, actor, "journal.payload_erased", f"journal:{entry_id}", why)


def seal(db: Database, key: bytes, limit: int = 1000, since: datetime | None = None) -> str | None:
    """Number and chain what is committed and not sealed yet; returns the new head "SEQ:HEX", None where nothing was to do.

    One sealer at a time: on PostgreSQL an advisory lock sees to it, on SQLite there is one process. since: look at entries
    made from then on alone, which ids tell; None looks at all (0.1 s at 300,000 entries).
    """
    recent = (journal.c.id >= first_id(since),) if since is not None else ()
    with db.write() as tx:
        if tx.dialect == "postgresql" and not tx.execute(_TRY_LOCK, {"k": SEALING}).scalar_one():
            return None
        rows = tx.execute(
            select(journal)
            .outerjoin(journal_seals, journal_seals.c.entry_id == journal.c.id)
            .where(journal_seals.c.seq.is_(None), *recent)
            .order_by(journal.c.id)
            .limit(limit)
        ).all()
        if not rows:
            return None
        last = tx.execute(select(journal_seals).order_by(journal_seals.c.seq.desc()).limit(1)).one_or_none()
        seq, previous = (last.seq, last.seal) if last else (0, _GENESIS)
        for row in rows:
            seq += 1
            digest = _entry_digest(row)
            previous = _seal(key, previous, seq, digest)
            tx.execute(insert(journal_seals), {"seq": seq, "entry_id": row.id, "entry_digest": digest, "seal": previous})
    return f"{seq}:{previous}"


def head(tx: Tx) -> str:
    """The newest seal as "SEQ:HEX"; "0:000..." for an empty chain."""
    last = tx.execute(select(journal_seals).order_by(journal_seals.c.seq.desc()).limit(1)).one_or_none()
    return f"{last.seq}:{last.seal}" if last else f"0:{_GENESIS}"


@dataclass(frozen=True)
class Verification:
    """What `verify` found. findings is empty where the journal is whole."""

    sealed: int
    unsealed: int
    head: str
    findings: list[str]


def verify(tx: Tx, key: bytes, known_head: str | None = None) -> Verification:
    """Recompute the whole chain. Finds changed, removed, inserted and reordered entries, and, given a head that was kept
    elsewhere ("SEQ:HEX", from the log), a tail that was cut off. Raises Invalid for a head that is none."""
    findings: list[str] = []
    wanted = _parse_head(known_head) if known_head else None
    previous, seq = _GENESIS, 0
    seals = select(
        journal_seals.c.seq.label("seal_seq"), journal_seals.c.entry_id, journal_seals.c.entry_digest, journal_seals.c.seal,
        journal.c.id, journal.c.at, journal.c.actor, journal.c.act, journal.c.subject, journal.c.payload_digest,
        journal_payloads.c.salt, journal_payloads.c.why, journal_payloads.c.data,
    ).outerjoin(journal, journal.c.id == journal_seals.c.entry_id).outerjoin(
        journal_payloads, journal_payloads.c.entry_id == journal_seals.c.entry_id
    ).order_by(journal_seals.c.seq)
    erased = _erased(tx)
    for row in tx.execute(seals):
        seq += 1
        if row.seal_seq != seq:
            findings.append(f"seal {seq} is missing (found {row.seal_seq} in its place)")
            seq = row.seal_seq
        if row.id is None:
            findings.append(f"seal {seq}: entry {row.entry_id} was removed")
        elif _entry_digest(row) != row.entry_digest:
            findings.append(f"seal {seq}: entry {row.entry_id} was changed")
        elif row.salt is None and row.entry_id not in erased:
            findings.append(f"seal {seq}: the payload of entry {row.entry_id} was removed without an act on record")
        elif row.salt is not None and _payload_digest(row.salt, row.why, row.data) != row.payload_digest:
            findings.append(f"seal {seq}: the payload of entry {row.entry_id} was changed")
        if not hmac.compare_digest(_seal(key, previous, seq, row.entry_digest), row.seal):
            findings.append(f"seal {seq}: does not follow from the one before it (reordered, inserted, or another key)")
        previous = row.seal
        if wanted and wanted[0] == seq and not hmac.compare_digest(wanted[1], row.seal):
            findings.append(f"seal {seq}: is not the head that you gave")
    if wanted and wanted[0] > seq:
        findings.append(f"the tail is cut off: the chain ends at {seq}, the head that you gave is {wanted[0]}")
    total = int(tx.execute(select(func.count()).select_from(journal)).scalar_one())
    count = int(tx.execute(select(func.count()).select_from(journal_seals)).scalar_one())
    return Verification(count, max(total - count, 0), f"{seq}:{previous}", findings)


def _erased(tx: Tx) -> set[str]:
    acts = tx.execute(select(journal.c.subject).where(journal.c.act == "journal.payload_erased")).scalars()
    return {subject.removeprefix("journal:") for subject in acts}


def _parse_head(known: str) -> tuple[int, str]:
    seq, colon, digest = known.strip().partition(":")
    if not colon or not seq.isdigit() or len(digest) != 64:
        raise Invalid("--head: write it as the log does, SEQ:HEX (64 hexadecimal digits)")
    return int(seq), digest


def _payload_digest(salt: str, why: str, data: Any) -> str:
    return hashlib.sha256(_canonical([salt, why, data])).hexdigest()


def _entry_digest(row: Any) -> str:
    return hashlib.sha256(
        _canonical([row.id, to_micros(row.at), row.actor, row.act, row.subject, row.payload_digest])
    ).hexdigest()


def _seal(key: bytes, previous: str, seq: int, entry_digest: str) -> str:
    return hmac.new(key, f"{previous}:{seq}:{entry_digest}".encode(), hashlib.sha256).hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
