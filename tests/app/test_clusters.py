"""Which schema the members of a cluster share: the ways in which people write `--cluster.peer` in their unit files."""

import itertools
import socket

import psycopg
import pytest

from quietshift.alerts import store
from quietshift.app.clusters import own_addresses, url_of
from quietshift.app.wire import load_tables
from quietshift.kernel import journal
from quietshift.kernel.clock import SystemClock
from quietshift.kernel.db import Database
from quietshift.kernel.errors import Invalid, Unavailable
from quietshift.kernel.migrate import upgrade

A, B, C, D = "10.0.0.1:9094", "10.0.0.2:9094", "10.0.0.3:9094", "10.0.0.4:9094"
POD = "am-{}.am:9094"


def schema(url, listen, peers, advertise="", label=""):
    with psycopg.connect(url_of(url, listen, advertise, peers, label)) as conn:
        return conn.execute("SELECT current_schema()").fetchone()[0]


@pytest.mark.needs("postgresql")
@pytest.mark.parametrize(
    "members",
    [
        [(A, [A, B, C]), (B, [C, A, B]), (C, [B, C, A])],  # each names all, itself too
        [(A, [B, C]), (B, [A, C]), (C, [A, B])],  # each names the others
        [(A, [B]), (B, [A])],
        [(A, []), (B, [A]), (C, [A])],  # those who come later name the first
        [(f"10.1.0.{n}:9094", [POD.format(0), POD.format(1), POD.format(2)]) for n in range(3)],  # names that are not addresses
    ],
)
def test_members_meet_in_whatever_order_they_start(postgres_url, members):
    for number, order in enumerate(itertools.permutations(members)):
        with psycopg.connect(postgres_url, autocommit=True) as conn:
            conn.execute("DROP TABLE IF EXISTS quietshift_clusters")
        assert len({schema(postgres_url, listen, peers) for listen, peers in order}) == 1, order
        if number == 5:
            return


@pytest.mark.needs("postgresql")
def test_clusters_of_one_database_do_not_meet_and_keep_their_schema(postgres_url):
    one = schema(postgres_url, A, [A, B])
    other = schema(postgres_url, C, [C, D])
    labelled = schema(postgres_url, A, [A, B], label="staging")
    alone = schema(postgres_url, "10.0.0.9:9094", [])
    assert len({one, other, labelled, alone}) == 4
    assert alone == "public"  # who names nobody uses the database as it is
    assert schema(postgres_url, A, [A, B, "10.0.0.7:9094"]) == one  # one more member
    assert schema(postgres_url, "10.0.0.7:9094", ["10.0.0.7:9094"]) == one
    assert schema(postgres_url, B, [B, A]) == one


def hurry(db):
    with db.write() as tx:
        tx.run("SET LOCAL lock_timeout = '300ms'")
        store.take_turn(tx)


@pytest.mark.needs("postgresql")
def test_clusters_of_one_database_do_not_wait_for_each_other(postgres_url):
    one, same, other = (Database.open(url_of(postgres_url, *member)) for member in [
        (A, "", [A, B], ""), (B, "", [A, B], ""), (C, "", [C, D], ""),
    ])  # fmt: skip
    try:
        with one.write() as held:
            store.take_turn(held)
            hurry(other)
            with pytest.raises(Unavailable, match="lock timeout"):
                hurry(same)
    finally:
        for db in (one, same, other):
            db.close()


@pytest.mark.needs("postgresql")
def test_each_cluster_of_a_database_seals_its_own_journal(postgres_url):
    one, other = (Database.open(url_of(postgres_url, *member)) for member in [(A, "", [A, B], ""), (C, "", [C, D], "")])
    now = SystemClock().now()
    try:
        for db in (one, other):
            upgrade(db, load_tables)
            with db.write() as tx:
                journal.append(tx, now, "system", "test.done", "test:1")
        with one.write() as held:
            assert held.run("SELECT pg_try_advisory_xact_lock(?, hashtext(current_schema()))", [journal.SEALING]) == [(True,)]
            assert journal.seal(other, b"k" * 32) is not None
            assert journal.seal(one, b"k" * 32) is None, "another process of this cluster is at it"
    finally:
        one.close()
        other.close()


@pytest.mark.needs("postgresql")
def test_a_role_that_may_make_no_schema_is_told(postgres_url):
    with psycopg.connect(postgres_url.replace("quietshift@", "postgres@"), autocommit=True) as admin:
        admin.execute("CREATE ROLE nobody_much LOGIN")
        try:
            with pytest.raises(Invalid, match="cannot make a schema of its own"):
                url_of(postgres_url.replace("quietshift@", "nobody_much@"), A, "", [B], "")
        finally:
            admin.execute("DROP ROLE nobody_much")


def test_who_listens_anywhere_is_named_by_its_host_or_by_the_address_peers_see():
    assert own_addresses("10.0.0.1:9094", "", [B]) == [A]
    assert own_addresses("0.0.0.0:9094", "192.0.2.1:9999", [B]) == ["192.0.2.1:9999"]
    names = own_addresses("0.0.0.0:9094", "", ["127.0.0.1:1"])
    assert "127.0.0.1:9094" in names
    assert f"{socket.gethostname()}:9094" in names
