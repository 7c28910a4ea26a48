"""Which schema of a PostgreSQL database the members of one cluster share.

Alertmanager's members find each other by gossip along `--cluster.peer`; ours find each other in the database. Each names its
peers in the table `quietshift_clusters`, and belongs where one of its peers, or itself, was named before. So it does not
matter who starts first, whether a member lists itself, or whether only the newcomers list the old ones, and a cluster keeps
its schema when members come and go. Who names nobody uses the database as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import socket
from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from quietshift.kernel.errors import Invalid, Unavailable

log = logging.getLogger("quietshift.clusters")
ANYWHERE = ("", "0.0.0.0", "[::]", "::")
_LOCK = 0x71_73_63_6C  # "qscl"
_FIND = """SELECT schema FROM quietshift_clusters WHERE label = %(label)s AND address = ANY(%(asked)s)
    GROUP BY schema ORDER BY count(*) DESC, max(listed_at) DESC LIMIT 1"""
_KNOWN = "SELECT count(*) FROM quietshift_clusters WHERE label = %(label)s AND schema = %(schema)s AND address = ANY(%(listed)s)"
_CREATE = """CREATE TABLE IF NOT EXISTS quietshift_clusters (
    label text NOT NULL, address text NOT NULL, schema text NOT NULL, listed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (label, address))"""
_LIST = """INSERT INTO quietshift_clusters (label, address, schema) SELECT %(label)s, unnest(%(listed)s::text[]), %(schema)s
    ON CONFLICT (label, address) DO UPDATE SET schema = excluded.schema, listed_at = now()"""


def own_addresses(listen: str, advertise: str, peers: Sequence[str]) -> list[str]:
    """Under which addresses others may name us: as advertised, or as we listen; where that is anywhere, this host's names
    and the addresses from which it reaches its peers."""
    if advertise:
        return [advertise]
    host, _, port = listen.rpartition(":")
    if host not in ANYWHERE:
        return [listen]
    name = socket.gethostname()
    hosts = {name, name.partition(".")[0]}
    for peer in peers:
        there, _, _ = peer.rpartition(":")
        with contextlib.suppress(OSError):  # nothing is sent: the kernel only chooses a route
            family, kind, proto, _, address = socket.getaddrinfo(there.strip("[]"), 9, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind, proto) as probe:
                probe.connect(address)
                here = str(probe.getsockname()[0])
                hosts.add(f"[{here}]" if ":" in here else here)
    return sorted(f"{host}:{port}" for host in hosts)


def url_of(url: str, listen: str, advertise: str, peers: Sequence[str], label: str) -> str:
    """The database's URL with the schema of this cluster as its search path; it is made where there is none yet.

    Raises Unavailable where the database does not answer, Invalid where it may not be changed.
    """
    own = own_addresses(listen, advertise, peers)
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5, application_name="quietshift-cluster") as conn:
            schema = _schema(conn, own, sorted(set(peers)), label)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidSchemaName) as error:
        raise Invalid(f"--cluster.peer: this database role cannot make a schema of its own for the cluster: {error}") from None
    except psycopg.OperationalError as error:
        raise Unavailable(f"the database cannot be reached: {str(error).strip().splitlines()[0]}") from None
    log.info("cluster", extra={"schema": schema, "members": ", ".join(sorted({*own, *peers}))})
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    query["options"] = f"{query.get('options', '')} -csearch_path={schema}".strip()
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))


def _schema(conn: psycopg.Connection, own: list[str], peers: list[str], label: str) -> str:
    listed = peers or own
    asked: dict[str, object] = {"label": label, "asked": [*own, *peers], "listed": listed}
    found = _find(conn, asked)
    if found is not None:
        known = conn.execute(_KNOWN, asked | {"schema": found}).fetchone()
        if known is not None and known[0] == len(listed):
            return found
    with conn.transaction():  # of several members that start at once, one makes it
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        conn.execute(_CREATE)
        schema = _find(conn, asked) or _named(conn, peers, label)
        conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        conn.execute(_LIST, asked | {"schema": schema})
    return schema


def _find(conn: psycopg.Connection, asked: dict[str, object]) -> str | None:
    try:
        row = conn.execute(_FIND, asked).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return None if row is None else str(row[0])


def _named(conn: psycopg.Connection, peers: list[str], label: str) -> str:
    """The schema of a cluster nobody knows yet: by its peers; without any, the one that the database has anyway."""
    if peers or label:
        return f"quietshift_{hashlib.sha256(repr((label, peers)).encode()).hexdigest()[:12]}"
    row = conn.execute("SELECT current_schema()").fetchone()
    if row is None or row[0] is None:
        raise Invalid("the database has no schema to work in: its search_path names none that exists")
    return str(row[0])
