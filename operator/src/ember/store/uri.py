"""Names of objects: `s3://bucket/key`. Pure."""

import re
from typing import NamedTuple

_URI = re.compile(r"^(s3a?)://([^/?#]*)(?:/(.*))?$", re.DOTALL)
_BUCKET = re.compile(r"^[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]$")
_KEY_BYTES = 1024


class Location(NamedTuple):
    """A bucket and a key; the key is empty for the bucket itself."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def parse_s3_uri(uri: str) -> Location:
    """Split `s3://bucket/key` or `s3a://bucket/key`; raises ValueError with a sentence for a user."""
    found = _URI.match(uri)
    if found is None:
        raise ValueError(f"{uri!r} is not an object store location: it must begin with s3:// or s3a://")
    bucket, key = found[2], found[3] or ""
    if not bucket:
        raise ValueError(f"{uri!r} names no bucket")
    if not _BUCKET.match(bucket) or ".." in bucket:
        raise ValueError(
            f"{uri!r} has no valid bucket name: 3 to 63 lower-case letters, digits, hyphens or single dots"
        )
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in key):
        raise ValueError(f"{uri!r} has control characters in its key")
    # Servers and proxies fold such segments away: the object would land somewhere else.
    if any(segment in (".", "..") for segment in key.split("/")):
        raise ValueError(f"{uri!r} has '.' or '..' as a segment of its key")
    if len(key.encode()) > _KEY_BYTES:
        raise ValueError(f"the key of {uri[:80]!r}... is longer than {_KEY_BYTES} bytes")
    return Location(bucket, key)
