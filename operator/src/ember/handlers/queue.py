"""A work queue that holds each key once, and never works on one key twice at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ember.kube.index import Key

log = logging.getLogger(__name__)

WORKERS = 16
_FIRST_BACK_OFF, _LONGEST_BACK_OFF = 0.2, 30.0
_LONGEST_PAUSE = 1.0  # seconds after work of which some failed: the other part of it must not wait for long

Work = Callable[[Key], Awaitable[float | None]]
"""Does the work of one key; returns after how many seconds to do it again although nothing changed, or None.

Raises NotDone when some of it failed.
"""


class NotDone(Exception):  # noqa: N818 - what became of the work
    """Some of the work failed for a passing reason, which has been told: do it again soon."""


class KeyedQueue:
    """Level-triggered: a key says that something changed, never what. A failed key comes again, later each time."""

    def __init__(self, work: Work, workers: int = WORKERS) -> None:
        self._work, self._count = work, workers
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._dirty: set[Key] = set()
        self._busy: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}

    def add(self, key: Key) -> None:
        """Have the key worked on soon; at once if it is not being worked on."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key not in self._busy:
            self._ready.put_nowait(key)

    def add_later(self, key: Key, seconds: float) -> None:
        """Have the key worked on after a while, unless something happens to it before."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self.add, key)

    def __len__(self) -> int:
        """How many keys wait to be worked on."""
        return self._ready.qsize()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                group.create_task(self._worker(), name=f"reconcile-{number}")

    async def _worker(self) -> None:
        while True:
            key = await self._ready.get()
            self._dirty.discard(key)
            self._busy.add(key)
            again: float | None
            try:
                again = await self._work(key)
                self._failures.pop(key, None)
            except NotDone:
                again = self._back_off(key, _LONGEST_PAUSE)
                if self._failures[key] > 1:
                    # A try changes what is looked at, if only for its own time: it must not bring on the next one.
                    self._dirty.discard(key)
            except Exception:
                again = self._back_off(key, _LONGEST_BACK_OFF)
                extra = {"namespace": key[0], "application": key[1], "againInSeconds": again}
                log.exception("reconciling failed", extra=extra)
            finally:
                self._busy.discard(key)
            if key in self._dirty:
                self._ready.put_nowait(key)
            elif again is not None:
                self.add_later(key, again)

    def _back_off(self, key: Key, longest: float) -> float:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        return float(min(_FIRST_BACK_OFF * 2 ** min(failures - 1, 10), longest))
