"""What a plan does when something was lost, or changed under its hands."""

from dataclasses import replace
from typing import Any

import pytest

from ember.kube.index import Kind
from ember.model import labels
from ember.plan.actions import (
    Announce,
    Claim,
    CreateDriver,
    CreateExecutor,
    CreateWarm,
    DeleteWorker,
    SetApplicationStatus,
    SetRunStatus,
    StopWorker,
)
from ember.plan.view import Problem
from ember.plan.workers import STOP_TIMEOUT
from tests.support.shards import KEY, NAMESPACE, START, World

POOL: dict[str, Any] = {
    kind: {"workerCount": 1, "workerConfiguration": {"cpu": "1 vCPU", "memory": "4 GB"}}
    for kind in ("DRIVER", "EXECUTOR")
}


def written(world: World) -> str:
    """The state that the plan writes for the run; empty when it leaves it."""
    return next((a.status["state"] for a in world.actions(SetRunStatus)), "")


def change_application(world: World, **spec: Any) -> World:
    """A later generation of the application, with these fields."""
    held = world.index.get(Kind.APPLICATION, KEY)
    assert held is not None
    version = str(int(held["metadata"]["resourceVersion"]) + 1_000_000)
    meta = {**held["metadata"], "generation": 2, "resourceVersion": version}
    world.index.put(Kind.APPLICATION, {**held, "metadata": meta, "spec": {**held["spec"], **spec}})
    return world


def note(world: World, pod: str, annotation: str, value: str) -> World:
    """An annotation or label on a pod, as anybody with the right may put it there."""
    held = world._find(pod)
    meta = held["metadata"]
    for group in ("annotations", "labels"):
        meta[group] |= {annotation: value} if annotation in meta[group] or group == "annotations" else {}
    return world


def test_a_warm_run_that_runs_for_long_outlives_its_operator() -> None:
    world = World().application(maximum=12, initialCapacity=POOL).job_run(state="RUNNING")
    world.warm("driver").warm("executor").claimed("warm-driver-1").later(3600)
    world.index.reports.clear()  # the new operator has not heard of any launcher yet
    assert written(world) in ("", "RUNNING")
    assert [a.reason for a in world.actions(Announce) if a.kind == "JobRun"] == []


def test_a_run_that_comes_while_its_application_stops_does_not_keep_it_from_stopping() -> None:
    world = World().application("STOPPING").job_run()
    status = next(a.status for a in world.plan().actions if isinstance(a, SetApplicationStatus))
    assert status["state"] == "STOPPED"


def test_an_application_whose_pool_never_gets_whole_stops_when_nobody_wants_it() -> None:
    idle = {"state": "STARTING", "idleSince": START}
    world = World().application(status=idle, maximum=12, initialCapacity=POOL).later(16 * 60)
    status = next(a.status for a in world.plan().actions if isinstance(a, SetApplicationStatus))
    assert status["state"] == "STOPPING"


def test_an_executor_that_is_not_wanted_before_it_starts_is_deleted() -> None:
    world = World().application().job_run(state="RUNNING").driver(running=True)
    world.executor(number=1, scheduled=False, stop="RemovedBySpark")
    assert [a.key[1] for a in world.actions(DeleteWorker)] == [world._find("-exec-1")["metadata"]["name"]]


def test_a_worker_that_does_not_hear_its_stop_is_deleted_after_a_bound() -> None:
    world = World().application().job_run(state="CANCELLING").driver(running=True, stop="cancelled")
    note(world, "-driver", labels.STOPPED_AT, START)
    assert not world.later(STOP_TIMEOUT - 1).actions(DeleteWorker)
    assert len(world.later(2).actions(DeleteWorker)) == 1
    world.index.remove(Kind.POD, (NAMESPACE, world._find("-driver")["metadata"]["name"]))
    assert written(world) == "CANCELLED"


def test_a_claim_that_was_lost_is_decided_again_within_the_maximum() -> None:
    world = World().application(maximum=2, initialCapacity=POOL).job_run(state="PENDING")
    world.warm("driver").warm("executor")
    assert [a.worker.name for a in world.actions(Claim)] == ["warm-driver-1"]
    assert not world.actions(CreateDriver)
    full = World().application(maximum=2).job_run("run-1", state="RUNNING", age=60).driver("run-1", running=True)
    full.executor("run-1", 1, running=True).job_run("run-2", state="PENDING")
    assert not full.actions(CreateDriver)


@pytest.mark.parametrize("state", ["SUBMITTED", "QUEUED", "PENDING"])
def test_whatever_a_run_without_a_driver_waits_for_has_a_bound(state: str) -> None:
    world = World().application(maximum=2).job_run("run-0", state="RUNNING", age=60).driver("run-0", running=True)
    world.executor("run-0", 1, running=True).job_run(state=state).later(361 * 60)
    status = next(a.status for a in world.actions(SetRunStatus) if a.key[1] == "run-1")
    assert status["state"] == "FAILED"


def test_of_two_drivers_the_first_stays_and_both_count() -> None:
    world = World().application(maximum=12, initialCapacity=POOL).job_run(state="RUNNING")
    world.warm("driver").claimed("warm-driver-1", at=world.now - 60).driver(running=True)
    world.report("warm-driver-1", "started")
    run = world.shard().runs[0]
    assert run.driver is not None
    assert len(run.workers) == 2
    assert [a.key[1] for a in world.actions(StopWorker)] == [run.surplus[0].name]


def test_an_executor_that_has_its_pod_waits_no_more() -> None:
    world = World().application().job_run(state="RUNNING").driver(running=True).executor(number=1, running=True)
    assert not world.waits_for("run-1", 1).actions(CreateExecutor)


def test_another_release_leaves_runs_that_are_under_way_their_own() -> None:
    world = World().application(maximum=12, initialCapacity=POOL).job_run(state="RUNNING").driver(running=True)
    world._find("-driver")["spec"]["containers"][0]["image"] = "registry/spark:0"
    world.warm("executor").waits_for("run-1", 1)
    assert not world.actions(Claim)
    (made,) = world.actions(CreateExecutor)
    assert made.pod["spec"]["containers"][0]["image"] == "registry/spark:0"
    (status,) = [a.status for a in world.executor(number=1, running=True).actions(SetRunStatus)]
    assert status["startup"]["executorReason"] == "its driver began with another image"


@pytest.mark.parametrize(
    "slip",
    [
        {"releaseLabel": "spark-9"},
        {"maximumCapacity": {"cpu": "1 vCPU", "memory": "2 GB"}},
        {"runtimeConfiguration": [{"classification": "spark-defaults", "properties": {"spark.master": "x"}}]},
    ],
)
def test_a_slip_in_the_application_ends_no_run_that_is_under_way(slip: dict[str, Any]) -> None:
    world = World().application().job_run(state="RUNNING").driver(running=True)
    world.plan()
    change_application(world, **slip).waits_for("run-1", 1).later(120)
    assert written(world) in ("", "RUNNING")


def test_a_run_that_cannot_be_planned_any_more_goes_on_counts_and_says_that_it_gets_no_executors() -> None:
    scheduler = {"maxConcurrentRuns": 1}
    world = World().application(maximum=None, schedulerConfiguration=scheduler)
    world.job_run(state="RUNNING", age=9, parameters="")
    world.driver(running=True).waits_for("run-1", 1)
    change_application(world, maximumCapacity={"cpu": "2 vCPU", "memory": "8 GB"})
    world.gatherer.forget("uid-run-1")  # another operator has taken over
    assert not world.actions(CreateExecutor)
    (status,) = [a.status for a in world.actions(SetRunStatus)]
    assert status["state"] == "RUNNING"
    assert status["stateDetails"].startswith("there are no further executors: maximumCapacity")
    assert [(a.type, a.reason) for a in world.actions(Announce) if a.kind == "JobRun"] == [("Warning", "NoExecutors")]
    world.job_run("run-2")
    assert next(a.status for a in world.actions(SetRunStatus) if a.key[1] == "run-2")["stateDetails"].startswith(
        "maxConcurrentRuns: 1 runs are active"
    )


def test_a_slip_fails_runs_that_wait_only_after_a_minute_of_it() -> None:
    world = World().application().job_run(age=600)
    change_application(world, releaseLabel="spark-9")
    assert written(world) != "FAILED"


def test_what_went_wrong_before_a_run_had_its_driver_is_over() -> None:
    world = World().application().job_run(state="RUNNING").driver(running=True)
    world.gatherer.problems["uid-run-1"] = Problem("StoreUnavailable", "no answer", permanent=False, since=world.now)
    assert written(world.later(120)) in ("", "RUNNING")


def refused(world: World) -> World:
    """An executor of the run was refused."""
    problem = Problem("ExecutorRefused", "quota", permanent=False, since=world.now - 600, role=labels.EXECUTOR_ROLE)
    world.gatherer.problems["uid-run-1"] = problem
    return world


@pytest.mark.parametrize(("state", "ends"), [("RUNNING", "DriverLost"), ("CANCELLING", "Cancelled")])
def test_a_refused_executor_is_not_why_a_run_ends(state: str, ends: str) -> None:
    world = refused(World().application().job_run(state=state).waits_for("run-1", 1))
    assert [a.reason for a in world.actions(Announce) if a.kind == "JobRun"] == [ends]


def test_an_executor_that_is_wanted_no_more_is_refused_no_more() -> None:
    world = refused(World().application().job_run(state="RUNNING").driver(running=True))
    assert world.plan()
    assert not world.waits_for("run-1", 1).actions(Announce)


def test_why_an_executor_waits_is_not_written_at_once_again() -> None:
    world = refused(World().application().job_run(state="RUNNING").driver(running=True).waits_for("run-1", 1))
    (status,) = [a.status for a in world.actions(SetRunStatus)]
    world.job_run(state="RUNNING", status=status)
    world.gatherer.problems["uid-run-1"] = replace(world.gatherer.problems["uid-run-1"], message="quota, used 2")
    assert world.later(4).actions(SetRunStatus) == []
    assert world.later(1).actions(SetRunStatus)[0].status["stateDetails"].endswith("used 2")


def test_a_claimed_driver_that_is_deleted_before_its_job_began_is_replaced_when_it_says_so() -> None:
    world = World().application(maximum=None, initialCapacity=POOL | {"DRIVER": {**POOL["DRIVER"], "workerCount": 2}})
    world.warm("driver", 1).warm("driver", 2).job_run(state="SCHEDULED").claimed("warm-driver-1")
    lose_node(world, "warm-driver-1", deleted=True, lost=False)
    assert written(world) in ("", "SCHEDULED")
    assert [a.worker.name for a in world.report("warm-driver-1", "ended", 143).actions(Claim)] == ["warm-driver-2"]


def test_a_claimed_driver_that_never_asks_for_its_run_is_replaced_without_spending_the_attempt() -> None:
    world = World().application(maximum=None, initialCapacity=POOL | {"DRIVER": {**POOL["DRIVER"], "workerCount": 2}})
    world.warm("driver", 1).warm("driver", 2).job_run(state="SCHEDULED").claimed("warm-driver-1")
    assert not world.later(14).actions(StopWorker)
    assert [a.key[1] for a in world.later(2).actions(StopWorker)] == ["warm-driver-1"]
    note(world, "warm-driver-1", labels.STOP, "silent")
    assert [a.worker.name for a in world.actions(Claim)] == ["warm-driver-2"]
    assert written(world) in ("", "SCHEDULED")
    world.claimed("warm-driver-2").report("warm-driver-2", "started")
    lose_node(world, "warm-driver-1", deleted=True)
    assert written(world) == "RUNNING"


def test_a_lost_worker_that_is_being_deleted_holds_no_capacity() -> None:
    world = World().application(maximum=2, initialCapacity=POOL).warm("driver").job_run(state="SCHEDULED")
    lose_node(world.claimed("warm-driver-1"), "warm-driver-1")
    assert world.shard().used.cpu == 1
    assert lose_node(world, "warm-driver-1", deleted=True).shard().used.cpu == 0


def test_who_was_told_its_run_is_never_taken_for_silent() -> None:
    world = World().application(maximum=None, initialCapacity=POOL).warm("driver").job_run(state="SCHEDULED")
    world.claimed("warm-driver-1").report("warm-driver-1", "assigned").later(60)
    assert not world.actions(StopWorker)


def test_a_lowered_maximum_takes_idle_workers_at_once_and_nothing_from_runs() -> None:
    world = World().application(maximum=6, initialCapacity=POOL).warm("driver").warm("executor")
    world.job_run(state="RUNNING").driver(running=True)
    world.executor(number=1, running=True).executor(number=2, running=True)
    world.application(maximum=4, initialCapacity=POOL)
    assert len(world.actions(DeleteWorker)) == 1
    world.application(maximum=2, initialCapacity=POOL)
    assert sorted(a.key[1] for a in world.actions(DeleteWorker)) == ["warm-driver-1", "warm-executor-1"]


@pytest.mark.parametrize("text", ["[" * 5000, "9" * 5000])
def test_what_a_job_leaves_as_its_last_words_stops_no_plan(text: str) -> None:
    world = World().application(maximum=12, initialCapacity=POOL).job_run(state="RUNNING").driver(running=True)
    held = world._find("-driver")
    ended = {"exitCode": 137, "reason": "Error", "message": text, "finishedAt": START}
    status = {"phase": "Failed", "containerStatuses": [{"state": {"terminated": ended}}]}
    meta = held["metadata"] | {"resourceVersion": "9000000", "annotations": held["metadata"]["annotations"]}
    meta["annotations"] |= {labels.HEAP: text}
    world.index.put(Kind.POD, held | {"metadata": meta, "status": status})
    assert written(world) == "FAILED"


def test_a_run_that_has_ended_tells_how_though_its_application_is_gone() -> None:
    world = World().application().job_run(state="RUNNING").driver(exit_code=0)
    world.index.remove(Kind.APPLICATION, KEY)
    assert written(world) == "SUCCESS"


def test_a_run_that_nobody_saw_running_has_its_start_and_its_duration() -> None:
    world = World().application(maximum=None, initialCapacity=POOL).warm("driver").job_run(state="SCHEDULED")
    world.claimed("warm-driver-1").later(40).report("warm-driver-1", "ended", 0, marks={"submit": 1.0})
    (status,) = [a.status for a in world.actions(SetRunStatus)]
    assert status["totalExecutionDurationSeconds"] == 40
    assert status["startedAt"] < status["endedAt"]


def test_a_clock_that_went_back_stops_no_plan() -> None:
    world = World().application().job_run(state="QUEUED", status={"state": "QUEUED", "queuedAt": START})
    status = next(a.status for a in world.later(-900).actions(SetRunStatus))
    assert status["queuedDurationMilliseconds"] == 0


def test_a_run_says_when_a_worker_could_not_get_its_cpu() -> None:
    world = World().application(maximum=None, initialCapacity=POOL).warm("driver").job_run(state="RUNNING")
    world.claimed("warm-driver-1").report("warm-driver-1", "started")
    world.index.refused_cpu["uid-warm-driver-1"] = "exceeded quota: requests.cpu"
    (status,) = [a.status for a in world.actions(SetRunStatus)]
    assert "exceeded quota" in status["stateDetails"]
    assert [a.reason for a in world.actions(Announce)] == ["ShortOfCPU"]


@pytest.mark.parametrize("state", ["STOPPING", "STOPPED"])
def test_a_stopped_application_keeps_no_worker_on_a_lost_node(state: str) -> None:
    world = World().application(maximum=None, initialCapacity=POOL).warm("driver")
    lose_node(world, "warm-driver-1").application(state, maximum=None, initialCapacity=POOL)
    assert [a.key[1] for a in world.actions(DeleteWorker)] == ["warm-driver-1"]


def test_a_pod_that_is_no_worker_keeps_no_run_from_being_planned() -> None:
    world = World().application(maximum=2, initialCapacity=POOL).warm("driver").warm("executor")
    held = world._find("warm-driver-1")
    names = {k: v for k, v in held["metadata"]["labels"].items() if k not in (labels.COMPONENT, labels.POOL)}
    meta = held["metadata"] | {"labels": names, "name": "odd", "uid": "odd"}
    world.index.put(Kind.POD, held | {"metadata": meta})
    assert world.job_run(parameters="--conf spark.driver.cores=1 --conf spark.driver.memory=5g").plan().actions


@pytest.mark.parametrize("mark", [labels.ATTEMPT, labels.WORKER, labels.HEAP, labels.CLAIMED_AT, labels.STOPPED_AT])
def test_a_pod_with_nonsense_on_it_stops_no_plan(mark: str) -> None:
    world = World().application(maximum=12, initialCapacity=POOL).job_run(state="RUNNING").driver(running=True)
    note(world, "-driver", mark, "nonsense").plan()


def lose_node(world: World, pod: str, *, deleted: bool = False, lost: bool = True) -> World:
    """The node of a pod answers no more; after five minutes the cluster deletes the pod, and waits for its kubelet."""
    held = world._find(pod)
    marks = {"deletionTimestamp": START} if deleted else {}
    version = str(int(held["metadata"]["resourceVersion"]) + 1_000_000)
    conditions = [{"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": str(lost)}]
    meta, status = held["metadata"] | marks | {"resourceVersion": version}, held["status"] | {"conditions": conditions}
    world.index.put(Kind.POD, held | {"metadata": meta, "status": status})
    return world


def test_a_warm_worker_on_a_lost_node_is_not_claimed_and_its_place_is_filled() -> None:
    world = World().application(maximum=None, initialCapacity=POOL).warm("driver").warm("executor").job_run()
    assert world.actions(Claim)
    lose_node(world, "warm-driver-1")
    assert not world.actions(Claim)
    assert len(world.actions(CreateDriver)) == 1
    assert not world.actions(DeleteWorker)
    quiet = World().application(maximum=None, initialCapacity=POOL).warm("driver").warm("executor")
    assert len(lose_node(quiet, "warm-driver-1").actions(CreateWarm)) == 1
    assert quiet.later(3600).shard().warm_ups.failed == 0
    assert not quiet.actions(DeleteWorker)


@pytest.mark.parametrize("pod", ["warm-driver-1", "run-1-exec-1"])
def test_a_pod_that_a_lost_node_can_not_end_is_not_waited_for(pod: str) -> None:
    world = World().application(maximum=None, initialCapacity=POOL).warm("driver").warm("executor")
    world.job_run(state="RUNNING").driver(running=True).executor(number=1, running=True)
    assert not lose_node(world, pod).actions(DeleteWorker)
    assert [a.key[1] for a in lose_node(world, pod, deleted=True).actions(DeleteWorker)] == [pod]
