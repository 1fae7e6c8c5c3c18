"""The store client against real S3 servers."""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from ember.store import Store, StoreRefused, StoreUnavailable
from tests.contract.store_server import ACCESS, READER, READER_SECRET, SECRET, S3Server, free_port


async def keys(namespace: str) -> Mapping[str, Any]:
    if namespace == "reader":
        return {"AccessKeyId": READER, "SecretAccessKey": READER_SECRET}
    if namespace == "unknown":
        return {"AccessKeyId": "nobody", "SecretAccessKey": "nothing"}
    if namespace == "mistyped":
        return {"AccessKeyId": ACCESS, "SecretAccessKey": "wrong"}
    return {"AccessKeyId": ACCESS, "SecretAccessKey": SECRET}


@pytest.fixture
async def store(s3_server: S3Server) -> AsyncIterator[Store]:
    async with Store(s3_server, keys, seconds=5) as opened:
        yield opened


async def test_an_object_is_written_with_its_type_and_metadata(store: Store, s3_server: S3Server, bucket: str) -> None:
    await store.put_object(f"s3://{bucket}/a/b", b"text", content_type="text/plain", metadata={"ember-last": "7"})
    seen = s3_server.client().get_object(Bucket=bucket, Key="a/b")
    assert (seen["Body"].read(), seen["ContentType"], seen["Metadata"]) == (b"text", "text/plain", {"ember-last": "7"})
    assert await store.head(f"s3://{bucket}/a/b") == {"ember-last": "7"}
    assert await store.get_object(f"s3://{bucket}/a/b") == b"text"


async def test_a_file_is_written_whole_wherever_it_stands(store: Store, bucket: str) -> None:
    body = io.BytesIO(b"x" * 3_000_000)
    body.seek(1000)
    await store.put_object(f"s3a://{bucket}/file", body)
    assert len(await store.get_object(f"s3://{bucket}/file")) == 3_000_000


async def test_the_marker_of_a_prefix_can_be_made_twice(store: Store, bucket: str) -> None:
    for _ in range(2):
        await store.ensure_marker(f"s3://{bucket}/jobs/1/sparklogs")
    assert await store.head(f"s3://{bucket}/jobs/1/sparklogs/") is not None
    await store.put_object(f"s3://{bucket}/jobs/1/sparklogs/log", b"x")
    assert await store.get_object(f"s3://{bucket}/jobs/1/sparklogs/log") == b"x"


async def test_what_is_not_there_does_not_exist(store: Store, bucket: str) -> None:
    assert await store.head(f"s3://{bucket}/nothing") is None
    with pytest.raises(StoreRefused, match="does not exist"):
        await store.get_object(f"s3://{bucket}/nothing")


async def test_a_copy_keeps_the_metadata(store: Store, bucket: str) -> None:
    await store.put_object(f"s3://{bucket}/from here", b"x", metadata={"a": "b"})
    await store.copy(f"s3://{bucket}/from here", f"s3://{bucket}/archived/to")
    assert await store.head(f"s3://{bucket}/archived/to") == {"a": "b"}


async def test_a_missing_bucket_is_named(store: Store) -> None:
    with pytest.raises(StoreRefused, match="the bucket no-such-bucket does not exist") as caught:
        await store.put_object("s3://no-such-bucket/x", b"")
    assert caught.value.code == "NoSuchBucket"


@pytest.mark.parametrize(
    ("namespace", "sentence"),
    [("unknown", "does not know the access key of the namespace unknown"), ("mistyped", "refused the secret key")],
)
async def test_wrong_keys_are_refused_with_a_sentence(store: Store, bucket: str, namespace: str, sentence: str) -> None:
    with pytest.raises(StoreRefused, match=sentence):
        await store.put_object(f"s3://{bucket}/x", b"", namespace=namespace)


async def test_each_namespace_has_its_own_keys(store: Store, bucket: str, s3_server: S3Server) -> None:
    if s3_server.kind != "seaweedfs":
        pytest.skip("only this server is given a second key")
    await store.put_object(f"s3://{bucket}/x", b"1", namespace="writer")
    assert await store.get_object(f"s3://{bucket}/x", namespace="reader") == b"1"
    with pytest.raises(StoreRefused, match="namespace reader need to be allowed s3:PutObject"):
        await store.put_object(f"s3://{bucket}/x", b"2", namespace="reader")


async def test_names_of_all_sorts(store: Store, bucket: str) -> None:
    for key in ("with space", "plus+and%25", "ünïcödé", "a=b/c&d", "'quotes\""):
        await store.put_object(f"s3://{bucket}/{key}", key.encode())
        assert await store.get_object(f"s3://{bucket}/{key}") == key.encode()


async def test_many_at_once(store: Store, bucket: str) -> None:
    await asyncio.gather(*(store.put_object(f"s3://{bucket}/{n}", b"x" * n) for n in range(20)))
    assert len(await store.get_object(f"s3://{bucket}/19")) == 19


async def test_a_store_that_is_down_is_unavailable_and_soon() -> None:
    nothing = S3Server("none", f"http://127.0.0.1:{free_port()}")
    async with Store(nothing, keys, seconds=2) as closed:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            await closed.put_object("s3://bucket/x", b"")
        assert time.monotonic() - began < 5


async def test_a_store_that_never_answers_is_unavailable_and_soon() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(20)
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Store(S3Server("none", f"http://127.0.0.1:{port}"), keys, seconds=0.5, attempts=2) as hung:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await hung.put_object("s3://bucket/x", b"")
        assert time.monotonic() - began < 4
    server.close()


async def test_a_location_that_is_none_is_refused_without_a_call(store: Store) -> None:
    with pytest.raises(StoreRefused, match="must begin with s3://"):
        await store.put_object("file:///etc/passwd", b"")
