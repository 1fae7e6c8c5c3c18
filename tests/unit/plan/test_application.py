"""The life of an application and its ceiling, as sentences."""

import pytest

from ember.model.states import ApplicationState, allowed
from ember.plan.actions import CreateDriver, CreateExecutor, SetApplicationStatus, SetRunStatus
from tests.support.shards import World


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
