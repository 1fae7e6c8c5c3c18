"""Brings the objects of one pod to all its destinations, and remembers which of them are up to date."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, BinaryIO, Protocol, cast

from ember.logagent import cri
from ember.logagent.stream import Begun, LogStream, Part
from ember.store import StoreError, StoreRefused, StoreUnavailable
from ember.telemetry.metrics import AgentMetrics

_LOG = logging.getLogger(__name__)


class ObjectStore(Protocol):
    """What the agent needs of `ember.store.Store`."""

    async def prepare(self, namespace: str = "") -> None:
        """Get ready for the calls to come."""
        ...

    async def put_object(
        self,
        uri: str,
        body: bytes | BinaryIO,
        *,
        namespace: str = "",
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write an object."""
        ...

    async def head(self, uri: str, *, namespace: str = "") -> Mapping[str, str] | None:
        """Return an object's metadata; None if it does not exist."""
        ...

    async def copy(self, source: str, target: str, *, namespace: str = "") -> None:
        """Copy an object."""
        ...


class Uploads:
    """The uploads of one pod. Touches the streams only through `in_thread`, where they are written."""

    def __init__(
        self,
        store: ObjectStore,
        namespace: str,
        streams: Mapping[str, LogStream],
        *,
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
        turns: asyncio.Semaphore,
        metrics: AgentMetrics,
    ) -> None:
        self._store = store
        self._namespace = namespace
        self.destinations: tuple[str, ...] = ()
        self._streams = streams
        self._in_thread = in_thread
        self._turns = turns
        self._metrics = metrics
        self._live: dict[tuple[str, str], tuple[int, int]] = {}
        self._sealed: dict[tuple[str, str], int] = {}

    async def prepare(self) -> None:
        """Get ready while the pod still runs, so that its end is prompt."""
        try:
            await self._store.prepare(self._namespace)
        except StoreError as error:
            _LOG.info("the store is not ready: %s", error)

    async def refresh(self, *, final: bool, unseen: bool = False) -> str:
        """Upload what changed; at the end also what is empty. Returns why some of it failed, or nothing.

        `unseen`: the node has no log of the pod. It was never there, or is there no more: what the store has stays.
        """
        pairs = [(place, stream) for place in self.destinations for stream in self._streams.values()]
        results = await asyncio.gather(
            *(self._one(place, stream, final=final, unseen=unseen) for place, stream in pairs), return_exceptions=True
        )
        errors: list[str] = []
        for result in results:
            if isinstance(result, StoreError):
                errors.append(str(result))
            elif result is not None:
                raise result
        await self._forget_sealed()
        return "; ".join(dict.fromkeys(errors))

    async def _one(self, place: str, stream: LogStream, *, final: bool, unseen: bool) -> None:
        """Bring one stream to one destination: the full objects first, so that no text is ever missing there."""
        which = (place, stream.name)
        for number in stream.sealed_numbers:
            if number > self._sealed.get(which, 0):
                await self._put(place, await self._in_thread(partial(stream.sealed, number)))
                self._sealed[which] = number
        if self._live.get(which) != stream.version and (final or not stream.empty):
            if unseen and await self._held(f"{place}{stream.name}.gz") is not None:
                return
            part: Part = await self._in_thread(stream.live)
            await self._put(place, part)
            self._live[which] = part.version

    async def _put(self, place: str, part: Part) -> None:
        with part.body as body:
            try:
                async with self._turns:
                    await self._store.put_object(
                        place + part.name,
                        cast("BinaryIO", body),
                        namespace=self._namespace,
                        content_type="application/gzip",
                        metadata=part.metadata,
                    )
            except StoreError as error:
                passing = isinstance(error, StoreUnavailable)
                self._metrics.uploads.labels("unavailable" if passing else "refused").inc()
                raise
            self._metrics.uploads.labels("ok").inc()
            self._metrics.upload_bytes.inc(body.size)

    async def _forget_sealed(self) -> None:
        for stream in self._streams.values():
            done = [self._sealed.get((place, stream.name), 0) for place in self.destinations]
            # Without any destination: a warm worker gets its own later, but has not filled an object by then. Of a run
            # without a log's place only the last one is kept, or the node's disk would fill up.
            everywhere = min(done) if done else max(stream.sealed_numbers, default=0) - 1
            for number in stream.sealed_numbers:
                if number <= everywhere:
                    await self._in_thread(partial(stream.forget, number))

    async def begun(self, earliest: int) -> dict[str, Begun]:
        """Return the streams which an earlier agent uploaded from before `earliest`, the first line left on the node.

        Their live object is put aside among the archived ones, so that what the node has no more is not overwritten.
        """
        found: dict[str, Begun] = {}
        for name in self._streams:
            if not self.destinations:
                break
            held = await self._held(f"{self.destinations[0]}{name}.gz") or {}
            first, last = held.get("ember-first", "").encode(), held.get("ember-last", "").encode()
            if not first or cri.instant(first) >= earliest:
                continue
            number = int(held.get("ember-archived", "0")) + 1
            for place in self.destinations:
                await self._put_aside(f"{place}{name}.gz", f"{place}archived/{name}_{number}.gz")
            found[name] = Begun(first, last, number)
        return found

    async def _held(self, uri: str) -> Mapping[str, str] | None:
        try:
            return await self._store.head(uri, namespace=self._namespace)
        except StoreRefused as error:
            # Credentials that may only write: what is left on the node is uploaded all the same.
            _LOG.warning("cannot tell what an earlier agent uploaded: %s", error)
            return None

    async def _put_aside(self, live: str, archived: str) -> None:
        if await self._held(live) is not None:
            await self._store.copy(live, archived, namespace=self._namespace)
