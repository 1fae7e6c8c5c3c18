"""Runs that cannot work, or fail: the status says why, and the logs are kept."""

from functools import partial

import pytest

from local.install import NAMESPACE, TENANT
from local.rollout import wait_until
from tests.support.e2e.cluster import Cluster
from tests.support.e2e.manifests import application, job_run
from tests.support.e2e.run import Run

submits = pytest.mark.submits


@submits(job_run("leaves-with-3", "leave.py", ["3"]))
def test_the_exit_code_of_the_job_is_the_run_s(run: Run) -> None:
    run.fails("DriverFailed", "exit code 3")
    assert run.status["exitCode"] == 3
    assert run.log() == "leaving\n"


@submits(job_run("raises", "fail.py"))
def test_an_exception_is_in_the_log(run: Run) -> None:
    run.fails("DriverFailed")
    assert run.status["exitCode"] == 1
    assert "ValueError: the job's own words" in run.log(stream="stderr")


@submits(job_run("has-no-script", "absent.py"))
def test_a_script_that_is_not_there(run: Run) -> None:
    run.fails("DriverFailed")
    assert run.status["exitCode"] != 0
    assert "absent.py" in run.log(stream="stderr")


@submits(job_run("is-greedy", "greedy.py"))
def test_a_driver_that_takes_too_much_memory(run: Run) -> None:
    run.fails("DriverFailed", "OOMKilled")
    assert "taking memory" in run.log()


@submits(job_run("has-no-application", "leave.py", ["0"], application="nowhere"))
def test_an_application_that_does_not_exist(run: Run) -> None:
    run.fails("ApplicationNotFound", "EMRApplication")


@submits(job_run("is-too-large", "leave.py", ["0"], application="e2e-tiny"))
def test_workers_that_the_maximum_can_never_hold(run: Run) -> None:
    run.fails("InvalidConfiguration", "maximumCapacity", "2 vCPU", "1 vCPU")
    assert run.driver == ""


@submits(job_run("has-odd-cores", "leave.py", ["0"], conf={"spark.executor.cores": "3"}))
def test_a_size_that_no_worker_has(run: Run) -> None:
    run.fails("InvalidConfiguration", "1, 2, 4, 8 or 16 vCPU, not 3")


@submits(job_run("sets-the-master", "leave.py", ["0"], parameters="--master local"))
def test_a_parameter_that_is_ember_s(run: Run) -> None:
    run.fails("InvalidConfiguration", "--master is set by Ember")


def test_a_slip_in_an_application_is_told_and_the_next_one_counts_it_up(cluster: Cluster) -> None:
    slip = application("e2e-slip", cpu=2, memory=8)
    try:
        for times, release in ((1, "spark-0"), (2, "spark-1")):
            cluster.apply([slip | {"spec": slip["spec"] | {"releaseLabel": release}}])
            told = partial(_told, cluster, "e2e-slip", times, release)
            wait_until(f"an Event about {release}", told, 60, cluster.kubectl, NAMESPACE)
    finally:
        cluster.kubectl.run("delete", "emrapp", "-n", TENANT, "e2e-slip", "--wait=false")


def _told(cluster: Cluster, name: str, times: int, words: str) -> bool:
    """Whether InvalidSpec was told of an application so often, the last time with these words."""
    found = cluster.kubectl.get("emrapp", name, TENANT)
    assert found is not None
    events = [e for e in cluster.kubectl.list("events", TENANT) if e["reason"] == "InvalidSpec"]
    own = [e for e in events if e["involvedObject"].get("uid") == found["metadata"]["uid"]]
    return [(e["count"], words in e["message"]) for e in own] == [(times, True)]
