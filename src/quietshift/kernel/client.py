"""The command line's way to a server: `QUIETSHIFT_URL` and `QUIETSHIFT_TOKEN` (or `QUIETSHIFT_TOKEN_FILE`) name it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quietshift.kernel.errors import Invalid, NotFound, QuietshiftError, Unauthenticated, Unavailable

DEFAULT_URL = "http://127.0.0.1:8080"


class ApiError(QuietshiftError):
    """The server refused; its own words, with its status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """A server's JSON API. Each call raises ApiError with the server's words, or Unavailable where nobody answers."""

    def __init__(self, url: str, token: str = "") -> None:
        import httpx2

        self.url = url.rstrip("/")
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._http = httpx2.Client(base_url=self.url, headers=headers, timeout=30)

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return self._call("GET", path, params=dict(params or {}))

    def post(self, path: str, json: Any = None) -> Any:
        return self._call("POST", path, json={} if json is None else json)

    def put(self, path: str, json: Any) -> Any:
        return self._call("PUT", path, json=json)

    def patch(self, path: str, json: Any) -> Any:
        return self._call("PATCH", path, json=json)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path)

    def _call(self, method: str, path: str, **options: Any) -> Any:
        import httpx2

        try:
            answer = self._http.request(method, path, **options)
        except httpx2.HTTPError as error:
            raise Unavailable(f"no answer from {self.url}: {error} (is the server running? QUIETSHIFT_URL names it)") from None
        if answer.is_success:
            return answer.json() if answer.content else None
        if answer.status_code == 401:
            raise Unauthenticated(f"{self.url} wants a token: set QUIETSHIFT_TOKEN")
        try:
            problem = answer.json()
            words = problem if isinstance(problem, str) else problem.get("detail") or problem.get("title") or answer.text
        except ValueError:
            words = answer.text[:300]
        if answer.status_code == 404:
            raise NotFound(str(words))
        raise ApiError(answer.status_code, str(words))


def connect(environ: Mapping[str, str] | None = None) -> Client:
    """A client for the server that the environment names."""
    environ = os.environ if environ is None else environ
    token = environ.get("QUIETSHIFT_TOKEN", "")
    if not token and (file := environ.get("QUIETSHIFT_TOKEN_FILE")):
        try:
            token = Path(file).read_text().strip()
        except OSError as error:
            raise Invalid(f"QUIETSHIFT_TOKEN_FILE: cannot be read: {error.strerror}") from None
    return Client(environ.get("QUIETSHIFT_URL") or DEFAULT_URL, token)
