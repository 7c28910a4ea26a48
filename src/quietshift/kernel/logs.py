"""Structured logs on stderr: a line of text for people, a line of JSON for machines. Secrets are redacted on the way out."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from quietshift.kernel.redact import redact, redact_text

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact_text(record.getMessage()),
            **redact(_extra(record)),
        }
        if record.exc_info:
            line["exception"] = redact_text(self.formatException(record.exc_info))
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """`12:00:01.123 warning quietshift.outbox: late result dropped  kind=page.mail`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S.%f")[:-3]
        fields = "".join(f"  {key}={value}" for key, value in redact(_extra(record)).items())
        text = f"{at} {record.levelname.lower()} {record.name}: {redact_text(record.getMessage())}{fields}"
        if record.exc_info:
            text += "\n" + redact_text(self.formatException(record.exc_info))
        return text


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def set_up(level: str, style: str) -> None:
    """Send every log record to stderr. level: debug, info, warning, error; style: auto, text, json."""
    if style == "auto":
        style = "text" if sys.stderr.isatty() else "json"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if style == "text" else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("uvicorn.access", "httpx2", "httpcore2", "alembic"):
        logging.getLogger(noisy).setLevel("WARNING")
