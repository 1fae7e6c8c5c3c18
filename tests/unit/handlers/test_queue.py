"""The work queue: nothing is lost, and nothing that fails turns in circles."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

from ember.handlers.queue import KeyedQueue, NotDone
from ember.kube.index import Key

KEY = ("team-a", "etl")


def worked(work: Callable[[KeyedQueue, int], Awaitable[float | None]], until: int, seconds: float = 10) -> list[float]:
    """Add the key once, and return when its work began, so many times; fewer if that takes longer."""
    began = list[float]()

    async def all_of_it() -> None:
        done = asyncio.Event()

        async def one(_: Key) -> float | None:
            began.append(asyncio.get_running_loop().time())
            if len(began) == until:
                done.set()
            return await work(queue, len(began))

        queue = KeyedQueue(one, workers=2)
        running = asyncio.create_task(queue.run())
        queue.add(KEY)
        try:
            async with asyncio.timeout(seconds):
                await done.wait()
        except TimeoutError:
            pass
        finally:
            running.cancel()
            await asyncio.wait({running})

    asyncio.run(all_of_it())
    return began


def test_a_change_during_the_work_brings_it_again_at_once() -> None:
    async def work(queue: KeyedQueue, count: int) -> None:
        if count == 1:
            queue.add(KEY)

    assert len(worked(work, 2)) == 2


def test_work_that_fails_and_changes_what_it_looks_at_pauses() -> None:
    async def work(queue: KeyedQueue, _: int) -> None:
        queue.add(KEY)
        raise NotDone

    began = worked(work, 4)
    pauses = [later - earlier for earlier, later in itertools.pairwise(began)]
    assert pauses[1] >= 0.35
    assert pauses[2] >= 0.75, "the first try may come at once: it may have met a change that it did not know"


def test_a_change_while_it_pauses_brings_it_at_once() -> None:
    async def work(queue: KeyedQueue, count: int) -> None:
        if count == 6:
            asyncio.get_running_loop().call_later(0.05, queue.add, KEY)
        raise NotDone

    began = worked(work, 7)
    assert began[6] - began[5] < began[5] - began[4]


def test_what_nobody_foresaw_comes_again() -> None:
    async def work(_: KeyedQueue, count: int) -> None:
        if count == 1:
            raise RuntimeError("odd")

    assert len(worked(work, 2)) == 2
