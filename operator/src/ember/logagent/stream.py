"""One stream (stdout or stderr) of one pod: the end mark, rotation, the spool files."""

from pathlib import Path
from typing import NamedTuple

from ember.logagent.spool import GzipSpool, Snapshot
from ember.model.labels import END_MARK

_MARK = END_MARK.encode()
_MARK_LINE = _MARK + b"\n"
_OVERLONG = 1024 * 1024


class EndMark:
    """Withholds a last line which is, or may become, the end mark. A mark with text after it was not the end."""

    def __init__(self) -> None:
        self._held = b""

    @property
    def seen(self) -> bool:
        """Whether the mark is the last thing there is."""
        return self._held in (_MARK, _MARK_LINE)

    def feed(self, data: bytes) -> bytes:
        """Return the text to keep."""
        if not data:
            return b""
        data = self._held + data
        for length in range(min(len(_MARK_LINE), len(data)), 0, -1):
            if data.endswith(_MARK_LINE[:length]):
                self._held = data[-length:]
                return data[:-length]
        self._held = b""
        return data

    def flush(self) -> bytes:
        """Return what was withheld and is not the mark."""
        held, self._held = self._held, self._held if self.seen else b""
        return b"" if self.seen else held


class Part(NamedTuple):
    """One object to upload: its name under the destination, its bytes, its metadata, the version of its stream."""

    name: str
    body: Snapshot
    metadata: dict[str, str]
    version: tuple[int, int]


class Begun(NamedTuple):
    """How far an agent before this one came with a stream: times of its first and last line, objects archived."""

    first: bytes
    last: bytes
    archived: int


class LogStream:
    """Takes text, keeps it as gzip files: one live, the full ones sealed until they are uploaded.

    Where an object ends depends on the text alone (the first newline at or after `rotate_bytes`), never on the
    chunks: an agent that starts again writes the same objects.
    """

    def __init__(self, name: str, scratch: Path, rotate_bytes: int, begun: Begun | None = None) -> None:
        self.name = name
        self._total = 0
        self._first = begun.first if begun else b""
        self._last = begun.last if begun else b""
        self._archived = begun.archived if begun else 0
        self._scratch = scratch
        self._rotate_bytes = rotate_bytes
        self._mark = EndMark()
        self._sealed: dict[int, GzipSpool] = {}
        self._live = self._new()

    @property
    def version(self) -> tuple[int, int]:
        """Changes with the text, and with what of it is in the live object."""
        return (self._archived, self._total)

    @property
    def empty(self) -> bool:
        """Whether there was no text yet."""
        return self._total == 0

    @property
    def marked(self) -> bool:
        """Whether the end mark is the last thing in the stream."""
        return self._mark.seen

    def feed(self, data: bytes, times: tuple[bytes, bytes] | None = None) -> None:
        """Add text as it came, with the times of its first and last line."""
        if times:
            self._first = self._first or times[0]
            self._last = times[1]
        self._write(memoryview(self._mark.feed(data)))

    def finish(self) -> None:
        """Add what was withheld: nothing more comes."""
        self._write(memoryview(self._mark.flush()))

    def write_out(self) -> bool:
        """Write what a full disk refused before; False while it still does."""
        written = [spool.write_out() for spool in (*self._sealed.values(), self._live)]
        return all(written)

    def rotate_early(self) -> None:
        """Seal the live object, for want of disk, unless a sealed one still waits to be uploaded and deleted."""
        if self._live.size and not self._sealed:
            self._rotate()

    def live(self) -> Part:
        """Return the live object."""
        return Part(f"{self.name}.gz", self._live.snapshot(), self._metadata(), self.version)

    def sealed(self, number: int) -> Part:
        """Return a full object which is still on scratch."""
        return Part(f"archived/{self.name}_{number}.gz", self._sealed[number].sealed(), self._metadata(), self.version)

    @property
    def sealed_numbers(self) -> tuple[int, ...]:
        """The numbers of the full objects which are still on scratch."""
        return tuple(self._sealed)

    def forget(self, number: int) -> None:
        """Delete a full object from scratch: it is in every destination."""
        self._sealed.pop(number).remove()

    def _metadata(self) -> dict[str, str]:
        """Return what an agent must know that starts later and finds the log's beginning gone from the node."""
        return {
            "ember-first": self._first.decode("ascii", "replace"),
            "ember-last": self._last.decode("ascii", "replace"),
            "ember-archived": str(self._archived),
        }

    def remove(self) -> None:
        """Delete everything from scratch."""
        for spool in (*self._sealed.values(), self._live):
            spool.remove()
        self._sealed.clear()

    def _new(self) -> GzipSpool:
        return GzipSpool(self._scratch / f"{self.name}_{self._archived + 1}.gz")

    def _write(self, data: memoryview) -> None:
        while data:
            cut = self._cut(data)
            self._total += cut
            self._live.write(data[:cut])
            full = self._live.size >= self._rotate_bytes
            if full and (data[cut - 1] == 0x0A or self._live.size >= self._rotate_bytes + _OVERLONG):
                self._rotate()
            data = data[cut:]

    def _cut(self, data: memoryview) -> int:
        """Return how much of the data belongs to the live object."""
        room = max(self._rotate_bytes - self._live.size, 1)
        if len(data) < room:
            return len(data)
        most = max(1, min(len(data), self._rotate_bytes + _OVERLONG - self._live.size))
        newline = bytes(data[room - 1 : most]).find(b"\n")
        return room + newline if newline >= 0 else most

    def _rotate(self) -> None:
        full = self._live
        self._archived += 1
        try:
            self._live = self._new()
        except OSError:
            # No room even for a new file: the object grows on, and is cut at a later line.
            self._archived -= 1
            return
        full.seal()
        self._sealed[self._archived] = full
