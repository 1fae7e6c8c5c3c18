"""The values of the local installation: what the chart makes of them."""

import json
from pathlib import Path

import pytest
import yaml

from ember.model.settings import Settings
from local import install, store
from tests.unit.chart.helm import CHART, KUBE_VERSION, NAMESPACE, Manifest, named, run

MADE = {"operator": "registry:5000/ember/operator:o", "spark": "registry:5000/ember/spark:s"}


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    values = tmp_path_factory.mktemp("values") / "values.json"
    values.write_text(json.dumps(install.chart_values(MADE, Path("/node/pods"))))
    settings = ("--namespace", NAMESPACE, "--kube-version", KUBE_VERSION, "--values", str(values))
    answer = run("template", "ember", str(CHART), *settings)
    assert answer.returncode == 0, answer.stderr
    return [document for document in yaml.safe_load_all(answer.stdout) if document]


def test_operator_and_workers_have_the_images_that_were_made(objects: list[Manifest]) -> None:
    pod = named(objects, "Deployment", "ember-operator")["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == MADE["operator"]
    assert settings(objects).release("spark-4.1.2").image == MADE["spark"]


def test_thirty_workers_have_room_on_two_cores(objects: list[Manifest]) -> None:
    assert 30 / settings(objects).workers.cpu_overcommit < 2


def test_the_store_is_the_demos(objects: list[Manifest]) -> None:
    made = settings(objects).store
    assert made.endpoint == store.ENDPOINT
    assert made.managed_log_uri.split("/")[2] in store.BUCKETS


def test_the_log_agent_reads_where_the_provider_says(objects: list[Manifest]) -> None:
    volumes = named(objects, "DaemonSet", "ember-logagent")["spec"]["template"]["spec"]["volumes"]
    assert {"path": "/node/pods", "type": "Directory"} in [volume.get("hostPath") for volume in volumes]


def settings(objects: list[Manifest]) -> Settings:
    text = named(objects, "ConfigMap", "ember-settings")["data"]["settings.yaml"]
    return Settings.model_validate(yaml.safe_load(text))
