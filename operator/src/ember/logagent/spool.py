"""A growing gzip file on scratch, of which a whole and valid object can be taken at any moment.

Blocks of a fixed size go into one deflate stream, so the same text gives the same bytes, however it came. A snapshot is
what is in the file plus an end made by a copy of the compressor: nothing is rewritten, nothing is held in memory.
"""

import io
import os
import zlib
from pathlib import Path

_BLOCK = 64 * 1024
_LEVEL = 5
_GZIP = 31


class Snapshot(io.RawIOBase):
    """A gzip object as a seekable file: the first bytes of the spool file, then an end held in memory."""

    def __init__(self, path: Path, length: int, end: bytes) -> None:
        self._file = path.open("rb", buffering=0)
        self._length = length
        self._end = end
        self._position = 0

    @property
    def size(self) -> int:
        """The object's size in bytes."""
        return self._length + len(self._end)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read again: a retry does so."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Set the position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: "bytearray | memoryview[int]", /) -> int:  # type: ignore[override]
        """Fill the buffer from the position on."""
        room = len(buffer)
        if self._position < self._length:
            data = os.pread(self._file.fileno(), min(room, self._length - self._position), self._position)
            if not data:
                raise OSError("the spool file is shorter than it was")
        else:
            start = self._position - self._length
            data = self._end[start : start + room]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._file.close()
        super().close()


class GzipSpool:
    """One object in the making."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0  # of the text
        self._file = path.open("wb", buffering=0)
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._block = bytearray()
        self._written = 0
        self._unwritten = b""

    def write(self, data: bytes | memoryview) -> None:
        """Add text. A full disk raises nothing and loses nothing: see `write_out`."""
        self.size += len(data)
        self._block += data
        whole = len(self._block) // _BLOCK * _BLOCK
        if whole:
            packed = [self._packer.compress(self._block[at : at + _BLOCK]) for at in range(0, whole, _BLOCK)]
            del self._block[:whole]
            self._unwritten += b"".join(packed)
            self.write_out()

    def write_out(self) -> bool:
        """Write what is packed to the file; False if the disk took not all of it: the rest waits for the next call."""
        try:
            while self._unwritten:
                count = self._file.write(self._unwritten) or 0
                self._written += count
                self._unwritten = self._unwritten[count:]
        except OSError:
            return False
        return True

    def snapshot(self) -> Snapshot:
        """Return the object as it is now."""
        packer = self._packer.copy()
        end = packer.compress(bytes(self._block)) + packer.flush(zlib.Z_FINISH)
        return Snapshot(self.path, self._written, self._unwritten + end)

    def seal(self) -> None:
        """Finish the object: it takes no more text, and snapshots of it are whole."""
        self._unwritten += self._packer.compress(bytes(self._block)) + self._packer.flush(zlib.Z_FINISH)
        self._block.clear()
        self.write_out()

    def sealed(self) -> Snapshot:
        """Return the finished object."""
        return Snapshot(self.path, self._written, self._unwritten)

    def remove(self) -> None:
        """Close and delete the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)
