"""JSON log lines on standard error, made with the standard logging module.

One line is one event: `{"ts", "level", "logger", "message", ...}`; whatever a caller binds or passes as `extra` becomes
a field of its own. Secrets must never reach a log call; what looks like one is blotted out here all the same.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SECRET_NAME = re.compile(r"(?i)(token|secret|password|authorization|credential|access_?key|signature|^auth$)")
_SECRET_TEXT = re.compile(
    r"(?i)(bearer\s+)[\w\-.~+/=]{8,}"
    r"|((?:secret[_-]?access[_-]?key|session[_-]?token|password|x-amz-security-token)[\"']?\s*[=:]\s*[\"']?)[^\s\"',&]+"
)
_BLOT = "***"
_DEEPEST = 4


def redact(text: str) -> str:
    """Blot out bearer tokens and `key=value` secrets within a text."""
    return _SECRET_TEXT.sub(lambda found: (found[1] or found[2]) + _BLOT, text)


def _plain(value: object, depth: int = 0) -> Any:
    """Return the value as JSON data, without secrets; None for what has no useful JSON form."""
    if isinstance(value, str):
        return redact(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth >= _DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {str(k): _BLOT if _SECRET_NAME.search(str(k)) else _plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item, depth + 1) for item in value]
    return None


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without the newline."""
        when = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "ts": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for name, value in vars(record).items():
            if name in _STANDARD or name in line or name.startswith("_"):
                continue
            plain = _BLOT if _SECRET_NAME.search(name) and value else _plain(value)
            # Frameworks put whole objects of theirs on records: those have no plain form and are left out.
            if plain is not None or value is None:
                line[name] = plain
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


class BoundLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger which adds its fields to each record; fields of the call win."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Merge the bound fields with those of the call (LoggerAdapter alone would drop the latter before 3.13)."""
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs

    def bind(self, **fields: object) -> "BoundLogger":
        """Return a logger with more fields."""
        return BoundLogger(self.logger, {**(self.extra or {}), **fields})


def bind(logger: logging.Logger | str, **fields: object) -> BoundLogger:
    """Return a logger whose lines carry the fields, e.g. `namespace`, `application`, `jobRun`, `jobRunId`, `pod`."""
    return BoundLogger(logging.getLogger(logger) if isinstance(logger, str) else logger, fields)


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every logger of the process, as JSON, to standard error. Calling it again replaces the former set-up."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These report each request at INFO; what of it matters is in our own lines and metrics.
    for chatty in ("aiohttp.access", "botocore", "aiobotocore", "urllib3", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
