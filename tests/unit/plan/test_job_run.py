"""The life of a job run, as sentences."""

from typing import Any

import pytest

from ember.kube.index import Kind
from ember.model.states import JobRunState, allowed
from ember.plan.actions import Announce, CreateDriver, DeleteWorker, SetRunStatus, StopWorker
from tests.support.shards import World


def state_of(world: World, run: str = "run-1") -> tuple[str, str]:
    """State and details that the next plan writes for a run; those it has when nothing is written."""
    written: dict[str, Any] | None = next((a.status for a in world.actions(SetRunStatus) if a.key[1] == run), None)
    if written is not None:
        return written["state"], written.get("stateDetails", "")
    held = next(r for r in world.shard().runs if r.key[1] == run).status
    return str(held.state), held.state_details


def test_a_new_run_is_submitted_and_gets_its_driver_in_the_same_step() -> None:
    world = World().application().job_run(state=None)
    assert state_of(world)[0] == "SUBMITTED"
    assert [a.run[1] for a in world.actions(CreateDriver)] == ["run-1"]


def test_its_ids_are_emr_shaped_and_follow_from_the_uid() -> None:
    status = World().application().job_run(state=None).actions(SetRunStatus)[0].status
    assert status["jobRunId"].startswith("00")
    assert len(status["jobRunId"]) == 16
    assert status["jobRunId"].isalnum()
    assert status["jobRunId"].islower()


@pytest.mark.parametrize(
    ("pod", "state"),
    [
        ({"scheduled": False}, "PENDING"),
        ({"scheduled": True}, "SCHEDULED"),
        ({"running": True}, "RUNNING"),
        ({"exit_code": 0}, "SUCCESS"),
        ({"exit_code": 3}, "FAILED"),
    ],
)
def test_the_state_follows_the_drivers_pod(pod: dict[str, Any], state: str) -> None:
    assert state_of(World().application().job_run().driver(**pod))[0] == state


def test_the_launchers_word_counts_before_the_kubelets() -> None:
    world = World().application().job_run(state="RUNNING").driver(running=True).report("-driver", "ended", 0)
    assert state_of(world)[0] == "SUCCESS"


def test_a_failed_driver_says_why() -> None:
    world = World().application().job_run(state="RUNNING").driver(exit_code=137, reason="OOMKilled")
    state, details = state_of(world)
    assert state == "FAILED"
    assert "OOMKilled" in details


def test_an_oom_kill_is_named_even_when_the_launcher_reported_first() -> None:
    world = World().application().job_run(state="RUNNING").driver(exit_code=137, reason="OOMKilled")
    world.report("-driver", "ended", 137, "killed by signal 9")
    assert "OOMKilled" in state_of(world)[1]


def test_an_evicted_driver_fails_the_run_with_the_kubelets_reason() -> None:
    assert "Evicted" in state_of(World().application().job_run(state="RUNNING").driver(pod_reason="Evicted"))[1]


def test_a_driver_that_vanished_after_it_started_fails_the_run() -> None:
    assert state_of(World().application().job_run(state="RUNNING"))[0] == "FAILED"


def test_a_driver_that_vanished_before_it_started_is_created_again() -> None:
    world = World().application().job_run(state="PENDING")
    assert len(world.actions(CreateDriver)) == 1
    assert state_of(world)[0] == "PENDING"


def test_a_driver_whose_image_cannot_be_pulled_fails_the_run_within_a_bound() -> None:
    world = World().application().job_run(state="SCHEDULED").driver(waiting="ImagePullBackOff")
    assert state_of(world)[0] == "SCHEDULED"
    state, details = state_of(world.later(601))
    assert state == "FAILED"
    assert "ImagePullBackOff" in details


def test_a_run_without_an_application_waits_a_minute_for_it() -> None:
    world = World().job_run()
    assert state_of(world)[0] == "SUBMITTED"
    assert state_of(world.later(61))[0] == "FAILED"


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ("--conf spark.executor.cores=3", "vCPU"),
        ("--conf spark.executor.memory=lots", "spark.executor.memory"),
        ("--master local[2]", "--master"),
        ("", "maximumCapacity"),  # the defaults, 4 vCPU each, do not fit into 6
    ],
)
def test_what_cannot_be_carried_out_fails_and_names_the_rule(parameters: str, named: str) -> None:
    state, details = state_of(World().application().job_run(parameters=parameters))
    assert state == "FAILED"
    assert named in details


def test_the_execution_timeout_enters_cancelling_and_ends_cancelled() -> None:
    started = {"startedAt": "2026-11-21T10:00:00Z"}
    world = World().application().job_run(state="RUNNING", executionTimeoutMinutes=1, status=started)
    world.driver(running=True).later(61)
    state, details = state_of(world)
    assert state == "CANCELLING"
    assert "executionTimeoutMinutes" in details
    world.job_run(state="CANCELLING", executionTimeoutMinutes=1, status=started)
    assert [action.key[1] for action in world.actions(StopWorker)] == [world._find("-driver")["metadata"]["name"]]
    assert state_of(world.report("-driver", "ended", 143))[0] == "CANCELLED"


def test_what_a_queued_run_waits_for_is_not_written_at_once_again() -> None:
    world = World().application(maximum=2).job_run("one", "RUNNING", age=3).driver("one", running=True)
    world.job_run("two", age=2).job_run("three", age=1)
    written = next(a.status for a in world.actions(SetRunStatus) if a.key[1] == "three")
    assert written["stateDetails"].endswith("place 2 in the queue")
    world.job_run("two", "CANCELLED", age=2).job_run("three", None, age=1, status=written).later(4)
    assert state_of(world, "three") == ("QUEUED", written["stateDetails"])
    assert state_of(world.later(1), "three")[1].endswith("place 1 in the queue")


def test_a_run_that_waits_too_long_in_the_queue_fails() -> None:
    world = World().application(schedulerConfiguration={"queueTimeoutMinutes": 15}, maximum=2)
    world.job_run("busy", state="RUNNING", age=10).driver("busy", running=True)
    world.job_run("late", state="QUEUED", status={"queuedAt": "2026-11-21T10:00:00Z"}).later(901)
    state, details = state_of(world, "late")
    assert state == "FAILED"
    assert "queueTimeoutMinutes" in details


def test_workers_of_a_run_that_is_over_are_told_to_stop_and_deleted_once_their_logs_are_up() -> None:
    world = World(store={"managedLogUri": "s3://managed"}).application().job_run(state="RUNNING").driver(running=True)
    world.executor(number=1, running=True).waits_for("run-1", 2).report("-driver", "ended", 0)
    assert [a.key[1][-6:] for a in world.actions(StopWorker)] == ["exec-1"]
    assert world.actions(DeleteWorker) == []
    world.uploaded("-driver")
    assert world.actions(DeleteWorker) == []  # its executors would go with it, before their logs are up
    world.report("exec-1", "ended", 0).uploaded("exec-1")
    assert [a.key[1][-6:] for a in world.actions(DeleteWorker)] == ["exec-1"]
    world.index.remove(Kind.POD, world.actions(DeleteWorker)[0].key)
    assert [a.key[1][-6:] for a in world.actions(DeleteWorker)] == ["driver"]


def test_logs_that_cannot_be_uploaded_hold_a_pod_only_so_long() -> None:
    world = World(store={"managedLogUri": "s3://managed"}, logs={"giveUpMinutes": 1}).application()
    world.job_run(state="RUNNING").driver(running=True).report("-driver", "ended", 0)
    assert world.actions(DeleteWorker) == []
    assert len(world.later(61).actions(DeleteWorker)) == 1


def test_nothing_is_written_when_nothing_changed() -> None:
    world = World().application().job_run(state=None)
    status = world.actions(SetRunStatus)[0].status
    world.job_run(state=None, status=status).driver(scheduled=False)
    world.job_run(state=None, status=world.actions(SetRunStatus)[0].status)
    assert world.actions(SetRunStatus) == []
    assert world.actions(Announce) == []


@pytest.mark.parametrize("state", [None, *JobRunState])
@pytest.mark.parametrize(
    "pod",
    [None, {"scheduled": False}, {}, {"running": True}, {"exit_code": 0}, {"exit_code": 1}, {"pod_reason": "Evicted"}],
)
@pytest.mark.parametrize("late", [0, 100_000])
def test_no_plan_leaves_the_transitions_table(
    state: JobRunState | None, pod: dict[str, Any] | None, late: float
) -> None:
    times = {"startedAt": "2026-11-21T10:00:00Z", "queuedAt": "2026-11-21T10:00:00Z"}
    world = World().application().job_run(state=None).driver(**pod) if pod is not None else World().application()
    world.job_run(state=state and str(state), status=times if state else {}).later(late)
    for action in world.actions(SetRunStatus):
        assert allowed(state, JobRunState(action.status["state"]))
