"""The operator's settings."""

from typing import Any

import pytest
from pydantic import ValidationError

from ember.model.settings import Settings, settings_schema

MINIMAL: dict[str, Any] = {
    "releaseNamespace": "ember-system",
    "releases": {
        "spark-4.1.2": {"image": "spark:4.1.2", "sparkVersion": "4.1.2", "aliases": ["emr-spark-8.0.0"]},
        "spark-3.5.9": {"image": "spark:3.5.9", "sparkVersion": "3.5.9"},
    },
}


def settings(**changes: Any) -> Settings:
    return Settings.model_validate({**MINIMAL, **changes})


def test_defaults() -> None:
    got = settings()
    assert got.served_namespaces == ["ember-system"]
    assert got.broker_url == "https://ember-broker.ember-system.svc"
    assert (got.workers.cpu_overcommit, got.workers.service_account_name) == (1.0, "ember-worker")
    assert (got.leader.lease_duration, got.leader.renew_deadline, got.leader.retry_period) == (15, 10, 2)
    assert (got.logs.upload_interval_seconds, got.logs.rotate_bytes) == (15, 128 * 1024 * 1024)


def test_what_is_set_holds() -> None:
    got = settings(
        namespaces=["team-a"], broker={"host": "broker.example", "servicePort": 8443}, workers={"cpuOvercommit": 4}
    )
    assert got.served_namespaces == ["team-a"]
    assert got.broker_url == "https://broker.example:8443"
    assert got.workers.cpu_overcommit == 4.0


@pytest.mark.parametrize("label", ["spark-4.1.2", "emr-spark-8.0.0"])
def test_a_release_is_found_by_label_and_alias(label: str) -> None:
    assert settings().release(label).image == "spark:4.1.2"


def test_an_unknown_release_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"emr-1 is unknown; known are spark-3\.5\.9, spark-4\.1\.2"):
        settings().release("emr-1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noSuchSetting": 1}, "noSuchSetting"),
        ({"metricsPort": "8080"}, "valid integer"),
        ({"metricsPort": 0}, "greater than or equal to 1"),
        ({"logLevel": "LOUD"}, "logLevel"),
        ({"releases": {}}, "releases"),
        ({"leader": {"leaseDuration": 5}}, "retryPeriod < renewDeadline < leaseDuration"),
        ({"store": {"managedLogUri": "/tmp"}}, "managedLogUri"),
        ({"workers": {"cpuOvercommit": 0.5}}, "cpuOvercommit"),
        (
            {"releases": {"a": {"image": "i", "sparkVersion": "4", "aliases": ["a"]}}},
            "releases: a is named more than once",
        ),
    ],
)
def test_bad_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**changes)


def test_the_schema_names_settings_as_the_chart_does() -> None:
    schema = settings_schema()
    assert "sparkDefaults" in schema["properties"]
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["WorkerSettings"]["properties"]["cpuOvercommit"]["description"].startswith("CPU request")
