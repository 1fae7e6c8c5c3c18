"""The work queue: nothing is lost, and nothing that fails turns in circles."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

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


@pytest.fixture
def pauses_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes again within a test was not held back by a pause."""
    for pause in ("_FIRST_BACK_OFF", "_LONGEST_PAUSE"):
        monkeypatch.setattr(f"ember.handlers.queue.{pause}", 3600.0)


@pytest.mark.usefixtures("pauses_for_an_hour")
def test_work_that_fails_and_changes_what_it_looks_at_pauses() -> None:
    async def work(queue: KeyedQueue, _: int) -> None:
        queue.add(KEY)
        await asyncio.sleep(0)  # as a request does: without it a circle would leave the test's bound no turn
        raise NotDone

    # The second try may come at once: the first may have met a change that it did not know.
    assert len(worked(work, 3, seconds=1)) < 3


@pytest.mark.usefixtures("pauses_for_an_hour")
def test_a_change_while_it_pauses_brings_it_at_once() -> None:
    async def work(queue: KeyedQueue, _: int) -> None:
        asyncio.get_running_loop().call_later(0.01, queue.add, KEY)
        raise NotDone

    assert len(worked(work, 5)) == 5


def test_what_nobody_foresaw_comes_again() -> None:
    async def work(_: KeyedQueue, count: int) -> None:
        if count == 1:
            raise RuntimeError("odd")

    assert len(worked(work, 2)) == 2
