"""The examples: what they say is what Ember takes, and the texts are texts."""

from pathlib import Path

import pytest
import yaml

from ember.model.application import EMRApplication
from ember.model.base import unsupported
from ember.model.conf_policy import refusals
from ember.model.jobrun import JobRun
from ember.model.settings import Settings
from ember.model.submit import parse_submit_parameters
from examples.texts import texts
from tests.unit.chart.helm import NAMESPACE, named, render

EXAMPLES = Path(__file__).parents[3] / "examples"
RUNS = ("wordcount", "tpch", "sparkpi")


def run(name: str) -> JobRun:
    return JobRun.model_validate(yaml.safe_load((EXAMPLES / "team-a" / f"{name}.yaml").read_text()))


def application() -> EMRApplication:
    return EMRApplication.model_validate(yaml.safe_load((EXAMPLES / "team-a" / "application.yaml").read_text()))


def test_the_application_asks_for_nothing_unsupported() -> None:
    assert not unsupported(application().spec)


def test_the_charts_default_releases_have_the_applications() -> None:
    text = named(render(), "ConfigMap", "ember-settings", NAMESPACE)["data"]["settings.yaml"]
    settings = Settings.model_validate(yaml.safe_load(text))
    assert settings.release(application().spec.release_label)


@pytest.mark.parametrize("name", RUNS)
def test_runs_are_taken_as_they_are(name: str) -> None:
    found = run(name)
    assert not unsupported(found.spec)
    assert found.spec.application_ref.name == "analytics"
    submit = found.spec.job_driver.spark_submit
    assert submit
    parsed = parse_submit_parameters(submit.spark_submit_parameters)
    assert not refusals(parsed.conf)


@pytest.mark.parametrize("name", ["wordcount", "tpch"])
def test_scripts_of_runs_are_among_the_jobs(name: str) -> None:
    submit = run(name).spec.job_driver.spark_submit
    assert submit
    assert (EXAMPLES / "jobs" / submit.entry_point.rpartition("/")[2]).exists()


def test_the_texts_are_many_long_and_named_as_files() -> None:
    found = texts()
    assert sum(map(len, found.values())) > 400_000
    assert all(name.endswith(".txt") and "/" not in name for name in found)
