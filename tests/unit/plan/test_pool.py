"""Pre-initialized workers: keeping them, claiming them, going cold."""

from typing import Any

import pytest

from ember.model.capacity import Capacity
from ember.plan.actions import (
    Claim,
    CreateDriver,
    CreateExecutor,
    CreateWarm,
    DeleteWorker,
    ResizeWorker,
    SetApplicationStatus,
    SetRunStatus,
)
from ember.plan.pool import back_off
from ember.plan.warm import heap_of, why_cold
from tests.support.shards import World

BIG = " ".join(f"--conf spark.{role}.{what}" for role in ("executor", "driver") for what in ("cores=2", "memory=3g"))


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


def test_a_run_claims_its_driver_and_the_pool_is_refilled_at_once() -> None:
    seen = world().warm("driver").warm("executor").job_run()
    claim = seen.actions(Claim)[0]
    assert claim.worker.name == "warm-driver-1"
    assert claim.worker.version
    assert claim.owner["kind"] == "JobRun"
    assert claim.resources == {
        "spark": {
            "requests": {"cpu": "1000m", "memory": "4096Mi", "ephemeral-storage": "20Gi"},
            "limits": {"memory": "4096Mi"},
        }
    }
    assert seen.actions(CreateDriver) == []
    assert roles(seen.actions(CreateWarm)) == ["driver"]


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


def test_failed_warm_ups_are_repeated_later_and_later() -> None:
    assert [back_off(n) for n in (0, 1, 2, 3, 20)] == [0.0, 5.0, 10.0, 20.0, 300.0]


def test_a_failed_warm_up_goes_and_its_successor_comes_after_a_pause() -> None:
    seen = world(drivers=1, executors=0).warm("driver", exit_code=1, ready=False)
    assert [a.key[1] for a in seen.actions(DeleteWorker)] == ["warm-driver-1"]
    assert seen.actions(CreateWarm) == []
    assert len(seen.later(6).actions(CreateWarm)) == 1


def test_a_warm_up_that_never_ends_is_given_up() -> None:
    seen = world(drivers=1, executors=0).warm("driver", ready=False)
    assert seen.actions(DeleteWorker) == []
    assert len(seen.later(301).actions(DeleteWorker)) == 1


def test_a_run_waits_for_a_driver_that_is_nearly_ready_but_not_for_one_that_is_overdue() -> None:
    seen = world(drivers=1, executors=0, maximum=None).warm("driver", ready=False).later(25).job_run()
    assert seen.actions(CreateDriver) == []
    assert "ready in about" in next(a.status["stateDetails"] for a in seen.actions(SetRunStatus))
    assert len(seen.later(30).actions(CreateDriver)) == 1


def test_a_claimed_worker_that_did_not_get_its_cpu_gets_it_later() -> None:
    claimed = {"spark-role": "driver", "ember-spark.io/job-run-uid": "uid-run-1", "ember-spark.io/attempt": "1"}
    seen = world(drivers=1, executors=0, maximum=None).warm("driver", 1, labels=claimed)
    seen._find("warm-driver-1")["metadata"]["annotations"]["ember-spark.io/job-run-name"] = "run-1"
    seen.job_run(state="RUNNING").report("warm-driver-1", "started")
    assert [a.key[1] for a in seen.actions(ResizeWorker)] == ["warm-driver-1"]


@pytest.mark.parametrize(
    ("properties", "cold"),
    [
        ({}, False),
        ({"spark.driver.extraJavaOptions": "-Da=b"}, False),
        ({"spark.driver.extraJavaOptions": "-Da=b -Xss1m"}, True),
        ({"spark.driver.extraClassPath": "/x"}, True),
        ({"spark.emr-serverless.driverEnv.A": "b"}, True),
    ],
)
def test_why_a_driver_goes_cold(properties: dict[str, str], cold: bool) -> None:
    assert bool(why_cold(properties, "driver")) == cold


def test_a_warm_heap_leaves_the_usual_overhead() -> None:
    assert heap_of(2048) == 1664
    assert heap_of(16384) == 14894
    assert Capacity.zero().fits_within(Capacity.zero())


def test_a_claimed_driver_that_dies_before_the_job_began_is_replaced_without_spending_the_attempt() -> None:
    claimed = {"spark-role": "driver", "ember-spark.io/job-run-uid": "uid-run-1", "ember-spark.io/attempt": "1"}
    seen = world(drivers=2, executors=0, maximum=None).warm("driver", 1, labels=claimed).warm("driver", 2)
    pod = seen._find("warm-driver-1")
    pod["metadata"]["annotations"]["ember-spark.io/job-run-name"] = "run-1"
    seen.job_run(state="SCHEDULED").report("warm-driver-1", "ended", 137)
    assert [c.worker.name for c in seen.actions(Claim)] == ["warm-driver-2"]
    assert [a.key[1] for a in seen.actions(DeleteWorker)] == ["warm-driver-1"]


def test_one_that_dies_after_the_job_began_fails_the_run() -> None:
    claimed = {"spark-role": "driver", "ember-spark.io/job-run-uid": "uid-run-1", "ember-spark.io/attempt": "1"}
    seen = world(drivers=2, executors=0, maximum=None).warm("driver", 1, labels=claimed).warm("driver", 2)
    pod = seen._find("warm-driver-1")
    pod["metadata"]["annotations"]["ember-spark.io/job-run-name"] = "run-1"
    seen.job_run(state="SCHEDULED").report("warm-driver-1", "ended", 137, marks={"submit": 1.0})
    assert seen.actions(Claim) == []
    assert next(a.status["state"] for a in seen.actions(SetRunStatus)) == "FAILED"
