"""The whole log agent against real S3 servers."""

import asyncio
import gzip
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest
from prometheus_client import CollectorRegistry

from ember.logagent import Agent, AgentOptions
from ember.store import Store
from ember.telemetry.metrics import AgentMetrics
from tests.contract import store_server
from tests.contract.store_server import ACCESS, SECRET, S3Server
from tests.unit.logagent.fakes import ContainerLog, FakeChannel, options, order


async def keys(_namespace: str) -> Mapping[str, Any]:
    return {"AccessKeyId": ACCESS, "SecretAccessKey": SECRET}


class Node:
    """An agent with a real store."""

    def __init__(self, server: S3Server, bucket: str, chosen: AgentOptions) -> None:
        self.server, self.bucket, self.options = server, bucket, chosen
        self.channel = FakeChannel()
        self.place = f"s3://{bucket}/applications/00a/jobs/00b/SPARK_DRIVER/"
        self.pod = order(destinations=(self.place,))

    async def __aenter__(self) -> Self:
        self.store = Store(self.server, keys, seconds=5)
        self.agent = Agent(self.options, self.channel, self.store, AgentMetrics(CollectorRegistry()))
        self.running = asyncio.create_task(self.agent.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.running.cancel()
        await self.agent.close()
        await self.store.close()

    def read(self, name: str) -> bytes:
        key = f"applications/00a/jobs/00b/SPARK_DRIVER/{name}"
        return gzip.decompress(self.server.client().get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def names(self) -> list[str]:
        found = self.server.client().list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return sorted(item["Key"].partition("SPARK_DRIVER/")[2] for item in found)


async def test_a_growing_log_with_rotations_arrives_whole(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    chosen = options(tmp_path, rotate_bytes=300_000, poll_interval=0.1)
    async with Node(s3_server, bucket, chosen) as node:
        log, texts = ContainerLog(chosen.node_logs, node.pod), {"stdout": "", "stderr": ""}
        node.channel.say(node.pod)

        def work() -> None:
            for part in range(30):
                texts["stdout"] += log.lines(500, first=500 * part)
                texts["stderr"] += log.lines(100, "stderr", first=100 * part)
                if part % 6 == 5:
                    log.rotate()
                time.sleep(0.05)
            log.end()

        writer = threading.Thread(target=work)
        writer.start()
        await asyncio.to_thread(writer.join)
        node.channel.say(order(destinations=(node.place,), ended=True))
        await node.channel.complete()
        numbers = range(1, len([name for name in node.names() if name.startswith("archived/stdout")]) + 1)
        stdout = b"".join([*(node.read(f"archived/stdout_{n}.gz") for n in numbers), node.read("stdout.gz")])
        assert len(numbers) == 3
        assert stdout.decode() == texts["stdout"]
        assert node.read("stderr.gz").decode() == texts["stderr"]
        assert not list(chosen.scratch.iterdir())


async def test_the_end_of_a_small_log_is_known_within_a_second(
    s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    chosen = options(tmp_path, upload_interval=15.0, poll_interval=1.0, ending_poll_interval=0.1, no_mark_bound=10.0)
    async with Node(s3_server, bucket, chosen) as node:
        log = ContainerLog(chosen.node_logs, node.pod)
        # A new bucket's first object makes some servers allocate volumes: their time, not the agent's.
        await node.store.put_object(f"s3://{bucket}/first", b"x")
        node.channel.say(node.pod)
        text = log.lines(200)
        await asyncio.sleep(0.5)
        text += log.lines(200, first=200)
        log.end()
        began = time.monotonic()
        node.channel.say(order(destinations=(node.place,), ended=True))
        await node.channel.complete()
        seconds = time.monotonic() - began
        print(f"from ended to complete: {seconds:.3f} s")
        assert seconds < 1.0
        assert node.read("stdout.gz").decode() == text
        assert node.names() == ["", "stderr.gz", "stdout.gz"]


async def test_a_bucket_made_later_gets_the_log(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    late = bucket + "-late"
    async with Node(s3_server, late, options(tmp_path)) as node:
        log = ContainerLog(node.options.node_logs, node.pod)
        node.channel.say(node.pod)
        text = log.lines(10)
        await node.channel.error(f"the bucket {late} does not exist")
        log.end()
        node.channel.say(order(destinations=(node.place,), ended=True))
        s3_server.client().create_bucket(Bucket=late)
        await node.channel.complete()
        assert node.read("stdout.gz").decode() == text


@pytest.mark.parametrize("kind", ["minio", "seaweedfs"])
async def test_a_store_that_was_down_gets_everything_later(kind: str, tmp_path: Path) -> None:
    if {"minio": store_server.minio_program, "seaweedfs": store_server.weed_program}[kind]() is None:
        pytest.skip(f"{kind} is not installed")
    port, data = store_server.free_port(), tmp_path / "data"
    data.mkdir()
    down = S3Server(kind, f"http://127.0.0.1:{port}")
    async with Node(down, "logs", options(tmp_path)) as node:
        log = ContainerLog(node.options.node_logs, node.pod)
        node.channel.say(node.pod)
        text = log.lines(1000)
        log.end()
        node.channel.say(order(destinations=(node.place,), ended=True))
        await node.channel.error("cannot be reached")
        with ExitStack() as servers:
            up = await asyncio.to_thread(servers.enter_context, store_server.running(kind, port=port, data=data))
            up.client().create_bucket(Bucket="logs")
            await node.channel.complete(seconds=30)
            assert node.read("stdout.gz").decode() == text
