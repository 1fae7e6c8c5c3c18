"""The examples: what they say is what Ember takes, and the texts are texts."""

from pathlib import Path

import pytest
import yaml

from ember.model.application import EMRApplication
from ember.model.base import unsupported
from ember.model.conf_policy import refusals
from ember.model.jobrun import JobRunSpec
from ember.model.settings import Settings
from ember.model.submit import parse_submit_parameters
from ember.plan.warm import shapes
from examples.texts import texts
from tests.unit.chart.helm import NAMESPACE, named, render

EXAMPLES = Path(__file__).parents[3] / "examples"
APPLICATIONS = ("application", "quick")
RUNS = ("wordcount", "wordcount-warm", "tpch", "sparkpi")


def run(name: str) -> JobRunSpec:
    return JobRunSpec.model_validate(yaml.safe_load((EXAMPLES / "team-a" / f"{name}.yaml").read_text())["spec"])


def application(name: str) -> EMRApplication:
    return EMRApplication.model_validate(yaml.safe_load((EXAMPLES / "team-a" / f"{name}.yaml").read_text()))


@pytest.mark.parametrize("name", APPLICATIONS)
def test_applications_ask_for_nothing_unsupported_nor_for_more_than_they_may(name: str) -> None:
    assert not unsupported(application(name).spec)
    shapes(application(name).spec, {})


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_charts_default_releases_have_the_applications(name: str) -> None:
    text = named(render(), "ConfigMap", "ember-settings", NAMESPACE)["data"]["settings.yaml"]
    settings = Settings.model_validate(yaml.safe_load(text))
    assert settings.release(application(name).spec.release_label)


@pytest.mark.parametrize("name", RUNS)
def test_runs_are_taken_as_they_are(name: str) -> None:
    found = run(name)
    assert not unsupported(found)
    assert found.application_ref.name in {application(name).metadata.name for name in APPLICATIONS}
    submit = found.job_driver.spark_submit
    assert submit
    parsed = parse_submit_parameters(submit.spark_submit_parameters)
    assert not refusals(parsed.conf)


@pytest.mark.parametrize("name", ["wordcount", "wordcount-warm", "tpch"])
def test_scripts_of_runs_are_among_the_jobs(name: str) -> None:
    submit = run(name).job_driver.spark_submit
    assert submit
    assert (EXAMPLES / "jobs" / submit.entry_point.rpartition("/")[2]).exists()


def test_the_texts_are_many_long_and_named_as_files() -> None:
    found = texts()
    assert sum(map(len, found.values())) > 400_000
    assert all(name.endswith(".txt") and "/" not in name for name in found)
