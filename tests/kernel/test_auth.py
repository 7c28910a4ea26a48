"""Who may come in: accounts, sessions, set-up links, tokens, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from quietshift.kernel import access, auth, journal, migrate, schema
from quietshift.kernel import auth_store as store
from quietshift.kernel.db import Database
from quietshift.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
PEOPLE = {"ana", "bo", "chen"}
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, cost in {"time_cost": 1, "memory_cost": 8, "parallelism": 1}.items():
        monkeypatch.setitem(auth.HASH_COST, name, cost)


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    migrate.upgrade(opened, lambda: schema.metadata)
    yield opened
    opened.close()


def account(db: Database, name: str = "ana", role: str = "responder") -> str:
    """An account made as people make it: by a link. Gives the session's cookie."""
    with db.write() as tx:
        secret, _ = access.invite(tx, name, role, "user:root", NOW, PEOPLE)
    return access.complete(db, secret, name, PASSWORD, NOW, PEOPLE)


def journaled(db: Database) -> list[tuple[str, str]]:
    """What is on record, in no order: NOW stands still, and ids of one instant sort by chance."""
    with db.read() as tx:
        return [(e.act, e.subject) for e in journal.entries(tx)]


def everything_stored(db: Database) -> str:
    from quietshift.kernel.schema import metadata

    with db.read() as tx:
        return "\n".join(str(row) for table in metadata.sorted_tables for row in tx.execute(table.select()))


def test_the_first_link_makes_an_administrator_once(db: Database) -> None:
    with db.write() as tx:
        old = access.first_link(tx, NOW)
        secret = access.first_link(tx, NOW)
    assert old is not None
    assert secret is not None
    with pytest.raises(NotFound, match="used or has expired"):
        access.complete(db, old, "ana", PASSWORD, NOW, PEOPLE)
    cookie = access.complete(db, secret, "ana", PASSWORD, NOW, PEOPLE)
    with db.read() as tx:
        found = auth.session_principal(tx, cookie, NOW)
    assert found is not None
    assert (found[0].actor, found[0].role) == ("user:ana", "admin")
    with pytest.raises(NotFound):
        access.complete(db, secret, "bo", PASSWORD, NOW, PEOPLE)
    with db.write() as tx:
        assert access.first_link(tx, NOW) is None
    assert ("account.created", "account:ana") in journaled(db)


def test_a_first_link_is_void_once_somebody_else_has_an_account(db: Database) -> None:
    with db.write() as tx:
        first = access.first_link(tx, NOW)
    account(db, "bo")
    with pytest.raises(NotFound):
        access.complete(db, first or "", "ana", PASSWORD, NOW, PEOPLE)


def test_a_link_ends(db: Database) -> None:
    with db.write() as tx:
        secret, until = access.invite(tx, "ana", "viewer", "user:root", NOW, PEOPLE)
    with pytest.raises(NotFound):
        access.complete(db, secret, "ana", PASSWORD, until, PEOPLE)
    access.complete(db, secret, "ana", PASSWORD, until - timedelta(seconds=1), PEOPLE)


def test_a_link_of_an_account_does_not_make_another(db: Database) -> None:
    with db.write() as tx:
        secret, _ = access.invite(tx, "ana", "viewer", "user:root", NOW, PEOPLE)
    access.complete(db, secret, "bo", PASSWORD, NOW, PEOPLE)
    with db.read() as tx:
        assert [a.name for a in store.all_accounts(tx)] == ["ana"]


def test_who_is_not_in_the_catalog_gets_no_account(db: Database) -> None:
    with db.write() as tx, pytest.raises(Invalid, match="no User 'eve'"):
        access.invite(tx, "eve", "viewer", "user:root", NOW, PEOPLE)
    with db.write() as tx:
        first = access.first_link(tx, NOW) or ""
    with pytest.raises(Invalid, match="kind: User"):
        access.complete(db, first, "eve", PASSWORD, NOW, PEOPLE)


@pytest.mark.parametrize("weak", ["short", "aaaaaaaaaaaaaaaa", "anaanaanaana", "x" * 201])
def test_a_weak_password_is_refused(db: Database, weak: str) -> None:
    with db.write() as tx:
        secret, _ = access.invite(tx, "ana", "viewer", "user:root", NOW, PEOPLE)
    with pytest.raises(Invalid, match="password"):
        access.complete(db, secret, "ana", weak, NOW, PEOPLE)
    access.complete(db, secret, "ana", PASSWORD, NOW, PEOPLE)  # the link was not used up


def test_sign_in_and_out(db: Database) -> None:
    account(db)
    cookie = auth.sign_in(db, "ana", PASSWORD, "192.0.2.1", NOW)
    with db.write() as tx:
        found = auth.session_principal(tx, cookie, NOW)
        assert found is not None
        assert found[0].scopes == {"read", "respond"}
        auth.sign_out(tx, cookie, NOW)
        assert auth.session_principal(tx, cookie, NOW) is None
    assert {("auth.signed_in", "account:ana"), ("auth.signed_out", "account:ana")} <= set(journaled(db))


@pytest.mark.parametrize(
    ("name", "password"), [("ana", "wrong"), ("nobody", PASSWORD), ("", ""), ("a\x00na", PASSWORD), ("ana", "\ud800")]
)
def test_a_wrong_name_and_a_wrong_password_are_told_alike(db: Database, name: str, password: str) -> None:
    account(db)
    with pytest.raises(Unauthenticated, match=r"^name or password is wrong$"):
        auth.sign_in(db, name, password, "192.0.2.1", NOW)
    assert ("auth.sign_in_failed", "account:ana" if name == "ana" else "account:unknown") in journaled(db)


def test_a_password_typed_as_name_is_not_written_down(db: Database) -> None:
    with pytest.raises(Unauthenticated):
        auth.sign_in(db, "hunter2hunter2", "x", "192.0.2.1", NOW)
    assert "hunter2" not in everything_stored(db)


def test_no_secret_is_stored(db: Database) -> None:
    cookie = account(db)
    with db.write() as tx:
        _, token = access.create_token(tx, "ci", ["read"], None, "user:ana", NOW)
        link, _ = access.invite(tx, "bo", "viewer", "user:ana", NOW, PEOPLE)
    stored = everything_stored(db)
    for secret in (cookie, token, link, PASSWORD):
        assert secret not in stored


def test_guessing_is_slowed_for_the_guesser_alone(db: Database) -> None:
    account(db)
    for _ in range(auth.LIMITS["pair"]):
        with pytest.raises(Unauthenticated):
            auth.sign_in(db, "ana", "wrong", "198.51.100.9", NOW)
    with pytest.raises(TooMany) as refused:
        auth.sign_in(db, "ana", PASSWORD, "198.51.100.9", NOW + timedelta(minutes=5))
    assert refused.value.retry_after == 601
    assert auth.sign_in(db, "ana", PASSWORD, "192.0.2.1", NOW)
    assert auth.sign_in(db, "ana", PASSWORD, "198.51.100.9", NOW + auth.WINDOW)
    assert [act for act, _ in journaled(db)].count("auth.throttled") == 1


def test_signing_in_forgets_the_attempts_before(db: Database) -> None:
    account(db)
    for _ in range(3):
        for _ in range(auth.LIMITS["pair"] - 1):
            with pytest.raises(Unauthenticated):
                auth.sign_in(db, "ana", "wrong", "192.0.2.1", NOW)
        assert auth.sign_in(db, "ana", PASSWORD, "192.0.2.1", NOW)


def test_guessing_names_from_one_address_is_slowed(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(auth.LIMITS, "address", 3)
    for n in range(3):
        with pytest.raises(Unauthenticated):
            auth.sign_in(db, f"user{n}", "wrong", "198.51.100.9", NOW)
    with pytest.raises(TooMany):
        auth.sign_in(db, "user9", "wrong", "198.51.100.9", NOW)


def test_a_session_ends_when_old_or_idle(db: Database) -> None:
    cookie = account(db)
    with db.write() as tx:
        found = auth.session_principal(tx, cookie, NOW + auth.SESSION_IDLE - timedelta(seconds=1))
        assert found is not None
        assert found[1], "a session seen again after days is to be noted"
        assert auth.session_principal(tx, cookie, NOW + auth.SESSION_IDLE) is None
        store.touch_session(tx, auth.digest(cookie), NOW + auth.SESSION_TTL - timedelta(seconds=1))
        assert auth.session_principal(tx, cookie, NOW + auth.SESSION_TTL - timedelta(seconds=1)) is not None
        assert auth.session_principal(tx, cookie, NOW + auth.SESSION_TTL) is None


def test_a_disabled_account_is_out_at_once(db: Database) -> None:
    account(db, "bo", "admin")
    cookie = account(db)
    with db.write() as tx:
        access.disable(tx, "ana", "user:bo", NOW)
        assert auth.session_principal(tx, cookie, NOW) is None
    with pytest.raises(Unauthenticated):
        auth.sign_in(db, "ana", PASSWORD, "192.0.2.1", NOW)
    with db.write() as tx:
        access.enable(tx, "ana", "user:bo", NOW)
    assert auth.sign_in(db, "ana", PASSWORD, "192.0.2.1", NOW)


def test_the_last_administrator_stays(db: Database) -> None:
    account(db, "ana", "admin")
    with db.write() as tx, pytest.raises(Conflict, match="last administrator"):
        access.disable(tx, "ana", "user:ana", NOW)
    with db.write() as tx, pytest.raises(Conflict, match="last administrator"):
        access.change_role(tx, "ana", "viewer", "user:ana", NOW)
    account(db, "bo", "admin")
    with db.write() as tx:
        assert access.change_role(tx, "ana", "viewer", "user:bo", NOW).role == "viewer"


def test_a_new_password_ends_the_other_sessions(db: Database) -> None:
    mine, other = account(db), auth.sign_in(db, "ana", PASSWORD, "192.0.2.1", NOW)
    with pytest.raises(Invalid, match="present password"):
        access.change_password(db, "ana", "wrong", "a better one entirely", auth.digest(mine), NOW)
    access.change_password(db, "ana", PASSWORD, "a better one entirely", auth.digest(mine), NOW)
    with db.read() as tx:
        assert auth.session_principal(tx, mine, NOW) is not None
        assert auth.session_principal(tx, other, NOW) is None
    with pytest.raises(Unauthenticated):
        auth.sign_in(db, "ana", PASSWORD, "192.0.2.1", NOW)


def test_a_token_has_its_scopes_and_its_end(db: Database) -> None:
    with db.write() as tx:
        made, secret = access.create_token(tx, "ci", ["respond"], NOW + timedelta(days=1), "user:ana", NOW)
    who = auth.bearer(db, secret, "", NOW)
    assert (who.actor, who.user, who.scopes) == ("token:ci", None, {"read", "respond"})
    with pytest.raises(Forbidden, match="'admin'"):
        who.require("admin")
    with db.read() as tx:
        used = store.token(tx, id=made.id)
    assert used is not None
    assert used.last_used_at == NOW
    with pytest.raises(Unauthenticated):
        auth.bearer(db, secret, "", NOW + timedelta(days=1))


def test_a_revoked_token_is_refused(db: Database) -> None:
    with db.write() as tx:
        made, secret = access.create_token(tx, "ci", ["read"], None, "user:ana", NOW)
        access.revoke_token(tx, made.id, "user:ana", NOW)
    with pytest.raises(Unauthenticated, match="revoked"):
        auth.bearer(db, secret, "", NOW)
    assert sorted(journaled(db)) == [("token.created", "token:ci"), ("token.revoked", "token:ci")]
    with db.write() as tx, pytest.raises(Conflict, match="take another"):
        access.create_token(tx, "ci", ["read"], None, "user:ana", NOW)


@pytest.mark.parametrize(
    ("name", "scopes", "error"),
    [
        ("Ci", ["read"], Invalid),
        ("ci", [], Invalid),
        ("ci", ["root"], Invalid),
        ("admin", ["read"], Conflict),
        ("c\x00", ["read"], Invalid),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(db: Database, name: str, scopes: list[str], error: type[Exception]) -> None:
    with db.write() as tx, pytest.raises(error):
        access.create_token(tx, name, scopes, None, "user:ana", NOW)


def test_the_admin_token_of_the_settings(db: Database) -> None:
    assert auth.bearer(db, "s3cret-of-the-settings", "s3cret-of-the-settings", NOW).allows("admin")
    for presented, configured in (("", ""), ("x", ""), ("s3cret", "s3cret-of-the-settings"), ("\ud800", "s3cret")):
        with pytest.raises(Unauthenticated):
            auth.bearer(db, presented, configured, NOW)


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site", "origin": "https://qs.example.org", "host": "qs.example.org"}, False),
        ({"origin": "http://10.0.0.5:8080", "host": "10.0.0.5:8080"}, True),
        ({"origin": "https://qs.example.org", "host": "127.0.0.1:8080"}, True),
        ({"origin": "http://evil.example", "host": "10.0.0.5:8080"}, False),
        ({"origin": "null", "host": "null"}, False),
        ({"host": "10.0.0.5:8080"}, False),
    ],
)
def test_which_requests_come_from_our_own_pages(headers: dict[str, str], ours: bool) -> None:
    assert auth.same_origin(headers, "https://qs.example.org") is ours


def test_every_role_has_no_more_than_it_says() -> None:
    assert auth.ROLES["viewer"] == {"read"}
    assert "admin" not in auth.ROLES["responder"]
    assert auth.scopes_of(["ingest"]) == {"ingest"}
    assert auth.scopes_of(["root"]) == frozenset()
