"""Pre-initialized workers: keeping them, claiming them, going cold."""

import json
from typing import Any

import pytest

from ember.kube.index import Kind
from ember.model.capacity import Capacity
from ember.plan.actions import (
    Announce,
    Claim,
    CreateDriver,
    CreateExecutor,
    CreateWarm,
    DeleteWorker,
    ResizeWorker,
    SetApplicationStatus,
    SetRunStatus,
)
from ember.plan.pods import PodBuilder
from ember.plan.sizes import largest_heap
from ember.plan.warm import why_cold
from tests.support.shards import SMALL, World, pod_status, settings

BIG = " ".join(f"--conf spark.{role}.{what}" for role in ("executor", "driver") for what in ("cores=2", "memory=3g"))

SMALL_DRIVER = "--conf spark.driver.cores=1 --conf spark.driver.memory=2g"


def pool(drivers: int = 1, executors: int = 1, cpu: int = 1, memory: str = "4 GB") -> dict[str, Any]:
    size = {"cpu": f"{cpu} vCPU", "memory": memory}
    counts = {"DRIVER": drivers, "EXECUTOR": executors}
    return {kind: {"workerCount": n, "workerConfiguration": size} for kind, n in counts.items() if n}


def world(state: str = "STARTED", maximum: int | None = 8, **wanted: Any) -> World:
    return World().application(state=state, maximum=maximum, initialCapacity=pool(**wanted))


def roles(actions: list[CreateWarm]) -> list[str]:
    return sorted(action.pod["metadata"]["labels"]["app.kubernetes.io/component"] for action in actions)


def test_a_starting_application_makes_its_initial_capacity_ready() -> None:
    assert roles(world("STARTING", drivers=1, executors=2).actions(CreateWarm)) == ["driver", "executor", "executor"]


@pytest.mark.parametrize("state", ["CREATED", "STOPPED", "STOPPING"])
def test_an_application_that_is_not_started_holds_none(state: str) -> None:
    assert world(state).actions(CreateWarm) == []


def test_it_is_started_only_when_all_are_ready_and_says_how_far_it_is() -> None:
    seen = world("STARTING").warm("driver").warm("executor", ready=False)
    status = seen.actions(SetApplicationStatus)[0].status
    assert status["state"] == "STARTING"
    assert status["stateDetails"].startswith("1/2 pre-initialized workers are ready")
    assert seen.report("warm-executor-1", "ready").actions(SetApplicationStatus)[0].status["state"] == "STARTED"


def test_a_run_claims_its_driver() -> None:
    seen = world().warm("driver").warm("executor").job_run()
    claim = seen.actions(Claim)[0]
    assert claim.worker.name == "warm-driver-1"
    assert claim.worker.version
    assert claim.owner["kind"] == "JobRun"
    assert claim.resources == {"spark": {"requests": {"cpu": "1000m"}}}
    assert seen.actions(CreateDriver) == []


def test_the_pool_is_refilled_as_soon_as_the_run_has_started() -> None:
    seen = world().warm("driver").warm("executor").job_run()
    assert seen.actions(Claim)
    assert seen.actions(CreateWarm) == []
    seen.claimed("warm-driver-1")
    assert seen.actions(CreateWarm) == []
    assert seen.plan().look_again_in == 2.0
    assert roles(seen.later(2).actions(CreateWarm)) == ["driver"]


def test_a_run_that_is_over_keeps_no_refill_waiting() -> None:
    seen = world().warm("driver").warm("executor").job_run(state="RUNNING").claimed("warm-driver-1")
    assert seen.actions(CreateWarm) == []
    assert roles(seen.job_run(state="SUCCESS").actions(CreateWarm)) == ["driver"]


def test_an_executor_is_claimed_before_one_is_made() -> None:
    seen = world().warm("executor").job_run(state="RUNNING").driver(running=True).waits_for("run-1", 1, 2)
    assert [(c.worker.name, c.request and c.request.executor_id) for c in seen.actions(Claim)] == [
        ("warm-executor-1", "1")
    ]
    assert [c.request.executor_id for c in seen.actions(CreateExecutor)] == ["2"]


def test_claiming_costs_nothing_of_the_maximum() -> None:
    seen = world(maximum=2).warm("driver").warm("executor").job_run()
    assert len(seen.actions(Claim)) == 1
    assert seen.actions(CreateWarm) == []  # there is no room for another


@pytest.mark.parametrize(
    "state", [{"ready": False}, {"exit_code": 1}, {"stop": "released"}, {"labels": {"ember-spark.io/pool": "outdated"}}]
)
def test_what_is_not_warm_ended_or_outdated_is_never_claimed(state: dict[str, Any]) -> None:
    seen = world(executors=0).warm("driver", **state).job_run()
    assert seen.actions(Claim) == []


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ("--conf spark.driver.memory=6g", "larger"),
        ("--conf spark.driver.cores=2", "larger"),
        ("--driver-java-options -Xss4m", "extraJavaOptions"),
    ],
)
def test_what_a_warm_worker_cannot_serve_goes_cold(parameters: str, why: str) -> None:
    seen = world(executors=0, maximum=None).warm("driver").job_run(parameters=parameters)
    assert seen.actions(Claim) == []
    assert len(seen.actions(CreateDriver)) == 1


OVERHEAD = "spark.driver.memoryOverhead"


def test_who_needs_more_beside_the_heap_than_a_running_jvm_leaves_goes_cold() -> None:
    seen = world(executors=0, maximum=None).warm("driver").job_run(parameters=f"{SMALL} --conf {OVERHEAD}=1g")
    assert seen.actions(Claim) == []
    assert len(seen.actions(CreateDriver)) == 1


def test_heaps_leave_what_the_application_s_runs_want_beside_them() -> None:
    runtime = [{"classification": "spark-defaults", "properties": {OVERHEAD: "1g"}}]
    seen = World().application(maximum=None, initialCapacity=pool(executors=0), runtimeConfiguration=runtime)
    (made,) = seen.actions(CreateWarm)
    assert made.pod["metadata"]["annotations"]["ember-spark.io/heap-mib"] == str(4096 - 1024)
    assert len(seen.warm("driver").job_run().actions(Claim)) == 1


def test_an_overhead_that_leaves_no_heap_is_refused() -> None:
    runtime = [{"classification": "spark-defaults", "properties": {OVERHEAD: "4g"}}]
    seen = World().application("CREATING", initialCapacity=pool(executors=0), runtimeConfiguration=runtime)
    assert "spark.driver.memoryOverhead" in seen.actions(SetApplicationStatus)[0].status["stateDetails"]


def test_the_smallest_worker_that_fits_is_claimed_in_the_runs_zone_first_then_the_oldest() -> None:
    zone = "topology.kubernetes.io/zone"
    seen = world(executors=3).warm("executor", 1, labels={zone: "b"}).warm("executor", 2, labels={zone: "a"})
    seen.warm("executor", 3, labels={zone: "a"}).job_run(state="RUNNING").driver(running=True)
    pod = seen._find("-driver")
    pod["metadata"]["labels"][zone] = "a"
    assert seen.waits_for("run-1", 1).actions(Claim)[0].worker.name == "warm-executor-2"


def test_idle_workers_make_room_for_the_head_of_the_queue() -> None:
    seen = world(maximum=4, drivers=1, executors=3).warm("driver").warm("executor", 1).warm("executor", 2)
    seen.warm("executor", 3).job_run(parameters=BIG)
    assert len(seen.actions(DeleteWorker)) >= 3
    assert seen.actions(CreateWarm) == []
    assert next(a.status["state"] for a in seen.actions(SetRunStatus)) == "QUEUED"


def test_a_smaller_wish_releases_what_is_too_many_the_unready_first() -> None:
    seen = world(drivers=1, executors=0).warm("driver", 1).warm("driver", 2, ready=False)
    assert [a.key[1] for a in seen.actions(DeleteWorker)] == ["warm-driver-2"]


def test_an_outdated_worker_goes_when_its_successor_is_ready() -> None:
    seen = world(drivers=1, executors=0).warm("driver", 1, labels={"ember-spark.io/pool": "outdated"})
    assert seen.actions(DeleteWorker) == []
    assert len(seen.actions(CreateWarm)) == 1
    seen.warm("driver", 2, ready=False)
    assert seen.actions(DeleteWorker) == []
    assert seen.actions(CreateWarm) == []
    seen.report("warm-driver-2", "ready")
    assert [a.key[1] for a in seen.actions(DeleteWorker)] == ["warm-driver-1"]


def test_a_stopped_application_lets_its_pool_go() -> None:
    seen = world("STOPPING").warm("driver").warm("executor")
    assert len(seen.actions(DeleteWorker)) == 2


def test_a_run_waits_for_a_driver_that_is_nearly_ready_but_not_for_one_that_is_overdue() -> None:
    seen = world(drivers=1, executors=0, maximum=None).warm("driver", ready=False).later(25).job_run()
    assert seen.actions(CreateDriver) == []
    assert "ready in about" in next(a.status["stateDetails"] for a in seen.actions(SetRunStatus))
    assert len(seen.later(30).actions(CreateDriver)) == 1


def test_a_claimed_worker_that_did_not_get_its_cpu_gets_it_later() -> None:
    seen = world(drivers=1, executors=0, maximum=None).warm("driver", 1).claimed("warm-driver-1")
    seen.job_run(state="RUNNING").report("warm-driver-1", "started")
    assert [a.key[1] for a in seen.actions(ResizeWorker)] == ["warm-driver-1"]


@pytest.mark.parametrize(
    ("properties", "cold"),
    [
        ({}, False),
        ({"spark.driver.extraJavaOptions": "-Da=b"}, False),
        ({"spark.driver.extraJavaOptions": "-Da=b -Xss1m"}, True),
        ({"spark.driver.extraJavaOptions": "-Dfile.encoding=latin1"}, True),
        ({"spark.driver.extraClassPath": "/x"}, True),
        ({"spark.sql.codegen.cache.maxEntries": "1"}, True),
        ({"spark.emr-serverless.driverEnv.A": "b"}, True),
    ],
)
def test_why_a_driver_goes_cold(properties: dict[str, str], cold: bool) -> None:
    assert bool(why_cold(properties, "driver")) == cold


def test_a_warm_heap_leaves_the_usual_overhead() -> None:
    assert largest_heap(2048, {}, "driver") == 1664
    assert largest_heap(16384, {}, "driver") == 14894
    assert Capacity.zero().fits_within(Capacity.zero())


def test_a_claimed_driver_that_dies_before_the_job_began_is_replaced_without_spending_the_attempt() -> None:
    seen = world(drivers=2, executors=0, maximum=None).warm("driver", 1).warm("driver", 2).claimed("warm-driver-1")
    seen.job_run(state="SCHEDULED").report("warm-driver-1", "ended", 137)
    assert [c.worker.name for c in seen.actions(Claim)] == ["warm-driver-2"]
    assert seen.actions(DeleteWorker) == []
    seen.claimed("warm-driver-2").report("warm-driver-2", "started").job_run(state="RUNNING")
    assert [a.key[1] for a in seen.actions(DeleteWorker)] == ["warm-driver-1"]


def test_a_run_that_has_lost_three_drivers_before_its_job_began_goes_cold() -> None:
    seen = world(drivers=4, executors=0, maximum=None)
    for number in range(1, 5):
        seen.warm("driver", number)
    seen.job_run(state="PENDING")
    for number in (1, 2, 3):
        assert seen.actions(CreateDriver) == []
        assert len(seen.actions(Claim)) == 1
        seen.claimed(f"warm-driver-{number}").report(f"warm-driver-{number}", "ended", 1)
    assert seen.actions(Claim) == []
    assert len(seen.actions(CreateDriver)) == 1
    status = seen.driver().actions(SetRunStatus)[0].status
    assert "3 pre-initialized drivers ended" in status["startup"]["reason"]


def test_one_that_dies_after_the_job_began_fails_the_run() -> None:
    seen = world(drivers=2, executors=0, maximum=None).warm("driver", 1).warm("driver", 2).claimed("warm-driver-1")
    seen.job_run(state="SCHEDULED").report("warm-driver-1", "ended", 137, marks={"submit": 1.0})
    assert seen.actions(Claim) == []
    assert next(a.status["state"] for a in seen.actions(SetRunStatus)) == "FAILED"


def test_a_driver_that_was_warm_for_long_has_all_the_time_to_start_its_job() -> None:
    seen = world(drivers=1, executors=0, maximum=None).warm("driver").later(3600).claimed("warm-driver-1")
    seen.job_run(state="PENDING")
    assert next(a.status["state"] for a in seen.actions(SetRunStatus)) == "SCHEDULED"
    assert next(a.status["state"] for a in seen.later(601).actions(SetRunStatus)) == "FAILED"


@pytest.mark.parametrize(("said", "replaced"), [("ready", True), ("assigned", False), ("started", False)])
def test_a_driver_that_is_killed_without_a_word_may_have_begun_once_it_was_told_its_run(
    said: str, replaced: bool
) -> None:
    seen = world(drivers=2, executors=0, maximum=None).warm("driver", 1).warm("driver", 2).claimed("warm-driver-1")
    seen.job_run(state="SCHEDULED").report("warm-driver-1", said)
    killed = {**seen._find("warm-driver-1"), "status": pod_status(exit_code=137, reason="Error")}
    killed["metadata"] = {**killed["metadata"], "resourceVersion": "1000000"}
    seen.index.put(Kind.POD, killed)
    assert bool(seen.actions(Claim)) == replaced
    assert any(a.status["state"] == "FAILED" for a in seen.actions(SetRunStatus)) != replaced


def test_the_status_counts_each_entry() -> None:
    seen = world(drivers=2, executors=1).warm("driver", 1).warm("driver", 2, ready=False)
    status = seen.actions(SetApplicationStatus)[0].status
    assert status["initialCapacity"] == {
        "DRIVER": {"wanted": 2, "warming": 1, "idle": 1},
        "EXECUTOR": {"wanted": 1, "warming": 0, "idle": 0},
    }


TWO_SIZES = pool(drivers=0, executors=1) | {
    "EXECUTOR_large": {"workerCount": 1, "workerConfiguration": {"cpu": "2 vCPU", "memory": "8 GB"}}
}


def test_several_sizes_of_one_type_are_kept_side_by_side() -> None:
    seen = World().application(maximum=None, initialCapacity=TWO_SIZES)
    sizes = [a.pod["metadata"]["annotations"]["ember-spark.io/worker"] for a in seen.actions(CreateWarm)]
    assert [json.loads(size)["cpu"] for size in sizes] == [1, 2]
    seen.warm("executor", 1, kind="EXECUTOR").warm("executor", 2, kind="EXECUTOR_large")
    assert seen.actions(CreateWarm) == []
    assert seen.actions(DeleteWorker) == []
    seen.job_run(state="RUNNING").driver(running=True).waits_for("run-1", 1)
    assert [c.worker.name for c in seen.actions(Claim)] == ["warm-executor-1"]
    seen.job_run("run-2", state="RUNNING", parameters=BIG).driver("run-2", running=True).waits_for("run-2", 1)
    assert [c.worker.name for c in seen.actions(Claim)] == ["warm-executor-1", "warm-executor-2"]


def test_where_the_maximum_has_no_room_for_a_successor_an_outdated_worker_makes_it() -> None:
    seen = world(maximum=2, drivers=2, executors=0)
    for number in (1, 2):
        seen.warm("driver", number, labels={"ember-spark.io/pool": "outdated"})
    assert seen.actions(CreateWarm) == []
    assert [a.key[1] for a in seen.actions(DeleteWorker)] == ["warm-driver-1"]


def test_outdated_workers_make_room_for_the_head_of_the_queue() -> None:
    seen = world(maximum=2)
    for role in ("driver", "executor"):
        seen.warm(role, 1, labels={"ember-spark.io/pool": "outdated"})
    seen.job_run()
    assert sorted(a.key[1] for a in seen.actions(DeleteWorker)) == ["warm-driver-1", "warm-executor-1"]


def test_what_cannot_start_makes_room_for_the_head_of_the_queue_and_what_suits_it_stays() -> None:
    seen = world(maximum=3, drivers=1, executors=2).warm("driver").warm("executor", 1)
    seen.warm("executor", 2, ready=False, running=False, waiting="ImagePullBackOff")
    seen.job_run(parameters=BIG.replace("--conf spark.driver.cores=2 --conf spark.driver.memory=3g", SMALL_DRIVER))
    assert sorted(a.key[1] for a in seen.actions(DeleteWorker)) == ["warm-executor-1", "warm-executor-2"]


def test_a_changed_setting_of_the_platform_makes_workers_outdated() -> None:
    seen = world(drivers=1, executors=0).warm("driver")
    assert seen.actions(CreateWarm) == []
    seen.gatherer.pods = PodBuilder(settings(store={"endpoint": "http://elsewhere:9000"}), "CA")
    assert len(seen.actions(CreateWarm)) == 1


def test_a_slip_in_the_specification_costs_no_worker() -> None:
    seen = world(drivers=1, executors=0).warm("driver")
    seen.application(maximum=8, initialCapacity=pool(drivers=1, executors=0), releaseLabel="spark-9.9")
    assert seen.actions(DeleteWorker) == []
    assert seen.actions(CreateWarm) == []


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (pool(drivers=1, executors=8), ["initialCapacity", "cpu", "maximumCapacity"]),
        (pool(drivers=1, executors=0, memory="64 GB"), ["initialCapacity.DRIVER", "2-8 GB"]),
    ],
)
def test_a_capacity_that_can_never_be_is_refused_with_the_field_and_the_rule(
    wanted: dict[str, Any], words: list[str]
) -> None:
    status = World().application("CREATING", 8, initialCapacity=wanted).actions(SetApplicationStatus)[0].status
    assert status["state"] == "CREATING"
    assert all(word in status["stateDetails"] for word in words), status["stateDetails"]


def condition(seen: World) -> tuple[str, str, str]:
    status = seen.actions(SetApplicationStatus)[0].status
    found = next(c for c in status["conditions"] if c["type"] == "InitialCapacityReady")
    return found["status"], found["reason"], found.get("message", "")


def test_the_condition_says_how_the_pool_is() -> None:
    assert condition(world("STARTING", drivers=1, executors=0))[:2] == ("False", "WarmingUp")
    assert condition(world(drivers=1, executors=0).warm("driver"))[:2] == ("True", "Complete")
    assert condition(world("STOPPED", drivers=1, executors=0))[:2] == ("False", "NotStarted")


def test_a_pool_that_cannot_be_kept_is_announced_with_the_reason() -> None:
    seen = world(drivers=1, executors=0).warm("driver", ready=False)
    seen.report("warm-driver-1", "ended", 1, "the warm-up failed: no room")
    status, reason, message = condition(seen)
    assert (status, reason) == ("False", "WarmUpFailing")
    assert "the warm-up failed: no room" in message
    (told,) = [a for a in seen.actions(Announce) if a.kind == "EMRApplication"]
    assert (told.type, told.reason) == ("Warning", "WarmUpFailing")


@pytest.mark.parametrize(("before", "told"), [("NotStarted", []), ("WarmUpFailing", ["WarmingUp"])])
def test_only_a_pool_that_could_not_be_kept_is_announced_as_mended(before: str, told: list[str]) -> None:
    time = "2026-11-21T10:00:00Z"
    old = {"type": "InitialCapacityReady", "status": "False", "reason": before, "lastTransitionTime": time}
    status = {"state": "STARTING", "conditions": [old]}
    seen = World().application(status=status, maximum=8, initialCapacity=pool())
    assert [a.reason for a in seen.actions(Announce)] == told


def test_a_worker_without_a_node_is_announced() -> None:
    seen = world(drivers=1, executors=0).warm("driver", ready=False, running=False)
    pod = seen._find("warm-driver-1")
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    pod["status"] = {"phase": "Pending", "conditions": [unschedulable]}
    assert condition(seen) == ("False", "WorkerNotStarting", "no node has room: 0/1 nodes")


def test_runs_that_fill_the_maximum_are_named_as_the_reason() -> None:
    seen = world(maximum=2, drivers=1, executors=0).job_run(state="RUNNING").driver(running=True)
    seen.executor(number=1, running=True)
    assert condition(seen)[:2] == ("False", "MaximumCapacity")
