"""The values: what the schema refuses, and that the operator understands the settings made of them."""

import pytest
import yaml

from charts.generate import rendered
from ember.model.settings import Settings
from tests.unit.chart.helm import CHART, NAMESPACE, named, of_kind, render, run, template

TEAMS = ("tenants[0].namespace=team-a", "tenants[1].namespace=team-b")


def settings(*values: str) -> Settings:
    text = named(render(*values), "ConfigMap", "ember-settings")["data"]["settings.yaml"]
    return Settings.model_validate(yaml.safe_load(text))


def test_lint_has_nothing_to_say() -> None:
    answer = run("lint", "--strict", str(CHART))
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_schema_and_readme_are_up_to_date() -> None:
    for path, text in rendered().items():
        assert path.read_text() == text, f"{path.name}: run `python charts/generate.py`"


@pytest.mark.parametrize("value", ["imagee.tag=1", "workers.cpuOverCommit=2", "metricsPort=http", "store.region:=3"])
def test_the_schema_refuses_what_is_not_a_value(value: str) -> None:
    answer = template(value)
    assert answer.returncode
    assert "schema" in answer.stderr


def test_the_settings_know_namespaces_and_broker() -> None:
    made = settings(*TEAMS).model_dump(by_alias=True)
    assert list(made["namespaces"]) == ["team-a", "team-b"]
    assert made["releaseNamespace"] == NAMESPACE
    assert made["broker"]["host"] == f"ember-broker.{NAMESPACE}.svc"
    assert made["broker"]["port"] == 8443
    assert made["broker"]["servicePort"] == 443
    assert list(settings().namespaces) == [NAMESPACE]


def test_defaults_of_the_chart_are_those_of_the_operator() -> None:
    made = settings()
    plain = Settings(namespaces=[NAMESPACE], release_namespace=NAMESPACE, releases=made.releases)
    assert made.model_dump(exclude={"broker"}) == plain.model_dump(exclude={"broker"})
    assert made.broker_url == plain.broker_url


def test_workers_log_agents_and_operator_agree_on_the_brokers_url() -> None:
    for values in ((), ("broker.servicePort=8443",), ("broker.host=broker.example",)):
        agent = named(render(*values), "DaemonSet", "ember-logagent")["spec"]["template"]["spec"]["containers"][0]
        given = {variable["name"]: variable.get("value") for variable in agent["env"]}
        assert given["EMBER_BROKER_URL"] == settings(*values).broker_url


def test_values_reach_the_settings_unchanged() -> None:
    made = settings("store.endpoint=http://minio:9000", "workers.cpuOvercommit=4", "logs.rotateBytes=1048576")
    dumped = made.model_dump(by_alias=True)
    assert dumped["store"]["endpoint"] == "http://minio:9000"
    assert dumped["workers"]["cpuOvercommit"] == 4
    assert dumped["logs"]["rotateBytes"] == 1048576


def test_the_monitor_is_made_only_where_it_is_wanted() -> None:
    assert not of_kind(render(), "ServiceMonitor")
    (monitor,) = of_kind(render("metrics.serviceMonitor.enabled=true"), "ServiceMonitor")
    assert monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"] == "metrics"
