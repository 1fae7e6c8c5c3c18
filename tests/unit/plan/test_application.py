"""The life of an application and its ceiling, as sentences."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ember.model.capacity import Capacity, CapacityLimit
from ember.model.states import ApplicationState, allowed
from ember.plan.actions import CreateDriver, CreateExecutor, SetApplicationStatus, SetRunStatus
from ember.plan.facts import ExecutorRequest
from ember.plan.quota import Claimant, decide
from ember.plan.warm import Need
from ember.plan.workers import Worker
from tests.support.shards import World

ONE_EXECUTOR = {"EXECUTOR": {"workerCount": 1, "workerConfiguration": {"cpu": "1 vCPU", "memory": "4 GB"}}}


def state_of(world: World) -> str:
    written = world.actions(SetApplicationStatus)
    shown = world.shard().application
    assert shown is not None
    return written[0].status["state"] if written else str(shown.status.state)


@pytest.mark.parametrize(("old", "new"), [(None, "CREATING"), ("CREATING", "CREATED"), ("CREATED", "CREATED")])
def test_an_application_is_created_and_waits(old: str | None, new: str) -> None:
    assert state_of(World().application(state=old)) == new


@pytest.mark.parametrize(("old", "new"), [("CREATED", "STARTING"), ("STARTING", "STARTED"), ("STOPPED", "STARTING")])
def test_a_run_starts_it(old: str, new: str) -> None:
    world = World().application(state=old).job_run()
    assert state_of(world) == new
    assert len(world.actions(CreateDriver)) == 1


def test_an_unknown_release_is_named_and_not_started() -> None:
    world = World().application(state="CREATING", releaseLabel="spark-9.9")
    status = world.actions(SetApplicationStatus)[0].status
    assert status["state"] == "CREATING"
    assert "spark-9.9" in status["stateDetails"]
    assert status["conditions"][0]["status"] == "False"


def test_it_stops_after_its_idle_timeout() -> None:
    world = World().application(autoStopConfiguration={"idleTimeoutMinutes": 1})
    idle = world.actions(SetApplicationStatus)[0].status
    assert idle["idleSince"]
    world.application(status=idle, autoStopConfiguration={"idleTimeoutMinutes": 1})
    assert state_of(world.later(30)) == "STARTED"
    assert state_of(world.later(31)) == "STOPPING"


def test_what_only_counts_is_not_written_at_once_again() -> None:
    world = World().application()
    written = world.actions(SetApplicationStatus)[0].status
    world.application(status=written).job_run("one").driver("one", running=True)
    assert world.later(0.4).actions(SetApplicationStatus) == []
    assert world.plan().look_again_in == 1.0
    assert world.later(0.7).actions(SetApplicationStatus)[0].status["capacity"]["used"]["cpu"] == 1


def test_a_run_beyond_maximum_capacity_is_queued_and_says_why() -> None:
    world = World().application(maximum=4).job_run("one", age=3).job_run("two", age=2).job_run("three", age=1)
    assert [a.run[1] for a in world.actions(CreateDriver)] == ["one", "two"]
    queued = next(a.status for a in world.actions(SetRunStatus) if a.key[1] == "three")
    assert queued["state"] == "QUEUED"
    assert "maximumCapacity" in queued["stateDetails"]


def test_max_concurrent_runs_holds() -> None:
    world = World().application(maximum=None, schedulerConfiguration={"maxConcurrentRuns": 1})
    world.job_run("one", age=2).job_run("two", age=1)
    assert [a.run[1] for a in world.actions(CreateDriver)] == ["one"]


def test_an_executor_is_granted_within_the_maximum_and_the_rest_wait() -> None:
    world = World().application(maximum=3).job_run(state="RUNNING").driver(running=True).waits_for("run-1", 1, 2, 3)
    assert [a.request.executor_id for a in world.actions(CreateExecutor)] == ["1", "2"]


def test_an_ended_executor_gives_its_capacity_to_the_next_that_waits() -> None:
    world = World().application(maximum=2).job_run(state="RUNNING").driver(running=True)
    world.executor(number=1, running=True).waits_for("run-1", 2)
    assert world.actions(CreateExecutor) == []
    world.executor(number=1, exit_code=0)
    assert [a.request.executor_id for a in world.actions(CreateExecutor)] == ["2"]


def test_a_launcher_s_word_frees_no_capacity() -> None:
    world = World().application(maximum=2).job_run("one", "RUNNING", age=2).driver("one", running=True)
    world.job_run("two", age=1).report("driver", "ended", 0)
    assert world.actions(CreateDriver) == []
    world.driver("one", exit_code=0)
    assert [a.run[1] for a in world.actions(CreateDriver)] == ["two"]


@pytest.mark.parametrize("state", [None, *ApplicationState])
@pytest.mark.parametrize("run", [None, "SUBMITTED", "RUNNING", "SUCCESS"])
@pytest.mark.parametrize("late", [0, 100_000])
def test_no_plan_leaves_the_transitions_table(state: ApplicationState | None, run: str | None, late: float) -> None:
    world = World().application(state=state and str(state))
    if run is not None:
        world.job_run(state=run)
    for action in world.later(late).actions(SetApplicationStatus):
        assert allowed(state, ApplicationState(action.status["state"]))


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
    (grant,) = decide(CapacityLimit(cpu=5), used, runs, 9, [idle]).granted
    assert grant.worker is None
    (grant,) = decide(CapacityLimit(cpu=6), used, runs, 9, [idle]).granted
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
    promised = decide(CapacityLimit(), used, [replace(run, waiting=()) for run in live], 99, idle).used
    tight = CapacityLimit(cpu=promised.cpu + spare, memory_mib=promised.memory_mib + spare * 2048)
    assert decide(tight, used, live, 99, idle).used.fits_within(tight)


def test_a_run_gets_the_other_executor_when_the_best_was_promised() -> None:
    small, large = (Capacity(cpu=cpu, memory_mib=2048, disk_gib=20) for cpu in (1, 2))
    near, far = (replace(worker, zone=zone) for worker, zone in zip(_idle(2, 1), "ab", strict=True))
    others = _claimant(1, small, large, True, 0, 0)
    waits = replace(_claimant(2, small, small, True, 0, 1), zone="a")
    (grant,) = decide(
        CapacityLimit(cpu=5), Capacity(cpu=5, memory_mib=0, disk_gib=0), [others, waits], 9, [near, far]
    ).granted
    assert grant.worker is far


def test_no_more_is_released_than_the_head_needs() -> None:
    sizes = (Capacity(cpu=1, memory_mib=9000, disk_gib=20), Capacity(cpu=3, memory_mib=1000, disk_gib=20))
    early, enough = (replace(worker, capacity=size) for worker, size in zip(_idle(1, 1), sizes, strict=True))
    head = _claimant(
        1, Capacity(cpu=1, memory_mib=0, disk_gib=0), Capacity(cpu=2, memory_mib=9999, disk_gib=0), False, 0, 0
    )
    used = Capacity(cpu=4, memory_mib=0, disk_gib=0)
    assert decide(CapacityLimit(cpu=4), used, [head], 9, [early, enough]).released == (enough,)


def test_what_is_going_anyway_costs_no_idle_worker_its_place() -> None:
    size = Capacity(cpu=1, memory_mib=3072, disk_gib=20)
    waits = _claimant(1, size, Capacity(cpu=2, memory_mib=6144, disk_gib=20), False, 0, 0)
    idle = _idle(1, 1)
    used = sum((worker.capacity for worker in idle), Capacity.zero()) + size + size
    assert decide(CapacityLimit(cpu=4), used, [waits], 9, idle, going=size + size).released == (idle[0],)
    assert decide(CapacityLimit(cpu=4), used, [waits], 9, idle).released == ()
