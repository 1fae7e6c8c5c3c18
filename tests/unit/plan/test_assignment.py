"""What a driver is told to run."""

from typing import Any

import pytest

from ember.model.application import EMRApplicationSpec
from ember.model.conf_policy import refuse
from ember.model.jobrun import JobRunSpec
from ember.model.settings import Settings
from ember.plan.assignment import driver_assignment
from ember.plan.spark import plan_run

RELEASES = {"spark-4.1.2": {"image": "spark", "sparkVersion": "4.1.2"}}
SETTINGS = Settings.model_validate({"releaseNamespace": "ember-system", "releases": RELEASES})
APPLICATION = EMRApplicationSpec.model_validate({"type": "SPARK", "releaseLabel": "spark-4.1.2"})
RUN: dict[str, Any] = {"metadata": {"name": "r", "namespace": "team-a", "uid": "u"}}


def submit_arguments(entry_point: str, parameters: str | None = None, *arguments: str) -> list[str]:
    submit = {"entryPoint": entry_point, "entryPointArguments": list(arguments), "sparkSubmitParameters": parameters}
    spec = JobRunSpec.model_validate({"applicationRef": {"name": "a"}, "jobDriver": {"sparkSubmit": submit}})
    plan = plan_run(spec, APPLICATION, SETTINGS)
    told: list[str] = driver_assignment(RUN, spec, plan, SETTINGS, "pod", None)["driver"]["submitArguments"]
    return told


def test_the_options_of_the_drivers_jvm_are_split_as_a_shell_does() -> None:
    extra = '-Da="b c" -XX:OnError="gcore %p"'
    conf = f"--conf spark.driver.defaultJavaOptions=-Xss1m --conf 'spark.driver.extraJavaOptions={extra}'"
    submit = {"entryPoint": "s3://b/x.py", "sparkSubmitParameters": conf}
    spec = JobRunSpec.model_validate({"applicationRef": {"name": "a"}, "jobDriver": {"sparkSubmit": submit}})
    told = driver_assignment(RUN, spec, plan_run(spec, APPLICATION, SETTINGS), SETTINGS, "pod", None)
    assert told["jvmOptions"] == ["-Xss1m", "-Da=b c", "-XX:OnError=gcore %p"]
    assert not any("JavaOptions" in name for name in told["driver"]["properties"])


def test_executors_get_the_jar_of_the_job() -> None:
    jar = "s3://b/job.jar"
    assert submit_arguments(jar, "--class C", "x") == ["--class", "C", "--jars", jar, jar, "x"]


def test_the_jar_of_the_job_comes_after_those_it_needs() -> None:
    assert submit_arguments("local:///job.jar", "--jars a.jar,b.jar")[:2] == ["--jars", "a.jar,b.jar,local:///job.jar"]
    assert submit_arguments("j.jar", "--conf spark.jars=a.jar")[:2] == ["--jars", "a.jar,j.jar"]


def test_a_script_is_no_jar() -> None:
    assert submit_arguments("s3://b/job.py", None, "--jars", "x") == ["s3://b/job.py", "--jars", "x"]


def properties(parameters: str | None = None, prefix: str | None = "s3://b/p/") -> dict[str, str]:
    submit = {"entryPoint": "s3://b/x.py", "sparkSubmitParameters": parameters}
    spec = JobRunSpec.model_validate({"applicationRef": {"name": "a"}, "jobDriver": {"sparkSubmit": submit}})
    plan = plan_run(spec, APPLICATION, SETTINGS)
    told: dict[str, str] = driver_assignment(RUN, spec, plan, SETTINGS, "pod", prefix)["driver"]["properties"]
    return told


OPEN = [
    "spark.scheduler.minRegisteredResourcesRatio",
    "spark.dynamicAllocation.shuffleTracking.enabled",
    "spark.storage.decommission.fallbackStorage.path",
    "spark.eventLog.overwrite",
    "spark.app.name",
]


@pytest.mark.parametrize("name", OPEN)
def test_what_is_only_a_default_a_run_may_set_otherwise(name: str) -> None:
    assert properties()[name] != "other"
    assert properties(f"--conf {name}=other")[name] == "other"


def test_what_a_run_cannot_set_is_refused_by_name_and_not_overridden_in_silence() -> None:
    submit = {"entryPoint": "s3://b/x.py"}
    spec = JobRunSpec.model_validate({"applicationRef": {"name": "a"}, "jobDriver": {"sparkSubmit": submit}})
    added = properties().keys() - plan_run(spec, APPLICATION, SETTINGS).properties.keys() - set(OPEN)
    assert [name for name in added if refuse(name) is None] == []


def test_who_never_saw_an_executor_asks_soon_again() -> None:
    assert properties()["spark.kubernetes.allocation.executor.timeout"] == "40s"
