"""A node's log directory, a broker and a store, all simulated."""

import asyncio
import gzip
import itertools
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from ember.logagent import AgentOptions
from ember.logagent.channel import BrokerError, PodOrder
from ember.model.labels import END_MARK
from ember.store import StoreUnavailable

_START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
_EPOCH = _START.timestamp()


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for what no event tells of."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the code under test has no event for the tests' sake
            await asyncio.sleep(0.005)


def options(tmp: Path, **changes: Any) -> AgentOptions:
    """Options with short intervals."""
    return replace(
        AgentOptions(
            broker_url="https://broker", node_logs=tmp / "pods", scratch=tmp / "scratch", upload_interval=0.3,
            poll_interval=0.05, ending_poll_interval=0.02, no_directory_bound=0.2, no_mark_bound=0.5, quiet=0.05,
            first_retry=0.05, longest_retry=0.2, forget_after=0.5, stop_bound=2.0,
        ),
        **changes,
    )  # fmt: skip


def order(**changes: Any) -> PodOrder:
    """An order for one driver's log."""
    one = PodOrder("uid-1", "team-a", "run-driver", "spark", ("s3://logs/jobs/1/SPARK_DRIVER/",))
    return replace(one, **changes)


class ContainerLog:
    """What the runtime and the kubelet do to the log files of one container."""

    _ticks = itertools.count()

    def __init__(self, root: Path, pod: PodOrder) -> None:
        self.directory = root / pod.directory
        self.directory.mkdir(parents=True)
        self.stamp = 0
        self.open()

    def open(self) -> None:
        """Begin a new 0.log."""
        self.file = (self.directory / "0.log").open("ab", buffering=0)

    def line(self, text: str | bytes, stream: str = "stdout", *, partial: bool = False) -> None:
        """Write one line as containerd does."""
        tick = next(ContainerLog._ticks)
        when = _START + timedelta(seconds=tick // 1_000_000)
        time = f"{when:%Y-%m-%dT%H:%M:%S}.{tick % 1_000_000:06d}000Z"
        data = text if isinstance(text, bytes) else text.encode()
        self.file.write(f"{time} {stream} {'P' if partial else 'F'} ".encode() + data + b"\n")

    def lines(self, count: int, stream: str = "stdout", *, first: int = 0) -> str:
        """Write numbered lines; returns their text."""
        texts = [f"{stream} line {number} " + "x" * (number % 90) for number in range(first, first + count)]
        for text in texts:
            self.line(text, stream)
        return "".join(text + "\n" for text in texts)

    def end(self) -> None:
        """Write the launcher's end marks."""
        for stream in ("stdout", "stderr"):
            self.line(END_MARK, stream)

    def rename(self) -> Path:
        """Rotate as the kubelet does, up to the moment when the runtime reopens its log."""
        self.stamp += 1
        target = self.directory / f"0.log.20261121-{self.stamp:06d}"
        (self.directory / "0.log").rename(target)
        return target

    def rotate(self, *, keep: int = 5) -> None:
        """Rotate: compress what was rotated before, delete the oldest, rename, reopen."""
        old = sorted(path for path in self.directory.glob("0.log.*") if path.suffix != ".gz")
        for path in old:
            packed = path.with_name(path.name + ".gz")
            packed.write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
        archived = sorted(self.directory.glob("0.log.*"))
        for path in archived[: max(0, len(archived) + 2 - keep)]:
            path.unlink()
        renamed = self.rename()
        self.file.close()
        # Nobody writes to it any more, and for longer than the readers wait for.
        os.utime(renamed, (_EPOCH, _EPOCH))
        self.open()

    def delete(self) -> None:
        """Delete everything, as when the pod is deleted."""
        for path in self.directory.iterdir():
            path.unlink()
        self.directory.rmdir()


@dataclass
class FakeChannel:
    """The broker."""

    orders: dict[str, PodOrder] = field(default_factory=dict)
    revision: int = 1
    reports: list[tuple[str, bool, str]] = field(default_factory=list)
    down: bool = False
    asked: list[int | None] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, *orders: PodOrder) -> None:
        """Change what the list says about some pods."""
        self.orders.update({one.uid: one for one in orders})
        self._changed()

    def drop(self, uid: str) -> None:
        """Take a pod out of the list."""
        del self.orders[uid]
        self._changed()

    def _changed(self) -> None:
        self.revision += 1
        self._news.set()
        self._news = asyncio.Event()

    async def pods(self, known: int | None) -> tuple[int, list[PodOrder]]:
        """See Channel; the long poll is short."""
        self.asked.append(known)
        if self.down:
            raise BrokerError("down")
        if known == self.revision:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), 0.1)
        return self.revision, list(self.orders.values())

    async def report(self, uid: str, *, complete: bool, error: str, first_task_at: float | None = None) -> None:
        """See Channel."""
        if self.down:
            raise BrokerError("down")
        self.reports.append((uid, complete, error))

    async def credentials(self, namespace: str) -> Mapping[str, Any]:
        """See Channel."""
        return {"AccessKeyId": namespace, "SecretAccessKey": "secret"}

    async def complete(self, uid: str = "uid-1", seconds: float = 30.0) -> None:
        """Wait until the pod's logs are reported complete."""
        await until(lambda: any(reported == uid and done for reported, done, _ in self.reports), seconds)

    async def error(self, text: str, seconds: float = 30.0) -> None:
        """Wait until such an error is reported."""
        await until(lambda: any(text in error for _, _, error in self.reports), seconds)


@dataclass
class FakeStore:
    """The object store, in memory; `failing` maps the beginning of a location to the error to raise."""

    objects: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    failing: dict[str, Exception] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)

    def _check(self, uri: str) -> None:
        for start, error in self.failing.items():
            if uri.startswith(start):
                raise error

    def fail(self, start: str = "s3://", error: Exception | None = None) -> None:
        """Make it fail."""
        self.failing[start] = error or StoreUnavailable("the object store cannot be reached")

    async def prepare(self, namespace: str = "") -> None:
        """See Store."""

    async def put_object(
        self,
        uri: str,
        body: bytes | BinaryIO,
        *,
        namespace: str = "",
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """See Store."""
        await asyncio.sleep(0)
        self._check(uri)
        self.objects[uri] = body if isinstance(body, bytes) else body.read()
        self.metadata[uri] = dict(metadata or {})
        self.puts.append(uri)

    async def head(self, uri: str, *, namespace: str = "") -> Mapping[str, str] | None:
        """See Store."""
        self._check(uri)
        return self.metadata.get(uri)

    async def copy(self, source: str, target: str, *, namespace: str = "") -> None:
        """See Store."""
        self._check(target)
        self.objects[target], self.metadata[target] = self.objects[source], self.metadata[source]

    def text(self, stream: str = "stdout", place: str = "s3://logs/jobs/1/SPARK_DRIVER/") -> str:
        """Return a whole stream: its archived objects, then the live one."""
        archived, number = b"", 1
        while (one := self.objects.get(f"{place}archived/{stream}_{number}.gz")) is not None:
            archived += gzip.decompress(one)
            number += 1
        return (archived + gzip.decompress(self.objects[f"{place}{stream}.gz"])).decode()
