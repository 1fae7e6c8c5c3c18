"""Follows the log of one pod from its first line to its last, and has it uploaded."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from ember.logagent import cri
from ember.logagent.channel import BrokerError, Channel, PodOrder, pause
from ember.logagent.files import LogFiles
from ember.logagent.options import AgentOptions
from ember.logagent.stream import LogStream
from ember.logagent.uploads import ObjectStore, Uploads
from ember.model.labels import DRIVER_CONTAINER
from ember.store import StoreError
from ember.telemetry.logs import bind
from ember.telemetry.metrics import AgentMetrics

_STREAMS = ("stdout", "stderr")


class Turn(Enum):
    """What came of one turn at reading."""

    READ = auto()
    END = auto()
    """The end of the file, for now."""
    FULL = auto()
    """The scratch disk is full: the files on the node, held open, are the place to wait in."""
    RESUME = auto()
    """The log's beginning is gone: the store must be asked what it has."""


@dataclass(frozen=True)
class Surroundings:
    """What all followers of an agent share. `reader` has one thread: pods take turns in it, none gets two in a row."""

    options: AgentOptions
    channel: Channel
    store: ObjectStore
    metrics: AgentMetrics
    reader: Executor
    uploads_at_once: asyncio.Semaphore
    clock: Callable[[], float]


class Follower:
    """One pod's log."""

    def __init__(self, order: PodOrder, shared: Surroundings) -> None:
        self.order = order
        self.failing = False
        self._shared = shared
        self._log = bind(logging.getLogger(__name__), namespace=order.namespace, pod=order.name)
        self._scratch = shared.options.scratch / order.uid
        self._files = LogFiles(shared.options.node_logs / order.directory)
        self._parser = cri.Parser()
        self._streams: dict[str, LogStream] = {}
        self._skip: dict[bytes, int] = {}
        self._resumed = False
        self._ended = asyncio.Event()
        self._ended_at = 0.0
        self._drained = False
        self._hurry = asyncio.Event()
        self._told = ""
        self._first_task_at: float | None = None
        self._uploads = Uploads(
            shared.store,
            order.namespace,
            self._streams,
            in_thread=self._in_thread,
            turns=shared.uploads_at_once,
            metrics=shared.metrics,
        )
        self.update(order)

    def update(self, order: PodOrder) -> None:
        """Take what the broker says now."""
        self.order = order
        self._uploads.destinations = order.destinations  # a warm worker has none before it is claimed
        if order.ended and not self._ended.is_set():
            self._ended_at = self._shared.clock()
            self._ended.set()

    async def run(self) -> None:
        """Follow to the end; returns once the broker knows that all is uploaded."""
        await self._in_thread(self._prepare)
        reading = asyncio.create_task(self._read())
        try:
            uploading = asyncio.create_task(self._upload())
            try:
                await asyncio.gather(reading, uploading)
            finally:
                uploading.cancel()
            await self._complete()
        finally:
            reading.cancel()
            await self._in_thread(self._clean)

    async def refresh(self) -> None:
        """Upload what there is now: the agent is about to stop."""
        await self._uploads.refresh(final=False)

    async def _in_thread(self, call: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._shared.reader, call)

    def _prepare(self) -> None:
        self._scratch.mkdir(parents=True, exist_ok=True)
        for name in _STREAMS:
            self._streams[name] = LogStream(name, self._scratch, self._shared.options.rotate_bytes)

    async def _read(self) -> None:
        options = self._shared.options
        while True:
            turn = await self._in_thread(self._turn)
            if turn is Turn.RESUME:
                await self._resume()
            elif turn is Turn.FULL:
                self._hurry.set()
                await asyncio.sleep(options.poll_interval)
            elif turn is Turn.END and self._whole():
                break
            elif turn is Turn.END and self._ended.is_set():
                await asyncio.sleep(options.ending_poll_interval)
            elif turn is Turn.END:
                await pause(self._ended, options.poll_interval)
        await self._in_thread(self._finish)
        self._drained = True
        self._hurry.set()

    def _turn(self) -> Turn:
        """Read a bounded piece. Runs in the reader's thread."""
        self._files.scan()
        if self._files.rotated_at_first and not self._resumed:
            return Turn.RESUME
        self._drop_excess()
        written = [stream.write_out() for stream in self._streams.values()]
        if not all(written):
            for stream in self._streams.values():
                stream.rotate_early()
            return Turn.FULL
        data = self._files.read(self._shared.options.turn_bytes)
        if not data:
            return Turn.END
        self._shared.metrics.read_bytes.inc(len(data))
        self._feed(self._parser.feed(data))
        return Turn.READ

    def _drop_excess(self) -> None:
        if dropped := self._files.drop_excess(self._shared.options.backlog_bytes):
            self._shared.metrics.dropped_bytes.inc(dropped)
            self._log.warning("log dropped: written faster than it can be read", extra={"bytes": dropped})
            self._feed(self._parser.flush())
            notice = f"{dropped} bytes of this log were dropped here: it was written faster than it can be read"
            self._streams["stderr"].feed(f"\n[ember: {notice}]\n".encode())

    def _feed(self, pieces: list[cri.Piece]) -> None:
        if self._skip:
            pieces = cri.after(pieces, self._skip)
        if self._first_task_at is None and self.order.container == DRIVER_CONTAINER:
            self._first_task_at = cri.first_task(pieces)
        content = cri.content(pieces)
        self._streams["stdout"].feed(content.stdout, content.times.get("stdout"))
        self._streams["stderr"].feed(content.stderr, content.times.get("stderr"))

    def _whole(self) -> bool:
        """Tell, at the end of the file, whether nothing more can come. Every wait for it has a bound."""
        if not self._ended.is_set():
            return False
        options = self._shared.options
        waited = self._shared.clock() - self._ended_at
        if not self._files.found:
            return waited >= options.no_directory_bound
        if all(stream.marked for stream in self._streams.values()):
            return True
        if self._files.more:
            return False
        return waited >= (options.quiet if self.order.terminated else options.no_mark_bound)

    def _finish(self) -> None:
        self._feed(self._parser.flush())
        for stream in self._streams.values():
            stream.finish()

    async def _resume(self) -> None:
        """Go on where an agent before this one stopped, if the kubelet has deleted the log's beginning since."""
        earliest = cri.instant(self._files.first_line().partition(b" ")[0])
        delay = self._shared.options.first_retry
        while True:
            try:
                begun = await self._uploads.begun(earliest)
                break
            except StoreError as error:
                await self._tell(str(error))
                await asyncio.sleep(delay)
                # What the kubelet deletes before it is opened is lost; what is open fills the disk.
                await self._in_thread(self._files.scan)
                await self._in_thread(self._drop_excess)
                delay = min(2 * delay, self._shared.options.longest_retry)

        def begin() -> None:
            for name, known in begun.items():
                self._streams[name].remove()
                self._streams[name] = LogStream(name, self._scratch, self._shared.options.rotate_bytes, known)
                self._skip[name.encode()] = cri.instant(known.last)

        await self._in_thread(begin)
        self._resumed = True

    async def _upload(self) -> None:
        options = self._shared.options
        wait, retry = options.upload_interval, options.first_retry
        await self._uploads.prepare()
        while True:
            await pause(self._hurry, wait)
            self._hurry.clear()
            final = self._drained
            error = await self._uploads.refresh(final=final, unseen=not self._files.found)
            await self._tell(error)
            if error:
                wait, retry = retry, min(2 * retry, options.longest_retry)
            elif final:
                return
            else:
                wait, retry = options.upload_interval, options.first_retry

    async def _tell(self, error: str) -> None:
        """Report an error, or its end, when it is news."""
        self.failing = bool(error)
        if error == self._told:
            return
        self._log.log(logging.WARNING if error else logging.INFO, error or "uploads work again")
        try:
            await self._shared.channel.report(self.order.uid, complete=False, error=error)
            self._told = error
        except BrokerError as failure:
            self._log.warning("the broker could not be told: %s", failure)

    async def _complete(self) -> None:
        delay = 0.2
        while True:
            try:
                await self._shared.channel.report(
                    self.order.uid, complete=True, error="", first_task_at=self._first_task_at
                )
                break
            except BrokerError as failure:
                self._log.warning("the broker could not be told of the end: %s", failure)
                await asyncio.sleep(delay)
                delay = min(2 * delay, 5.0)
        seconds = self._shared.clock() - self._ended_at
        self._shared.metrics.completion_seconds.observe(seconds)
        self._log.info("log complete", extra={"seconds": round(seconds, 3)})

    def _clean(self) -> None:
        self._files.close()
        for stream in self._streams.values():
            stream.remove()
        self._remove(self._scratch)

    @staticmethod
    def _remove(directory: Path) -> None:
        for left in directory.glob("*"):
            left.unlink(missing_ok=True)
        directory.rmdir()
