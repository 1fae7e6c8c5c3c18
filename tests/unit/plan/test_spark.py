"""The Spark properties of a run, and the sizes of its workers."""

from typing import Any

import pytest

from ember.model.application import EMRApplicationSpec
from ember.model.capacity import Capacity
from ember.model.jobrun import JobRunSpec
from ember.plan.spark import RunPlan, plan_run
from ember.plan.warm import shapes
from tests.support.shards import SMALL, settings

ALLOCATION = "spark.dynamicAllocation."


def plan(parameters: str = SMALL, maximum: int | None = 6, run: Any = None, **application: Any) -> RunPlan:
    ceiling = {"maximumCapacity": {"cpu": str(maximum), "memory": f"{maximum * 4} GB"}} if maximum else {}
    spec = {"type": "SPARK", "releaseLabel": "spark-4.1.2", **ceiling, **application}
    submit = {"entryPoint": "s3://b/x.py", **({"sparkSubmitParameters": parameters} if parameters else {})}
    job = {"applicationRef": {"name": "a"}, "jobDriver": {"sparkSubmit": submit}, **(run or {})}
    taken = EMRApplicationSpec.model_validate(spec)
    return plan_run(JobRunSpec.model_validate(job), taken, settings(), shapes(taken, {}))


def test_without_a_word_a_run_gets_emr_serverless_defaults() -> None:
    made = plan("", maximum=None)
    assert made.driver.capacity == Capacity(cpu=4, memory_mib=16384, disk_gib=20)
    assert made.properties["spark.executor.memory"] == "14g"
    assert made.properties[ALLOCATION + "initialExecutors"] == "3"


def test_a_runs_own_pythonpath_comes_after_the_launchers() -> None:
    made = plan(
        f"{SMALL} --conf spark.executorEnv.PYTHONPATH=./deps --conf spark.emr-serverless.driverEnv.PYTHONPATH=/x"
    )
    assert made.executor_environment == {"PYTHONPATH": "/opt/ember/lib:./deps"}
    assert made.driver_environment == {"PYTHONPATH": "/opt/ember/lib:/x"}


def test_an_open_quote_in_java_options_is_named() -> None:
    with pytest.raises(ValueError, match="extraJavaOptions"):
        plan(f'{SMALL} --conf "spark.driver.extraJavaOptions=-Da=\'b"')


def test_memory_is_rounded_up_to_a_worker_size_and_the_heap_stays_what_was_asked() -> None:
    made = plan()
    assert (made.driver.capacity.memory_mib, made.driver.heap_mib, made.driver.beside_mib) == (3072, 2048, 384)


@pytest.mark.parametrize(
    ("parameters", "initial", "most"),
    [
        ("", "3", "5"),
        ("--num-executors 2", "2", "5"),
        ("--num-executors 10", "5", "5"),
        (f"--conf {ALLOCATION}maxExecutors=2", "2", "2"),
        (f"--conf {ALLOCATION}minExecutors=9", "5", "5"),
        (f"--conf {ALLOCATION}initialExecutors=1 --num-executors 2", "1", "5"),
    ],
)
def test_dynamic_allocation_is_bounded_by_what_the_application_can_give(
    parameters: str, initial: str, most: str
) -> None:
    made = plan(f"{SMALL} {parameters}").properties
    assert (made[ALLOCATION + "initialExecutors"], made[ALLOCATION + "maxExecutors"]) == (initial, most)


def test_without_dynamic_allocation_the_instances_are_bounded() -> None:
    made = plan(f"{SMALL} --conf {ALLOCATION}enabled=false --num-executors 10").properties
    assert made["spark.executor.instances"] == "5"


def test_the_runs_configuration_wins_over_the_applications_and_its_parameters_over_both() -> None:
    def defaults(**properties: str) -> list[dict[str, Any]]:
        return [{"classification": "spark-defaults", "properties": {f"spark.{k}": v for k, v in properties.items()}}]

    run = {"configurationOverrides": {"applicationConfiguration": defaults(b="run", c="run")}}
    made = plan(f"{SMALL} --conf spark.c=own", run=run, runtimeConfiguration=defaults(a="app", b="app", c="app"))
    assert [made.properties[f"spark.{key}"] for key in "abc"] == ["app", "run", "own"]


@pytest.mark.parametrize(
    ("more", "idle", "initial"),
    [
        ("", "2s", "2"),
        ("--conf spark.executor.extraJavaOptions=-Xss2m", "60s", "3"),
        ("--conf spark.executor.memory=5g", "60s", "3"),
        (f"--conf {ALLOCATION}executorIdleTimeout=9s", "9s", "2"),
    ],
)
def test_executors_follow_the_stages_where_pre_initialized_ones_can_serve(more: str, idle: str, initial: str) -> None:
    size = {"workerConfiguration": {"cpu": "1 vCPU", "memory": "4 GB"}}
    capacity = {"EXECUTOR": {"workerCount": 2, **size}}
    made = plan(f"{SMALL} {more}", maximum=None, initialCapacity=capacity).properties
    assert (made[ALLOCATION + "executorIdleTimeout"], made[ALLOCATION + "initialExecutors"]) == (idle, initial)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ("--conf spark.driver.memoryOverheadFactor=much", "spark.driver.memoryOverheadFactor"),
        ("--conf spark.emr-serverless.driver.disk=900G", "disk"),
        (f"{SMALL} --conf {ALLOCATION}maxExecutors=many", "many"),
        ("--conf spark.driver.memory=200g", "memory"),
    ],
)
def test_a_setting_that_cannot_be_had_is_named(parameters: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        plan(parameters, maximum=None)


def test_the_properties_of_a_shared_setting_are_refused_like_the_runs_own() -> None:
    owned = [{"classification": "spark-defaults", "properties": {"spark.master": "local"}}]
    with pytest.raises(ValueError, match=r"runtimeConfiguration: spark\.master is set by Ember"):
        plan(runtimeConfiguration=owned)


def test_off_heap_memory_is_part_of_the_worker() -> None:
    made = plan(f"{SMALL} --conf spark.memory.offHeap.enabled=true --conf spark.memory.offHeap.size=2g")
    assert (made.executor.capacity.memory_mib, made.executor.beside_mib) == (5120, 384 + 2048)
