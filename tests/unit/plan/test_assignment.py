"""What a driver is told to run."""

from typing import Any

from ember.model.application import EMRApplicationSpec
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
