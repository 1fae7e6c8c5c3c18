"""Leader election by an injected clock: one leader, a loss is noticed in time, no trust in others' clocks."""

import asyncio
import time
from typing import Any

import pytest

from ember.kube.lease import Elector, Timing
from tests.support.memory_api import MemoryCluster

LEASE = "/apis/coordination.k8s.io/v1/namespaces/ember/leases/operator"
TIMING = Timing(duration=15, deadline=10, period=0.001)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def cluster() -> MemoryCluster:
    return MemoryCluster()


def elector(cluster: MemoryCluster, clock: Clock, name: str) -> Elector:
    return Elector(cluster, "ember", "operator", name, TIMING, clock)


async def test_the_first_leads_and_the_second_waits(cluster: MemoryCluster, clock: Clock) -> None:
    first, second = elector(cluster, clock, "a"), elector(cluster, clock, "b")
    await first.acquire()
    assert first.held()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(second.acquire(), 0.05)
    assert not second.held()


async def test_a_silent_leader_is_replaced_after_the_duration(cluster: MemoryCluster, clock: Clock) -> None:
    first, second = elector(cluster, clock, "a"), elector(cluster, clock, "b")
    await first.acquire()
    assert not await second._try(), "now it has seen the record"
    clock.now += 14.9
    assert not await second._try()
    clock.now += 0.2
    assert not first.held(), "the first knows by itself that it may not act any more"
    assert await second._try()
    assert cluster.objects[LEASE]["spec"]["leaseTransitions"] == 1


async def test_a_record_that_changes_is_alive_whatever_its_clock_says(cluster: MemoryCluster, clock: Clock) -> None:
    await elector(cluster, clock, "a").acquire()
    second = elector(cluster, clock, "b")
    for number in range(5):
        cluster.change(LEASE, {"spec": {"renewTime": f"1999-01-01T00:00:0{number}.000000Z"}})
        assert not await second._try()
        clock.now += 14


async def test_who_was_replaced_notices(cluster: MemoryCluster, clock: Clock) -> None:
    first = elector(cluster, clock, "a")
    await first.acquire()
    cluster.change(LEASE, {"spec": {"holderIdentity": "b"}})
    await asyncio.wait_for(first.hold(), 2)
    assert not first.held()


async def test_who_cannot_renew_gives_up_before_others_take_over(cluster: MemoryCluster, clock: Clock) -> None:
    first = elector(cluster, clock, "a")
    await first.acquire()
    cluster.faults.append(lambda _method, _path: (503, {}, b"{}"))
    holding = asyncio.create_task(first.hold())
    await asyncio.sleep(0.05)
    assert not holding.done(), "a short failure does no harm"
    clock.now += 10
    await asyncio.wait_for(holding, 2)
    assert clock.now < 1000 + TIMING.duration


async def test_a_failure_in_between_is_survived(cluster: MemoryCluster, clock: Clock) -> None:
    first = elector(cluster, clock, "a")
    await first.acquire()
    holding = asyncio.create_task(first.hold())
    cluster.faults.append(lambda _method, _path: (500, {}, b"<html>"))
    await asyncio.sleep(0.02)
    cluster.faults.clear()
    clock.now += 9
    await asyncio.sleep(0.05)
    assert not holding.done()
    assert first._renewed == clock.now, "renewed since"
    holding.cancel()


async def test_a_request_that_hangs_does_not_use_up_the_deadline(
    cluster: MemoryCluster, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Elector(cluster, "ember", "operator", "a", Timing(duration=15, deadline=0.2, period=0.001), clock)
    await first.acquire()
    get, renewed = cluster.get, asyncio.Event()

    async def hang_once(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(cluster, "get", again)
        began = time.monotonic()
        try:
            await asyncio.Event().wait()
        finally:
            clock.now += time.monotonic() - began

    async def again(*arguments: Any, **options: Any) -> Any:
        renewed.set()
        return await get(*arguments, **options)

    monkeypatch.setattr(cluster, "get", hang_once)
    holding = asyncio.create_task(first.hold())
    waiting = asyncio.create_task(renewed.wait())
    await asyncio.wait({holding, waiting}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    assert renewed.is_set()
    assert not holding.done()
    holding.cancel()


async def test_a_lease_given_back_is_free_at_once(cluster: MemoryCluster, clock: Clock) -> None:
    first, second = elector(cluster, clock, "a"), elector(cluster, clock, "b")
    await first.acquire()
    await first.release()
    assert not first.held()
    assert await second._try()
    await first.release()
    assert cluster.objects[LEASE]["spec"]["holderIdentity"] == "b", "only one's own lease is given back"


def test_times_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match="period < deadline < duration"):
        Timing(duration=10, deadline=15)
