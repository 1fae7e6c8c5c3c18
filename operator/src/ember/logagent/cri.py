"""The container runtime's log format: `<time> stdout|stderr F|P[:tag] <text>`. Pure.

Whatever the chunks in which a file is read, the pieces put together give the same text. Memory is bounded: of a line
longer than `_LONG` only its head is waited for, the rest passes through as it comes.
"""

import re
from datetime import datetime
from typing import NamedTuple

_LONG = 256 * 1024
# One match for each line, so that findall (one call into C for a whole chunk) can do the work. A line which is not of
# the format has empty groups 1 to 3: it is kept as it is rather than lost.
_LINE = re.compile(rb"(?:(\d[^ \n]*) (stdout|stderr) ([FP])[^ \n]*(?: |(?=\n)))?([^\n]*)\n")
_HEAD = re.compile(rb"(\d[^ \n]*) (stdout|stderr) ([FP])[^ \n]* ")

Piece = tuple[bytes, bytes, bytes, bytes]
"""(time, stream, F or P, text without newline); of a line out of format, all but the text is empty."""


class Content(NamedTuple):
    """The text of both streams within a chunk, and the times of the first and the last line of each."""

    stdout: bytes
    stderr: bytes
    times: dict[str, tuple[bytes, bytes]]


class Parser:
    """Turns the bytes of one log, chunk by chunk, into pieces."""

    def __init__(self) -> None:
        self._rest = b""
        self._inside: tuple[bytes, bytes, bytes] | None = None

    def feed(self, chunk: bytes) -> list[Piece]:
        """Return the pieces that the chunk completes."""
        pieces: list[Piece] = []
        if self._inside is not None:
            chunk = self._go_on(chunk, self._inside, pieces)
        data = self._rest + chunk
        end = data.rfind(b"\n") + 1
        pieces.extend(_LINE.findall(data, 0, end))
        self._rest = data[end:]
        if len(self._rest) > _LONG:
            self._enter(pieces)
        return pieces

    def flush(self) -> list[Piece]:
        """Return what stands after the last newline: the runtime was killed in the middle of a line."""
        rest, self._rest, self._inside = self._rest, b"", None
        if not rest:
            return []
        if head := _HEAD.match(rest):
            return [(head[1], head[2], b"P", rest[head.end() :])]
        return [(b"", b"", b"P", rest)]

    def _enter(self, pieces: list[Piece]) -> None:
        """Begin to pass an over-long line through."""
        head = _HEAD.match(self._rest)
        self._inside = (head[1], head[2], head[3]) if head else (b"", b"", b"")
        pieces.append((self._inside[0], self._inside[1], b"P", self._rest[head.end() if head else 0 :]))
        self._rest = b""

    def _go_on(self, chunk: bytes, line: tuple[bytes, bytes, bytes], pieces: list[Piece]) -> bytes:
        """Pass more of an over-long line through; returns what follows it."""
        text, newline, after = chunk.partition(b"\n")
        pieces.append((line[0], line[1], line[2] if newline else b"P", text))
        if newline:
            self._inside = None
        return after


def content(pieces: list[Piece]) -> Content:
    """Tell the streams apart and give full lines their newline back. Lines out of format count as stderr."""
    out = [p[3] + b"\n" if p[2] != b"P" else p[3] for p in pieces if p[1] == b"stdout"]
    err = [p[3] + b"\n" if p[2] != b"P" else p[3] for p in pieces if p[1] != b"stdout"]
    times: dict[str, tuple[bytes, bytes]] = {}
    for name, token in (("stdout", b"stdout"), ("stderr", b"stderr")):
        first = next((p[0] for p in pieces if p[1] == token), b"")
        if first:
            times[name] = (first, next(p[0] for p in reversed(pieces) if p[1] == token))
    return Content(b"".join(out), b"".join(err), times)


def after(pieces: list[Piece], last: dict[bytes, int]) -> list[Piece]:
    """Return the pieces later than the last one known of their stream (nanoseconds)."""
    return [piece for piece in pieces if instant(piece[0]) > last.get(piece[1], -1)]


def instant(time: bytes) -> int:
    """Return a line's time in nanoseconds since 1970; 0 where it is not a time."""
    try:
        text = time.decode("ascii")
        whole, _, rest = text.partition(".")
        digits = re.match(r"\d*", rest)
        fraction = digits[0] if digits else ""
        zone = rest[len(fraction) :] if rest else ""
        seconds = int(datetime.fromisoformat(whole + zone).timestamp())
    except ValueError:
        return 0
    return seconds * 1_000_000_000 + int((fraction + "000000000")[:9])


def first_task(pieces: list[Piece]) -> float | None:
    """When Spark's scheduler logged its first task, in epoch seconds; None if none of these lines is that one.

    Spark itself tells it only in the event log, which is a compressed file that is open until the end.
    """
    for time, stream, _, text in pieces:
        if stream == b"stderr" and b" TaskSetManager: Starting task 0.0 in stage 0.0 " in text:
            return instant(time) / 1e9
    return None
