"""The launcher's own few log lines: JSON on standard error, between the lines of Spark."""

import json
import os
import select
import time

_FULL_SECONDS = 10.0  # that the container runtime may take to read on
_context: dict[str, str] = {}


def bind(**fields: str) -> None:
    """Add fields (the run's id, say) to every line from now on."""
    _context.update(fields)


def info(message: str, **fields: object) -> None:
    """Say what happened."""
    _write("info", message, fields)


def warning(message: str, **fields: object) -> None:
    """Say what went wrong but is dealt with."""
    _write("warning", message, fields)


def error(message: str, **fields: object) -> None:
    """Say why the run cannot go on."""
    _write("error", message, fields)


def _write(level: str, message: str, fields: dict[str, object]) -> None:
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
    line = {"ts": stamp, "level": level, "logger": "ember.worker", "message": message, **_context, **fields}
    # One write per line: the JVM and the Python job write to the same pipe.
    write_all(2, json.dumps(line, default=str).encode() + b"\n")


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything, or give up quietly: a closed log stream must not end a run.

    The job's processes share the stream, and any of them may have made it non-blocking.
    """
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            if not select.select([], [descriptor], [], _FULL_SECONDS)[1]:
                return
        except OSError:
            return
