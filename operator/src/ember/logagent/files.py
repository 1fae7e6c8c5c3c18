"""The log files of one container, read as one sequence of bytes.

The kubelet renames `0.log` to `0.log.<time>` at rotation, compresses it at the next one and deletes it later; a
restarted container writes `1.log`. Files are opened as soon as they are seen and kept open, so neither renaming nor
deletion takes anything away. Knows nothing of the format within.
"""

import gzip
import os
import re
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_NAME = re.compile(r"^(\d+)\.log(?:\.(\d{8}-\d{6}))?(\.gz)?$")
_SETTLE = 0.5
_PEEK = 256
_LAST = "~"  # sorts after every time of rotation


class Entry(NamedTuple):
    """A file seen in the directory; `rotated` is empty for the one being written."""

    restart: int
    rotated: str
    packed: bool
    inode: int
    path: Path

    @property
    def order(self) -> tuple[int, bool, str, bool]:
        """Sorts by age, the file being written last, a plain file before its compressed copy."""
        return (self.restart, not self.rotated, self.rotated, self.packed)


@dataclass
class OpenFile:
    """A file being read or waiting to be."""

    entry: Entry
    file: int
    unpacked: gzip.GzipFile | None = None
    ended_with_newline: bool = True

    def read(self, limit: int) -> bytes:
        """Return the next bytes; empty at the end, for now or for good."""
        if self.unpacked is not None:
            try:
                return self.unpacked.read(limit)
            except (OSError, EOFError, zlib.error):
                return b""  # torn by a crash of the node: what came before it is kept
        return os.read(self.file, limit)

    def unread(self) -> int:
        """Return how many bytes are left to read (packed ones, of a packed file)."""
        return max(0, os.fstat(self.file).st_size - os.lseek(self.file, 0, os.SEEK_CUR))

    def settled(self, now: float) -> bool:
        """Tell whether nobody writes to it any more: the runtime goes on for a moment after the renaming."""
        return self.unpacked is not None or abs(now - os.fstat(self.file).st_mtime) >= _SETTLE

    def close(self) -> None:
        """Close the file."""
        if self.unpacked is not None:
            self.unpacked.close()
        os.close(self.file)


class LogFiles:
    """The sequence. `scan` and `read` are to be called from one thread."""

    def __init__(self, directory: Path, wall: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._wall = wall
        self._queue: list[OpenFile] = []
        self._done: tuple[int, str] = (-1, "")
        self._live: OpenFile | None = None
        self.found = False
        self.rotated_at_first = False

    def scan(self) -> None:
        """Open the files that are new."""
        entries = self._entries()
        inodes = {entry.inode for entry in entries}
        for entry in entries:
            if (entry.restart, entry.rotated or _LAST) <= self._done:
                continue
            if self._is_live(entry, inodes):
                if entry.rotated:
                    self._done, self._live = (entry.restart, entry.rotated), None
                continue
            self._open(entry)

    def _is_live(self, entry: Entry, inodes: set[int]) -> bool:
        """Tell whether it is the file known as the one being written, perhaps renamed or even compressed since."""
        live = self._live
        if live is None or entry.restart != live.entry.restart:
            return False
        same = entry.inode == live.entry.inode
        return same or (entry.packed and live.entry.inode not in inodes)

    def _entries(self) -> list[Entry]:
        entries = []
        try:
            with os.scandir(self._directory) as found:
                for item in found:
                    if name := _NAME.match(item.name):
                        inode = item.stat().st_ino
                        entries.append(Entry(int(name[1]), name[2] or "", bool(name[3]), inode, Path(item.path)))
        except (FileNotFoundError, NotADirectoryError):
            return []  # not there yet, or gone: what is open is read on
        return sorted(entries, key=lambda entry: entry.order)

    def _open(self, entry: Entry) -> None:
        try:
            file = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return  # renamed between the listing and now: the next scan meets it again
        inode = os.fstat(file).st_ino
        for known in self._queue:
            # The kubelet takes a renaming back when the runtime does not reopen its log: the same file, live again.
            if known.entry.inode == inode:
                os.close(file)
                self._live = known
                return
        unpacked = gzip.GzipFile(fileobj=os.fdopen(os.dup(file), "rb")) if entry.packed else None
        opened = OpenFile(entry._replace(inode=inode), file, unpacked)
        if not self.found and entry.rotated:
            self.rotated_at_first = True
        self.found = True
        self._queue.append(opened)
        # Files of a restart before this one are done with, too.
        self._done = max(self._done, (entry.restart, entry.rotated))
        if not entry.rotated:
            self._live = opened

    def read(self, limit: int) -> bytes:
        """Return the next bytes; empty when there are none now. A file that ends within a line gets its newline."""
        while self._queue:
            head = self._queue[0]
            if data := head.read(limit):
                head.ended_with_newline = data.endswith(b"\n")
                return data
            if len(self._queue) == 1 or not head.settled(self._wall()):
                return b""
            self._queue.pop(0)
            head.close()
            if not head.ended_with_newline:
                return b"\n"
        return b""

    @property
    def more(self) -> bool:
        """Whether another file follows the one being read, which is soon settled."""
        return len(self._queue) > 1

    def first_line(self) -> bytes:
        """Return the beginning of the oldest file that was found, before anything was read."""
        if not self._queue:
            return b""
        head = self._queue[0]
        try:
            data = head.unpacked.peek(_PEEK) if head.unpacked is not None else os.pread(head.file, _PEEK, 0)
        except (OSError, EOFError, zlib.error):
            return b""
        return data.partition(b"\n")[0]

    def drop_excess(self, limit: int) -> int:
        """Close the oldest rotated files while more than `limit` bytes are unread; returns the bytes given up.

        An open file holds its blocks even when deleted: a container that writes faster than it can be read would fill
        the node's disk through this process.
        """
        dropped = 0
        while len(self._queue) > 2 and sum(file.unread() for file in self._queue) > limit:
            oldest = self._queue.pop(0)
            dropped += oldest.unread()
            oldest.close()
        return dropped

    def close(self) -> None:
        """Close all files."""
        for opened in self._queue:
            opened.close()
        self._queue.clear()
