"""Accounts, tokens, contacts, the journal and the queue over the API; and the description of all of it."""

from datetime import timedelta

import pytest

from quietshift.kernel import outbox, timers
from tests.support.web import PASSWORD, Site


def test_a_token_is_shown_once_and_works_until_it_is_revoked(site: Site) -> None:
    api = site.program()
    made = api.post("/api/v1/tokens", json={"name": "ci", "scopes": ["read"], "expires_at": "2026-12-01T00:00:00Z"})
    assert made.status_code == 201
    secret = made.json()["token"]
    assert secret.startswith("qs_")
    assert secret not in api.get("/api/v1/tokens").text
    who = site.browser().get("/api/v1/whoami", headers={"Authorization": f"Bearer {secret}"}).json()
    assert who == {"actor": "token:ci", "user": None, "role": "viewer", "scopes": ["read"]}
    assert api.post("/api/v1/tokens", json={"name": "ci", "scopes": ["read"]}).status_code == 409
    assert api.delete("/api/v1/tokens/ci").json()["revoked_at"] == "2026-11-21T03:00:00Z"
    assert site.browser().get("/api/v1/whoami", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    assert {"token.created", "token.revoked"} <= set(site.journaled())


def test_an_invitation_makes_an_account(site: Site) -> None:
    api = site.program()
    made = api.post("/api/v1/accounts", json={"name": "bo", "role": "viewer"})
    assert made.status_code == 201
    url = made.json()["url"]
    assert url.startswith("http://127.0.0.1:8080/setup/")
    browser = site.browser()
    path = url.removeprefix("http://127.0.0.1:8080")
    assert browser.post(path, data={"user": "bo", "password": PASSWORD, "again": PASSWORD}).status_code == 303
    assert browser.get("/api/v1/whoami").json()["role"] == "viewer"
    assert api.patch("/api/v1/accounts/bo", json={"role": "responder"}).json()["role"] == "responder"
    assert browser.get("/api/v1/whoami").json()["role"] == "responder"
    assert api.patch("/api/v1/accounts/bo", json={"disabled": True}).json()["disabled_at"] is not None
    assert browser.get("/api/v1/whoami").status_code == 401
    assert [a["name"] for a in api.get("/api/v1/accounts").json()] == ["bo"]


def test_who_is_not_in_the_catalog_is_not_invited(site: Site) -> None:
    answer = site.program().post("/api/v1/accounts", json={"name": "eve"})
    assert answer.status_code == 400
    assert "catalog" in answer.json()["detail"]


# -- contacts ------------------------------------------------------------------------------------------------------------


def test_contacts_are_a_persons_own(site: Site) -> None:
    ana = site.signed_in("ana", "viewer")
    assert ana.get("/api/v1/users/me/contacts").json()["own"] is False
    rules = [{"after": "0s", "via": "https://example.org/page"}, {"after": "2m", "via": "mailto:a@example.org"}]
    assert ana.put("/api/v1/users/me/contacts", json={"rules": rules}).json() == {"user": "ana", "own": True, "rules": rules}
    assert site.signed_in("bo", "responder").get("/api/v1/users/ana/contacts").status_code == 403
    assert site.program().get("/api/v1/users/ana/contacts").json()["rules"] == rules
    assert ana.put("/api/v1/users/me/contacts", json={"rules": []}).json()["own"] is False
    assert site.program().get("/api/v1/users/me/contacts").status_code == 404
    entries = site.program().get("/api/v1/journal", params={"subject": "user:ana"}).json()
    assert len(entries) == 2
    assert "https://example.org/page" not in str(entries)


@pytest.mark.parametrize(
    ("query", "said"),
    [("stat=triggered", "query.stat: no such parameter"), ("limit=1&limit=2", "query.limit: is given more than once")],
)
def test_a_filter_that_is_none_is_refused_not_ignored(site: Site, query: str, said: str) -> None:
    answer = site.program("read").get(f"/api/v1/incidents?{query}")
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert site.program("respond").get("/api/v1/incidents?state=triggered&state=resolved").status_code == 200


@pytest.mark.parametrize("via", ["carrier-pigeon:ana", "mailto:", "https://", "x" * 2001, "mailto:a\nb@example.org"])
def test_a_contact_that_leads_nowhere_is_refused(site: Site, via: str) -> None:
    answer = site.signed_in().put("/api/v1/users/me/contacts", json={"rules": [{"via": via}]})
    assert answer.status_code in (400, 422)


def test_a_test_page_tries_every_contact(site: Site) -> None:
    answer = site.program("respond").post("/api/v1/users/ana/test-page")
    assert (answer.status_code, answer.json()["stage"]) == (202, "test")
    assert site.program("read").post("/api/v1/users/ana/test-page").status_code == 403
    with site.app.db.read() as tx:
        from sqlalchemy import select

        from quietshift.kernel.schema import outbox as rows

        assert len(tx.execute(select(rows.c.id)).all()) == 2
    assert len(site.signed_in().get("/api/v1/users/me/test-page").json()) == 1


# -- on call, catalog, learning --------------------------------------------------------------------------------------------


def test_who_is_on_call(site: Site) -> None:
    api = site.program("read")
    every = api.get("/api/v1/oncall").json()
    assert {"payments", "storage"} <= {one["schedule"] for one in every}
    one = api.get("/api/v1/oncall", params={"schedule": "payments", "at": "2026-01-06T12:00:00+01:00"}).json()
    assert one[0] | {"reason": ""} == {
        "schedule": "payments", "users": ["ana"], "start": "2026-01-05T14:00:00Z", "end": "2026-01-12T14:00:00Z",
        "layer": "weekly", "reason": "",
    }  # fmt: skip
    assert api.get("/api/v1/oncall", params={"service": "checkout"}).json()[0]["schedule"] == "payments"
    assert api.get("/api/v1/oncall", params={"schedule": "nope"}).status_code == 404
    span = {"schedule": "payments", "from": "2026-01-05T14:00:00Z", "to": "2026-01-19T14:00:00Z"}
    shifts = api.get("/api/v1/oncall/shifts", params=span).json()
    assert [s["user"] for s in shifts] == ["ana", "bo"]
    assert api.get("/api/v1/oncall/shifts", params=span | {"to": "2028-01-19T14:00:00Z"}).status_code == 400
    assert api.get("/api/v1/oncall/shifts", params=span | {"from": "9998-12-31T23:00:00Z", "to": "9998-12-31T23:30:00Z"}).json()
    for at in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "2026-02-30T00:00:00Z", "now", ""):
        assert api.get("/api/v1/oncall", params={"at": at}).status_code == 422


def test_the_catalog_and_the_rank(site: Site) -> None:
    api = site.program("read")
    refs = [one["ref"] for one in api.get("/api/v1/catalog", params={"kind": "Component"}).json()]
    assert api.get("/api/v1/catalog", params={"kind": "Compnent"}).status_code == 422
    assert "component:default/checkout" in refs
    assert api.get("/api/v1/catalog/owners").json()
    site.alert()
    rank = api.get("/api/v1/pages/top", params={"weeks": 4}).json()
    assert (rank["pages"], rank["rows"][0]["alertname"]) == (1, "CheckoutFailing")
    assert api.get("/api/v1/pages/top", params={"weeks": 10**30}).status_code == 422


# -- journal, queue, status --------------------------------------------------------------------------------------------------


def test_the_journal_is_for_administrators_and_goes_on(site: Site) -> None:
    incident = site.alert()
    assert site.program("read").get("/api/v1/journal").status_code == 403
    api = site.program()
    acts = [e["act"] for e in api.get("/api/v1/journal", params={"subject": f"incident:{incident}"}).json()]
    assert "incident.opened" in acts
    first = api.get("/api/v1/journal", params={"limit": 1})
    second = api.get(first.links["next"]["url"])
    assert first.json()[0]["id"] != second.json()[0]["id"]


def test_parked_work_is_shown_and_set_going_again(site: Site) -> None:
    with site.app.db.write() as tx:
        timers.schedule(tx, "no.such.kind", "x", site.now, site.now)
        outbox.enqueue(tx, "no.such.kind", "nowhere", {}, site.now)
    for day in range(timers.MAX_ATTEMPTS):
        timers.run_due(site.app.db, {}, site.now + timedelta(days=day))
    api = site.program()
    parked = api.get("/api/v1/queue", params={"parked": True}).json()
    assert [(row["queue"], row["state"]) for row in parked] == [("timers", "parked")]
    assert "no handler" in parked[0]["error"]
    assert api.get("/api/v1/status").json()["parked"] == 1
    assert {row["queue"] for row in api.get("/api/v1/queue").json()} == {"timers", "outbox"}
    after = api.post(f"/api/v1/queue/{parked[0]['id']}/retry").json()
    assert (after["state"], after["attempts"]) == ("failing", 0)
    assert api.get("/api/v1/queue", params={"parked": True}).json() == []
    assert api.post(f"/api/v1/queue/{parked[0]['id']}/retry").status_code == 409
    assert api.post("/api/v1/queue/nothing/retry").status_code == 404
    assert "queue.retried" in site.journaled()


# -- the description -------------------------------------------------------------------------------------------------------


def test_the_description_is_whole_and_our_own(site: Site) -> None:
    described = site.browser().get("/api/v1/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    for path, operations in described["paths"].items():
        assert path.startswith("/api/v1/")
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["tags"], where
            assert {"401", "403"} <= set(operation["responses"]), where
            scopes = [scope for need in operation["security"] for scopes in need.values() for scope in scopes]
            assert set(scopes) <= {"read", "respond", "admin"}, where
            assert scopes, f"{where} needs no scope"
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert list(response["content"]) == ["application/problem+json"], where
    for gone in ("/docs", "/redoc", "/api/docs"):
        assert site.browser().get(gone).status_code in (404, 303)


def test_an_error_of_our_own_tells_nothing_of_the_inside(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from quietshift.oncall import answers

    def broken(*_: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(answers, "who_everywhere", broken)
    answer = site.program().get("/api/v1/oncall")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "hunter2" not in answer.text
    assert answer.headers["content-security-policy"]


def test_a_store_that_is_away_is_answered_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from quietshift.kernel.errors import Unavailable

    def away() -> None:
        raise Unavailable("the database cannot be read now: gone")

    monkeypatch.setattr(site.app.db, "read", away)
    answer = site.program().get("/api/v1/incidents")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
