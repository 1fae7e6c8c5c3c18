"""What runs leave in the object store: their logs, and the answers of the examples."""

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit


def split_uri(uri: str) -> tuple[str, str]:
    """Split s3://bucket/key."""
    parts = urlsplit(uri, allow_fragments=False)
    return parts.netloc, parts.path.lstrip("/")


def keys(client: Any, uri: str) -> list[str]:
    """Return the URIs of all objects under a prefix."""
    bucket, prefix = split_uri(uri)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [f"s3://{bucket}/{found['Key']}" for page in pages for found in page.get("Contents", [])]


def read(client: Any, uri: str) -> bytes:
    """Return an object's content."""
    bucket, key = split_uri(uri)
    content: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def read_log(client: Any, uri: str) -> str:
    """Return the text of a log."""
    return gzip.decompress(read(client, uri)).decode(errors="replace")


def counted_words(client: Any, uri: str) -> Counter[str]:
    """Read what the word count wrote."""
    counts: Counter[str] = Counter()
    for part in keys(client, uri):
        if part.endswith(".csv"):
            rows = csv.reader(io.StringIO(read(client, part).decode()))
            next(rows, None)  # the header
            counts.update({word: int(count) for word, count in rows})
    return counts


def right_word_counts(client: Any, uri: str) -> Counter[str]:
    """Count the words of the same texts here."""
    counts: Counter[str] = Counter()
    for text in keys(client, uri):
        counts.update(read(client, text).decode().split())
    return counts


def missing_logs(client: Any, log_uri: str, executors: Iterable[str]) -> list[str]:
    """Return which logs of a run should be in the store and are not: EMR's layout, a driver and its executors."""
    there = set(keys(client, log_uri))
    workers = ["SPARK_DRIVER", *(f"SPARK_EXECUTOR/{number}" for number in executors)]
    wanted = [f"{log_uri.rstrip('/')}/{worker}/{name}.gz" for worker in workers for name in ("stdout", "stderr")]
    return [uri for uri in wanted if uri not in there]


def events(client: Any, uri: str) -> list[dict[str, Any]]:
    """Return the events of the Spark event log under a prefix: rolled files, compressed as Spark 4 does by default."""
    parts = sorted((part for part in keys(client, uri) if "/events_" in part), key=_roll)
    text = b"".join(_decompressed(part, read(client, part)) for part in parts)
    return [json.loads(line) for line in text.splitlines()]


def _roll(uri: str) -> int:
    return int(uri.rpartition("/events_")[2].partition("_")[0])


def _decompressed(uri: str, content: bytes) -> bytes:
    if not uri.endswith(".zstd"):
        return content
    # Imported late: only tests read event logs.
    import pyarrow

    plain: bytes = pyarrow.input_stream(pyarrow.BufferReader(content), compression="zstd").read()
    return plain
