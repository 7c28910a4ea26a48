"""Alertmanager's first API, which Alertmanager itself has dropped with 0.27: who asks for it is told where the second one is."""

from __future__ import annotations

import json

STATUS = 410
BODY = json.dumps({
    "status": "deprecated",
    "error": "this version of the API is gone: use /api/v2/ (prometheus.yml: alerting, alertmanagers, api_version: v2)",
}).encode()  # fmt: skip
_PATHS = {"/api/v1/alerts", "/api/v1/alerts/groups", "/api/v1/receivers"}
_SILENCE = "/api/v1/silence/"


def was_there(path: str) -> bool:
    """Whether this was one of its paths, and is none of `quietshift serve`, whose own API is below /api/v1/ too."""
    return path.rstrip("/") in _PATHS or path.startswith(_SILENCE)
