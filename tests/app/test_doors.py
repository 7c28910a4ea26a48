"""Coming in and going out by the pages: set-up link, sign-in, sign-out, requests from other sites."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from quietshift.app.api.security import COOKIE
from quietshift.kernel import access, auth
from tests.support.web import PASSWORD, Site


def first_link(site: Site) -> str:
    with site.app.db.write() as tx:
        secret = access.first_link(tx, site.now)
    assert secret is not None
    return access.link_path(secret)


def set_up(site: Site, user: str = "ana") -> None:
    answer = site.browser().post(first_link(site), data={"user": user, "password": PASSWORD, "again": PASSWORD})
    assert answer.status_code == 303


def test_pages_ask_strangers_to_sign_in_and_lead_back(site: Site) -> None:
    answer = site.browser().get("/incidents/INC-1042?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/incidents/INC-1042%3Fx%3D1")


def test_the_set_up_link_makes_an_administrator_and_signs_in(site: Site) -> None:
    path, browser = first_link(site), site.browser()
    page = browser.get(path)
    assert page.status_code == 200
    assert '<option value="ana">Ana</option>' in page.text
    assert browser.post(path, data={"user": "ana", "password": PASSWORD, "again": "other"}).status_code == 400
    answer = browser.post(path, data={"user": "ana", "password": PASSWORD, "again": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Your account is ready" in browser.get("/").text
    assert "expired" in site.browser().get(path).text
    assert site.browser().get(path).status_code == 404


def test_who_is_not_in_the_catalog_cannot_set_up(site: Site) -> None:
    path = first_link(site)
    answer = site.browser().post(path, data={"user": "eve", "password": PASSWORD, "again": PASSWORD})
    assert answer.status_code == 400
    assert "no User &#39;eve&#39;" in answer.text


def test_the_cookie_is_of_no_use_to_scripts_and_other_sites(make_site: Callable[..., Site]) -> None:
    site = make_site(external_url="https://qs.example.org")
    set_up(site)
    answer = site.browser().post("/sign-in", data={"user": "ana", "password": PASSWORD})
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(COOKIE))
    for wanted in ("HttpOnly", "SameSite=lax", "Secure", "Path=/"):
        assert wanted in cookie
    assert "max-age=31536000" in answer.headers["strict-transport-security"]


def test_sign_in_leads_back_but_never_away(site: Site) -> None:
    set_up(site)
    sign_in = {"user": "ana", "password": PASSWORD}
    for wanted, leads in {
        "/incidents/INC-1042": "/incidents/INC-1042", "//evil.example": "/", "https://evil.example": "/", "/\\evil.example": "/",
        "/sign-out": "/", "/a\nb": "/",
    }.items():  # fmt: skip
        answer = site.browser().post("/sign-in", data={**sign_in, "next": wanted})
        assert (answer.status_code, answer.headers["location"]) == (303, leads)


def test_a_wrong_password_is_told_on_the_page(site: Site) -> None:
    set_up(site)
    answer = site.browser().post("/sign-in", data={"user": "ana", "password": "wrong", "next": "/journal"})
    assert answer.status_code == 401
    assert "Name or password is wrong." in answer.text
    assert 'value="ana"' in answer.text
    assert 'value="/journal"' in answer.text
    assert "wrong\"" not in answer.text.replace('class="flash wrong"', "")


def test_guessing_is_answered_429(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(auth.LIMITS, "address", 2)
    browser = site.browser()
    codes = [browser.post("/sign-in", data={"user": "ana", "password": "x"}).status_code for _ in range(3)]
    assert codes == [401, 401, 429]


def test_a_password_is_changed_by_who_knows_it(site: Site) -> None:
    set_up(site)
    mine, other = site.browser(), site.browser()
    for browser in (mine, other):
        assert browser.post("/sign-in", data={"user": "ana", "password": PASSWORD}).status_code == 303
    new = "another one, and longer"
    for old, first, again in (("wrong", new, new), (PASSWORD, "short", "short"), (PASSWORD, new, "different")):
        assert mine.post("/me/password", data={"old": old, "new": first, "again": again}).status_code == 303
        assert "not changed" in mine.get("/me").text
    mine.post("/me/password", data={"old": PASSWORD, "new": new, "again": new})
    assert "Your password is changed" in mine.get("/me").text
    assert other.get("/me").status_code == 303
    assert site.browser().post("/sign-in", data={"user": "ana", "password": PASSWORD}).status_code == 401
    assert site.browser().post("/sign-in", data={"user": "ana", "password": new}).status_code == 303


def test_sign_out_ends_the_session(site: Site) -> None:
    browser = site.signed_in()
    kept = browser.cookies[COOKIE]
    assert browser.get("/").status_code == 200
    assert browser.post("/sign-out").headers["location"] == "/sign-in"
    browser.cookies.set(COOKIE, kept)
    assert browser.get("/").status_code == 303


def test_an_old_session_is_over(site: Site) -> None:
    browser = site.signed_in()
    site.app.clock.advance(auth.SESSION_IDLE - timedelta(seconds=1))  # type: ignore[attr-defined]  # a ManualClock
    assert browser.get("/").status_code == 200
    site.app.clock.advance(auth.SESSION_IDLE - timedelta(seconds=1))  # type: ignore[attr-defined]
    assert browser.get("/").status_code == 200, "it was used, so it goes on"
    site.app.clock.advance(auth.SESSION_IDLE)  # type: ignore[attr-defined]
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "path", ["/sign-out", "/sign-in", "/me", "/incidents/INC-1001/acknowledge", "/api/v1/incidents/1001/resolve"]
)
def test_another_site_changes_nothing_with_our_cookie(site: Site, path: str, headers: dict[str, str]) -> None:
    incident = site.alert()
    browser = site.signed_in()
    answer = browser.post(path, headers=headers)
    assert answer.status_code == 403
    assert "own pages" in answer.text
    assert site.program().get(f"/api/v1/incidents/{incident}").json()["state"] == "triggered"
    assert browser.get("/").status_code == 200


def test_every_page_carries_a_strict_policy_and_loads_nothing_from_elsewhere(site: Site) -> None:
    incident = site.alert()
    browser = site.signed_in(role="admin")
    for path in ("/", "/incidents", f"/incidents/{incident}", "/schedules", "/alerts", "/pages", "/journal", "/me", "/nowhere"):
        answer = browser.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', answer.text), path
        assert " style=" not in answer.text
        assert not re.search(r"<[^>]* on\w+=", answer.text)


def test_static_files_are_kept_for_ever_by_their_digest(site: Site) -> None:
    browser = site.browser()
    page = browser.get("/sign-in").text
    address = re.search(r'href="(/static/app\.css\?v=\w+)"', page)
    assert address is not None
    answer = browser.get(address[1])
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/css")
    assert browser.get("/static/app.css?v=older").headers["cache-control"] == "no-cache"
    assert browser.get(address[1], headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    for outside in ("/static/../templates/base.html", "/static/..%2ftemplates/base.html", "/static/", "/static//etc/passwd"):
        assert browser.get(outside).status_code == 404


def test_a_body_that_is_too_large_is_refused(site: Site) -> None:
    answer = site.browser().post("/sign-in", content=b"x" * (1 << 20) + b"y")
    assert answer.status_code == 413

    def parts():  # type: ignore[no-untyped-def]  # without a Content-Length
        for _ in range(20):
            yield b"x" * 100_000

    assert site.program().post("/api/v1/incidents/1/note", content=parts()).status_code == 413


def test_what_can_be_read_can_be_asked_about(site: Site) -> None:
    for path in ("/", "/api/v1/status", "/static/app.css"):
        whole, head = (getattr(site.signed_in(), verb)(path) for verb in ("get", "head"))
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == whole.headers["content-length"]
    assert site.signed_in().head("/events?topic=incidents").status_code == 405


@pytest.mark.parametrize("path", ["/incidents?q=a%00b", "/incidents/a%00b", "/api/v1/incidents?service=%00"])
def test_a_nul_is_refused_at_the_edge(site: Site, path: str) -> None:
    assert site.signed_in().get(path).status_code == 400


def test_somebody_who_left_the_catalog_is_out(site: Site) -> None:
    from quietshift.catalog.model import Catalog
    from quietshift.kernel.ops import Loaded

    browser = site.signed_in()
    assert browser.get("/").status_code == 200
    empty, before = Loaded(), site.app.ops.current
    empty._parts = {**before._parts, Catalog: Catalog()}
    site.app.ops.current = empty
    assert browser.get("/").status_code == 303
