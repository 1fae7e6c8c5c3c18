"""What runs leave in the store, read from a store in memory."""

import gzip
import io
from collections import Counter
from typing import Any

from local import results

LOGS = "s3://b/logs/applications/a/jobs/j/"


class MemoryStore:
    """As much of boto3's client as is used."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self._objects = objects

    def get_paginator(self, _: str) -> "MemoryStore":
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803
        found = [key for key in self._objects if key.startswith(f"{Bucket}/{Prefix}")]
        return [{"Contents": [{"Key": key.partition("/")[2]} for key in found]}]

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": io.BytesIO(self._objects[f"{Bucket}/{Key}"])}


def test_the_word_count_is_read_with_all_its_parts_and_quotes() -> None:
    store = MemoryStore(
        {"b/out/part-0.csv": b'word,count\n"say ""hi""",2\n"a,b",1\n', "b/out/part-1.csv": b"", "b/out/_SUCCESS": b""}
    )
    assert results.counted_words(store, "s3://b/out/") == Counter({'say "hi"': 2, "a,b": 1})


def test_the_right_answer_is_counted_over_all_texts() -> None:
    store = MemoryStore({"b/in/1.txt": b"a b\na", "b/in/2.txt": b"b\n", "b/other": b"c"})
    assert results.right_word_counts(store, "s3://b/in/") == Counter(a=2, b=2)


def test_logs_are_missing_by_name() -> None:
    prefix = "b/logs/applications/a/jobs/j"
    there = ["SPARK_DRIVER/stdout", "SPARK_DRIVER/stderr", "SPARK_EXECUTOR/2/stdout"]
    store = MemoryStore({f"{prefix}/{name}.gz": b"" for name in there})
    assert results.missing_logs(store, LOGS, ["2"]) == [f"{LOGS}SPARK_EXECUTOR/2/stderr.gz"]


def test_a_log_is_unpacked() -> None:
    store = MemoryStore({"b/log.gz": gzip.compress("ümlaut\n".encode())})
    assert results.read_log(store, "s3://b/log.gz") == "ümlaut\n"


def test_event_logs_are_read_in_the_order_of_their_rolls() -> None:
    store = MemoryStore({"b/e/events_10_x": b'{"n": 3}\n', "b/e/events_2_x": b'{"n": 2}\n', "b/e/appstatus_x": b""})
    assert results.events(store, "s3://b/e/") == [{"n": 2}, {"n": 3}]
