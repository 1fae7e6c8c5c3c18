"""Who gets capacity, and what pre-initialized workers are good for meanwhile."""

from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ember.model.capacity import Capacity, CapacityLimit
from ember.plan.actions import CreateDriver, DeleteWorker, SetRunStatus
from ember.plan.facts import ExecutorRequest
from ember.plan.quota import Claimant, Idlers, Nearly, decide
from ember.plan.warm import Need
from ember.plan.workers import Worker
from tests.support.shards import SMALL, World

_SIZE = {"cpu": "1 vCPU", "memory": "4 GB"}
ONE_EXECUTOR = {"EXECUTOR": {"workerCount": 1, "workerConfiguration": _SIZE}}
ONE_DRIVER = {"DRIVER": {"workerCount": 1, "workerConfiguration": _SIZE}}
LARGE = SMALL.replace("memory=2g", "memory=6g")


_sizes = st.tuples(st.integers(1, 4), st.integers(1, 8)).map(
    lambda size: Capacity(cpu=size[0], memory_mib=size[1] * 1024, disk_gib=20)
)


def _claimant(number: int, driver: Capacity, executor: Capacity, admitted: bool, held: int, waiting: int) -> Claimant:
    requests = tuple(
        ExecutorRequest("n", f"p{number}-{i}", f"r{number}", "u", 1, float(i), str(i), "spark://x", "app", "0", 1)
        for i in range(waiting)
    )
    held = held if admitted else 0
    return Claimant(("n", f"r{number}"), Need(driver, 0), Need(executor, 0), float(number), admitted, held, requests)


_claimants = st.lists(
    st.tuples(_sizes, _sizes, st.booleans(), st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=8
).map(lambda rows: [_claimant(i, *row) for i, row in enumerate(rows)])


@given(_claimants, st.integers(1, 40), st.integers(1, 8))
def test_no_decision_passes_the_maximum_and_each_live_run_can_have_an_executor(
    runs: list[Claimant], cpu: int, limit: int
) -> None:
    maximum = CapacityLimit(cpu=cpu, memory_mib=cpu * 4096)
    used = Capacity.zero()
    for run in runs:
        if run.admitted:
            used += run.driver.capacity
            for _ in range(run.executors):
                used += run.executor.capacity
    decision = decide(maximum, used, runs, limit)
    after, promised = used, Capacity.zero()
    by_key: dict[Any, Claimant] = {run.key: run for run in runs}
    admitted = {admission.key for admission in decision.admitted}
    for key in admitted:
        after += by_key[key].driver.capacity
    for grant in decision.granted:
        after += by_key[("n", grant.request.run_name)].executor.capacity
    if decision.admitted or decision.granted:
        assert after.fits_within(maximum)
    live = [run for run in runs if run.admitted or run.key in admitted]
    for run in live:
        if run.executors == 0 and not any(grant.request.run_name == run.key[1] for grant in decision.granted):
            promised += run.executor.capacity
    if decision.admitted:
        assert (after + promised).fits_within(maximum)
        assert len(live) <= limit


@cache
def _an_idle_executor() -> Worker:
    return World().application(maximum=None, initialCapacity=ONE_EXECUTOR).warm("executor").shard().pool[0]


def _idle(*cpus: int) -> list[Worker]:
    """Idle pre-initialized executors of these sizes."""
    made = _an_idle_executor()
    sizes = [Capacity(cpu=cpu, memory_mib=8192, disk_gib=20) for cpu in cpus]
    return [replace(made, name=f"warm-{i}", capacity=size, heap_mib=1024) for i, size in enumerate(sizes)]


def test_a_pre_initialized_executor_that_another_run_was_promised_is_not_claimed() -> None:
    small, large = (Capacity(cpu=cpu, memory_mib=cpu * 2048, disk_gib=20) for cpu in (1, 2))
    runs = [_claimant(1, small, large, True, 0, 0), _claimant(2, small, small, True, 0, 1)]
    (idle,) = _idle(2)
    used = small + small + idle.capacity
    (grant,) = decide(CapacityLimit(cpu=5), used, runs, 9, Idlers([idle])).granted
    assert grant.worker is None
    (grant,) = decide(CapacityLimit(cpu=6), used, runs, 9, Idlers([idle])).granted
    assert grant.worker is idle, "there is room for the large one beside"


@given(_claimants, st.lists(st.integers(1, 4), max_size=4), st.integers(0, 2))
def test_what_was_promised_is_kept_whoever_claims(runs: list[Claimant], sizes: list[int], spare: int) -> None:
    idle = _idle(*sizes)
    live = [replace(run, admitted=True) for run in runs]
    used = sum((worker.capacity for worker in idle), Capacity.zero())
    for run in live:
        used += run.driver.capacity
        for _ in range(run.executors):
            used += run.executor.capacity
    promised = decide(CapacityLimit(), used, [replace(run, waiting=()) for run in live], 99, Idlers(idle)).used
    tight = CapacityLimit(cpu=promised.cpu + spare, memory_mib=promised.memory_mib + spare * 2048)
    assert decide(tight, used, live, 99, Idlers(idle)).used.fits_within(tight)


def test_a_run_gets_the_other_executor_when_the_best_was_promised() -> None:
    small, large = (Capacity(cpu=cpu, memory_mib=2048, disk_gib=20) for cpu in (1, 2))
    near, far = (replace(worker, zone=zone) for worker, zone in zip(_idle(2, 1), "ab", strict=True))
    others = _claimant(1, small, large, True, 0, 0)
    waits = replace(_claimant(2, small, small, True, 0, 1), zone="a")
    (grant,) = decide(
        CapacityLimit(cpu=5), Capacity(cpu=5, memory_mib=0, disk_gib=0), [others, waits], 9, Idlers([near, far])
    ).granted
    assert grant.worker is far


def test_no_more_is_released_than_the_head_needs() -> None:
    sizes = (Capacity(cpu=1, memory_mib=9000, disk_gib=20), Capacity(cpu=3, memory_mib=1000, disk_gib=20))
    early, enough = (replace(worker, capacity=size) for worker, size in zip(_idle(1, 1), sizes, strict=True))
    head = _claimant(
        1, Capacity(cpu=1, memory_mib=0, disk_gib=0), Capacity(cpu=2, memory_mib=9999, disk_gib=0), False, 0, 0
    )
    used = Capacity(cpu=4, memory_mib=0, disk_gib=0)
    assert decide(CapacityLimit(cpu=4), used, [head], 9, Idlers([early, enough])).released == (enough,)


def test_what_is_going_anyway_costs_no_idle_worker_its_place() -> None:
    size = Capacity(cpu=1, memory_mib=3072, disk_gib=20)
    waits = _claimant(1, size, Capacity(cpu=2, memory_mib=6144, disk_gib=20), False, 0, 0)
    idle = _idle(1, 1)
    used = sum((worker.capacity for worker in idle), Capacity.zero()) + size + size
    assert decide(CapacityLimit(cpu=4), used, [waits], 9, Idlers(idle), going=size + size).released == (idle[0],)
    assert decide(CapacityLimit(cpu=4), used, [waits], 9, Idlers(idle)).released == ()


@given(_claimants, st.integers(0, 3), st.integers(1, 30))
def test_who_waits_for_a_warm_driver_has_its_executor_promised_too(runs: list[Claimant], nearly: int, cpu: int) -> None:
    maximum = CapacityLimit(cpu=cpu)
    queue = [replace(run, admitted=False, executors=0, waiting=()) for run in runs]
    drivers = [replace(worker, role="driver") for worker in _idle(*[4] * nearly)]
    used = sum((worker.capacity for worker in drivers), Capacity.zero())
    decision = decide(maximum, used, queue, 99, Idlers(nearly=[Nearly(worker, 5) for worker in drivers]))
    waits = [key for key, why in decision.held_back.items() if "ready in about" in why]
    assert len(waits) <= nearly, "each driver is waited for once"
    admitted = [admission.key for admission in decision.admitted]
    for run in queue:
        used += run.driver.capacity if run.key in admitted else Capacity.zero()
        used += run.executor.capacity if run.key in (*admitted, *waits) else Capacity.zero()
    if waits or admitted:
        assert used.fits_within(maximum)


def state_details(world: World, run: str) -> Any:
    return next(a.status["stateDetails"] for a in world.actions(SetRunStatus) if a.key[1] == run)


def test_who_waits_for_a_warm_driver_keeps_nobody_waiting() -> None:
    world = World().application(maximum=None, initialCapacity=ONE_DRIVER).warm("driver", ready=False).later(18)
    world.job_run("a", age=2).job_run("b", age=1, parameters=LARGE).job_run("c")
    assert state_details(world, "a") == "a pre-initialized driver is ready in about 2 s"
    assert [a.run[1] for a in world.actions(CreateDriver)] == ["b", "c"], "the one driver is a's"


def test_workers_that_are_far_from_ready_make_room_and_those_that_nearly_are_do_not() -> None:
    capacity = ONE_DRIVER | ONE_EXECUTOR
    world = World().application(maximum=2, initialCapacity=capacity).warm("driver", ready=False)
    world.warm("executor", ready=False).job_run()
    assert sorted(a.key[1] for a in world.actions(DeleteWorker)) == ["warm-driver-1", "warm-executor-1"]
    assert not world.later(15).actions(DeleteWorker)
    world.job_run(parameters=LARGE)
    assert len(world.actions(DeleteWorker)) == 0, "there is no room for it even without them"
    wide = World().application(maximum=4, initialCapacity=capacity).warm("driver", ready=False)
    wide.warm("executor", ready=False).job_run(parameters=LARGE).later(15)
    assert len(wide.actions(DeleteWorker)) == 2, "to it they are of no use"


def test_an_executor_that_is_nearly_ready_is_not_ended_for_who_will_claim_it() -> None:
    world = World().application(maximum=2, initialCapacity=ONE_DRIVER | ONE_EXECUTOR).warm("driver")
    world.warm("executor", ready=False).job_run().later(15)
    assert not world.actions(DeleteWorker)
    assert not world.actions(CreateDriver)


def test_far_behind_in_the_queue_nothing_changes_with_each_run_that_goes() -> None:
    size = Capacity(cpu=1, memory_mib=1024, disk_gib=20)
    runs = [_claimant(number, size, size, False, 0, 0) for number in range(120)]
    first, second = (decide(CapacityLimit(cpu=1), Capacity.zero(), some, 99).held_back for some in (runs, runs[1:]))
    assert first["n", "r0"].endswith("place 1 in the queue")
    assert first["n", "r119"] == "maximumCapacity; 100 or more runs are before it in the queue"
    assert sum(first[key] != why for key, why in second.items()) <= 12
