"""`http_config` against real servers: redirects, tokens, proxies, certificates, and what an answer may not repeat."""

import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import msgspec
import pytest

from quietshift.channels import http, tls
from quietshift.channels.access import OPEN, HttpAccess, OAuth2, Proxy, Secret, Tls
from quietshift.channels.proxies import proxy_for
from quietshift.kernel.outbox import Answer
from tests.support.tls import PEM, TlsServer
from tests.support.webhook import Scripted, WebhookServer

OURS = Secret(file=str(PEM))


@pytest.fixture
def https() -> Iterator[TlsServer]:
    server = TlsServer()
    yield server
    server.close()


def post(url: str, access: HttpAccess = OPEN) -> Answer:
    return http.send(http.post_json(url, {"a": 1}), access, 5)


# -- redirects -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [307, 308])
def test_a_lasting_redirect_repeats_the_message(webhook_server, status):
    webhook_server.answer("/old", Scripted(status, headers=(("Location", "/new"),)))
    answer = post(webhook_server.url("/old"))
    assert (answer.outcome, answer.code) == ("accepted", 200)
    [arrived] = webhook_server.posts("/new")
    assert (arrived.method, arrived.json, arrived.headers["Content-Type"]) == ("POST", {"a": 1}, "application/json")


@pytest.mark.parametrize("status", [301, 302, 303])
def test_the_older_redirects_ask_by_get_and_say_that_the_message_did_not_arrive(webhook_server, status):
    webhook_server.answer("/old", Scripted(status, headers=(("Location", "/new"),)))
    answer = post(webhook_server.url("/old"))
    assert answer.outcome == "accepted"
    assert "the message did not reach it" in answer.text
    [arrived] = webhook_server.posts("/new")
    assert (arrived.method, arrived.body) == ("GET", b"")


def test_another_origin_hears_nothing_of_who_we_are(webhook_server):
    other = WebhookServer()
    try:
        webhook_server.answer("/old", Scripted(307, headers=(("Location", other.url("/new")),)))
        access = HttpAccess(scheme="Bearer", credentials=Secret("tok-123456"), headers=(("X-Key", Secret("hidden")),))
        assert post(webhook_server.url("/old"), access).outcome == "accepted"
        [arrived] = other.posts("/new")
        assert arrived.json == {"a": 1}
        assert not {"authorization", "x-key"} & {name.lower() for name in arrived.headers}
        [first] = webhook_server.posts("/old")
        told = {name.lower(): value for name, value in first.headers.items()}
        assert (told["authorization"], told["x-key"]) == ("Bearer tok-123456", "hidden")
    finally:
        other.close()


def test_redirects_can_be_refused_and_do_not_go_round_for_ever(webhook_server):
    webhook_server.always("/round", Scripted(307, headers=(("Location", "/round"),)))
    refused = post(webhook_server.url("/round"), HttpAccess(follow_redirects=False))
    assert (refused.outcome, refused.code) == ("permanent", 307)
    webhook_server.always("/file", Scripted(307, headers=(("Location", "file:///etc/passwd"),)))
    assert post(webhook_server.url("/file")).outcome == "permanent"
    before = len(webhook_server.posts())
    assert post(webhook_server.url("/round")).outcome == "temporary"
    assert len(webhook_server.posts()) - before == http.MOST_REDIRECTS


# -- who we are ----------------------------------------------------------------------------------------------------------


def oauth2(server: WebhookServer, **more: object) -> OAuth2:
    return OAuth2(client_id="id", client_secret=Secret("s3cret-of-id"), token_url=server.url("/token"), scopes=("a", "b"), **more)


def test_a_token_is_had_once_and_again_when_it_is_refused_or_over(webhook_server):
    answers = [b'{"access_token": "one", "expires_in": 3600}', b'{"access_token": "two", "expires_in": 5}']
    webhook_server.answer("/token", *(Scripted(200, answer) for answer in answers))
    webhook_server.always("/token", Scripted(200, b'{"access_token": "three"}'))
    webhook_server.answer("/x", 200, 200, 401)
    access = HttpAccess(oauth2=oauth2(webhook_server, endpoint_params=(("audience", Secret("us")),)))
    for _ in range(5):
        post(webhook_server.url("/x"), access)
    used = [{k.lower(): v for k, v in one.headers.items()}["authorization"] for one in webhook_server.posts("/x")]
    assert used == ["Bearer one", "Bearer one", "Bearer one", "Bearer two", "Bearer three"]
    asked = webhook_server.posts("/token")
    assert asked[0].body == b"grant_type=client_credentials&scope=a+b&audience=us"
    assert len(asked) == 3


def test_a_token_server_that_reads_the_form_alone_is_asked_once_more(webhook_server):
    webhook_server.answer("/token", 401, Scripted(200, b'{"access_token": "one"}'))
    assert post(webhook_server.url("/x"), HttpAccess(oauth2=oauth2(webhook_server))).outcome == "accepted"
    assert b"client_secret=s3cret-of-id" in webhook_server.posts("/token")[1].body


def test_no_token_is_temporary_and_shows_no_secret(webhook_server):
    webhook_server.always("/token", Scripted(400, b'{"error": "invalid_client", "you_sent": "s3cret-of-id"}'))
    answer = post(webhook_server.url("/x"), HttpAccess(oauth2=oauth2(webhook_server)))
    assert answer.outcome == "temporary"
    assert "invalid_client" in answer.text
    assert "s3cret-of-id" not in answer.text
    assert webhook_server.posts("/x") == []


def test_secrets_are_read_from_their_files_each_time(webhook_server, tmp_path):
    file = tmp_path / "password"
    file.write_text("one\n")
    access = HttpAccess(username=Secret("ana"), password=Secret(file=str(file)))
    post(webhook_server.url("/x"), access)
    file.write_text("two\n")
    post(webhook_server.url("/x"), access)
    used = [{k.lower(): v for k, v in one.headers.items()}["authorization"] for one in webhook_server.posts("/x")]
    assert used == ["Basic YW5hOm9uZQ==", "Basic YW5hOnR3bw=="]
    file.unlink()
    answer = post(webhook_server.url("/x"), access)
    assert (answer.outcome, str(file) in answer.text) == ("temporary", True)


@pytest.mark.parametrize("status", [400, 403, 500])
def test_an_answer_that_repeats_what_it_was_sent_is_cleaned(webhook_server, status):
    webhook_server.always("/hook/T0kenInPath", Scripted(status, b"bad: /hook/T0kenInPath, Basic YW5hOnNlc2FtZTI=, h1dden-key"))
    url = webhook_server.url("/hook/T0kenInPath")
    access = HttpAccess(username=Secret("ana"), password=Secret("sesame2"), headers=(("X-Key", Secret("h1dden-key")),))
    answer = http.send(http.post_json(url, {}, secrets=("T0kenInPath",)), access, 5)
    assert answer.code == status
    assert not any(word in answer.text for word in ("T0kenInPath", "YW5hOnNlc2FtZTI", "sesame2", "h1dden-key"))
    assert "bad:" in answer.text


# -- certificates --------------------------------------------------------------------------------------------------------


def test_a_certificate_counts_if_its_ca_is_trusted(https):
    answer = post(https.url())
    assert (answer.outcome, "certificate" in answer.text.lower()) == ("temporary", True)
    for trust in (Tls(ca=OURS), Tls(ca=Secret(PEM.read_text())), Tls(insecure_skip_verify=True)):
        assert post(https.url(), HttpAccess(tls=trust)).outcome == "accepted", trust


def test_the_certificate_has_to_name_the_server_or_whom_server_name_says(https):
    elsewhere = https.url().replace("127.0.0.1", "localhost")  # the certificate is 127.0.0.1's alone
    assert post(elsewhere, HttpAccess(tls=Tls(ca=OURS))).outcome == "temporary"
    assert post(elsewhere, HttpAccess(tls=Tls(ca=OURS, server_name="127.0.0.1"))).outcome == "accepted"
    assert post(https.url(), HttpAccess(tls=Tls(ca=OURS, server_name="mail.example.org"))).outcome == "temporary"


def test_a_server_that_wants_our_certificate_gets_it():
    server = TlsServer(clients=True)
    try:
        assert post(server.url(), HttpAccess(tls=Tls(ca=OURS))).outcome == "temporary"
        files, inline = Tls(ca=OURS, cert=OURS, key=OURS), Tls(ca=OURS, cert=Secret(PEM.read_text()), key=Secret(PEM.read_text()))
        for ours in (files, inline):
            assert post(server.url(), HttpAccess(tls=ours)).outcome == "accepted"
    finally:
        server.close()


def test_an_older_tls_than_min_version_is_refused():
    server = TlsServer(most=ssl.TLSVersion.TLSv1_2)
    try:
        assert post(server.url(), HttpAccess(tls=Tls(ca=OURS))).outcome == "accepted"
        assert post(server.url(), HttpAccess(tls=Tls(ca=OURS, min_version="TLS13"))).outcome == "temporary"
    finally:
        server.close()


def test_a_ca_that_is_none_or_not_there_is_temporary_and_says_so(https, tmp_path):
    broken, missing = tmp_path / "broken.pem", tmp_path / "missing.pem"
    broken.write_text("this is no certificate")
    answer = post(https.url(), HttpAccess(tls=Tls(ca=Secret(file=str(broken)))))
    assert (answer.outcome, "the CA" in answer.text) == ("temporary", True)
    answer = post(https.url(), HttpAccess(tls=Tls(ca=Secret(file=str(missing)))))
    assert (answer.outcome, str(missing) in answer.text) == ("temporary", True)
    broken.write_text(PEM.read_text())  # a file that is replaced counts at once
    assert post(https.url(), HttpAccess(tls=Tls(ca=Secret(file=str(broken))))).outcome == "accepted"


def test_the_key_of_an_inline_certificate_shows_nowhere():
    trust = Tls(cert=Secret(PEM.read_text()), key=Secret(PEM.read_text()))
    assert "PRIVATE" not in repr(HttpAccess(tls=trust))
    assert tls.context(trust) is tls.context(msgspec.structs.replace(trust))


# -- proxies -------------------------------------------------------------------------------------------------------------


def test_a_proxy_is_asked_by_connect_and_told_its_header(interceptor):
    through = Proxy(
        url=Secret(f"http://user:pr0xypass@127.0.0.1:{interceptor.port}"), connect_header=(("X-Proxy", Secret("let-me")),)
    )
    access = HttpAccess(tls=Tls(insecure_skip_verify=True), proxy=through)
    assert post("https://events.example.org/v2", access).outcome == "accepted"
    [arrived] = interceptor.posts()
    assert (arrived.path, arrived.json) == ("/events.example.org/v2", {"a": 1})
    told = {name.lower(): value for name, value in interceptor.asked[0].items()}
    assert told["x-proxy"] == "let-me"
    assert told["proxy-authorization"].startswith("Basic ")
    assert "x-proxy" not in {name.lower() for name in arrived.headers}


def test_a_proxy_that_is_not_there_is_temporary_and_its_password_is_not_told(free_port):
    access = HttpAccess(proxy=Proxy(url=Secret(f"http://user:pr0xypass@127.0.0.1:{free_port}")))
    answer = post("https://events.example.org/v2", access)
    assert (answer.outcome, "pr0xypass" in answer.text) == ("temporary", False)


@pytest.mark.parametrize(
    ("url", "exceptions", "spared"),
    [
        ("https://a.example.org/", "example.org", True), ("https://example.org/", "example.org", True),
        ("https://example.org/", ".example.org", False), ("https://a.example.org/", "*.example.org", True),
        ("https://badexample.org/", "example.org", False), ("https://a.example.org:8443/", "example.org:443", False),
        ("https://a.example.org/", "example.org:443", True), ("http://10.1.2.3/", "10.0.0.0/8", True),
        ("http://11.1.2.3/", "10.0.0.0/8", False), ("http://[2001:db8::1]/", "2001:db8::/32", True),
        ("http://x.net/", "*", True), ("http://localhost:8/", "x", True), ("http://127.0.0.1/", "x", True),
        ("http://x.net/", " a.org , x.net ", True), ("http://x.net/", "", False),
    ],
)  # fmt: skip
def test_exceptions_are_asked_without_the_proxy(url, exceptions, spared):
    through = Proxy(url=Secret("http://p:1"), exceptions=exceptions)
    assert proxy_for(url, through, {}) == ("" if spared else "http://p:1")


def test_the_environment_names_proxies_where_that_is_asked_for():
    environment = {"HTTPS_PROXY": "p:3128", "NO_PROXY": "in.example.org", "http_proxy": "http://q:1"}
    asked = Proxy(from_environment=True)
    assert proxy_for("https://x.org/", asked, environment) == "http://p:3128"
    assert proxy_for("http://x.org/", asked, environment) == "http://q:1"
    assert proxy_for("https://in.example.org/", asked, environment) == ""
    assert proxy_for("https://x.org/", Proxy(), environment) == ""


# -- broken servers ------------------------------------------------------------------------------------------------------


def test_a_refused_connection_a_silent_server_and_a_broken_answer_are_temporary(webhook_server, free_port):
    assert post(f"http://127.0.0.1:{free_port}/").outcome == "temporary"
    webhook_server.answer("/slow", Scripted(hold=30))
    answer = http.send(http.post_json(webhook_server.url("/slow"), {}), timeout=0.3)
    assert (answer.outcome, "no answer within" in answer.text) == ("temporary", True)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            connection, _ = listening.accept()
            connection.recv(100)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        assert post(f"http://127.0.0.1:{listening.getsockname()[1]}/").outcome == "temporary"
        thread.join()


def test_an_address_that_is_none_is_permanent():
    for url in ("http://", "ftp://example.org/x", ""):
        assert post(url).outcome == "permanent", url


def test_connections_are_kept_warm(webhook_server):
    seen: set[int] = set()
    original = ThreadingHTTPServer.get_request

    def counted(self: ThreadingHTTPServer) -> object:
        request = original(self)
        seen.add(request[1][1])
        return request

    webhook_server._http.get_request = counted.__get__(webhook_server._http)
    for _ in range(5):
        assert post(webhook_server.url("/x")).outcome == "accepted"
    assert len(seen) == 1
