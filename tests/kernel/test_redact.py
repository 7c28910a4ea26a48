"""Secrets are taken out of whatever is written; texts from outside cannot make that slow."""

import pytest

from quietshift.kernel.redact import redact


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("postgresql://qs:hunter2@db/qs", "postgresql://qs:[redacted]@db/qs"),
        ("1postgresql://qs:hunter2@db/qs", "1postgresql://qs:[redacted]@db/qs"),
        ("http://example.org:8080/a@b", "http://example.org:8080/a@b"),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer [redacted]"),
        ("MY_DB_PASSWORD = 'hunter2'", "MY_DB_PASSWORD = '[redacted]'"),
        ("my-api_key: hunter2, next", "my-api_key: [redacted], next"),
        ("see eyJhbGciOiJI.eyJzdWIiOiIx.c2ln here", "see [redacted] here"),
        ("see eyJhbGciOiJI-eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", "see [redacted]"),
        ("eyJhbGciOiJIUzI1NiJ9 is but a head", "eyJhbGciOiJIUzI1NiJ9 is but a head"),
        ("ghp_0123456789abcdefghij", "[redacted]"),
        ("no secret in here: none", "no secret in here: none"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, kept: str) -> None:
    assert redact({"summary": [text]}) == {"summary": [kept]}


@pytest.mark.timeout(60)  # a second each is plenty; in quadratic time the first of them takes hours
@pytest.mark.parametrize(
    "piece",
    ["x", "a-", "eyJ-", "eyJaaaaaaaa.", "://", "://a:", "://a:b", "password", "token=", "basic ", "bearer a", "secret ", "\"'",
     "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "ghp_", "AKIA", "\ud800"],
)  # fmt: skip
def test_a_megabyte_of_anything_is_read_in_linear_time(piece: str) -> None:
    assert isinstance(redact(piece * (1_000_000 // len(piece))), str)
