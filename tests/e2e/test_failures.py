"""Runs that cannot work, or fail: the status says why, and the logs are kept."""

import pytest

from tests.support.e2e.manifests import job_run
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
