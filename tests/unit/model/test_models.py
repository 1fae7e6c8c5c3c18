"""The resources: what parses, what is refused, what has no effect yet."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from ember.model import labels
from ember.model.application import EMRApplication, EMRApplicationSpec, EMRApplicationStatus
from ember.model.base import emr_alias, unsupported
from ember.model.capacity import Capacity, CapacityUsage
from ember.model.configuration import Configuration, properties_of
from ember.model.jobrun import JobRun, JobRunSpec, JobRunStatus
from ember.model.monitoring import MonitoringConfiguration, S3MonitoringConfiguration, merge_monitoring
from ember.model.states import JobRunState
from tests.support.manifests import UNSUPPORTED_APPLICATION, UNSUPPORTED_JOB_RUN, application, job_run


def application_spec(**changes: Any) -> EMRApplicationSpec:
    return EMRApplicationSpec.model_validate(application(**changes)["spec"])


def job_run_spec(**changes: Any) -> JobRunSpec:
    return JobRunSpec.model_validate(job_run(**changes)["spec"])


def test_the_first_manifests_parse_and_use_nothing_unsupported() -> None:
    analytics = EMRApplication.model_validate(application())
    run = JobRun.model_validate(job_run())
    assert unsupported(analytics.spec) == unsupported(run.spec) == []
    assert analytics.api_version == run.api_version == labels.API_VERSION
    assert run.spec.job_driver.spark_submit is not None
    assert run.spec.job_driver.spark_submit.entry_point == "s3://demo/scripts/wordcount.py"


def test_defaults_are_the_contracts() -> None:
    spec, run = application_spec(), job_run_spec(retryPolicy={})
    assert spec.auto_start_configuration.enabled
    assert spec.auto_stop_configuration.enabled
    assert spec.auto_stop_configuration.idle_timeout_minutes == 15
    assert spec.architecture == "X86_64"
    assert spec.scheduler_configuration is None
    queue = application_spec(schedulerConfiguration={}).scheduler_configuration
    assert queue is not None
    assert (queue.queue_timeout_minutes, queue.max_concurrent_runs) == (360, 15)
    assert (run.execution_timeout_minutes, run.mode) == (720, "BATCH")
    assert run.retry_policy is not None
    assert run.retry_policy.max_attempts == 1


@pytest.mark.parametrize(("changes", "message"), UNSUPPORTED_APPLICATION)
def test_application_fields_without_an_effect_are_refused(changes: dict[str, Any], message: str) -> None:
    assert unsupported(application_spec(**changes)) == [message]


@pytest.mark.parametrize(("changes", "message"), UNSUPPORTED_JOB_RUN)
def test_job_run_fields_without_an_effect_are_refused(changes: dict[str, Any], message: str) -> None:
    assert unsupported(job_run_spec(**changes)) == [message]


@pytest.mark.parametrize(
    "changes",
    [
        {"applicationRef": {"name": "Not_A_Name"}},
        {"jobDriver": {}},
        {"jobDriver": {"hive": {"query": "q"}, "sparkSubmit": {"entryPoint": "e"}}},
        {"executionTimeoutMinutes": -1},
        {"executionTimeoutMinutes": 1_000_001},
        {"name": " "},
        {"noSuchField": 1},
        {"tags": {"a!": "b"}},
        {
            "configurationOverrides": {
                "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "file:///etc"}}
            }
        },
        {"jobDriver": {"sparkSubmit": {"entryPoint": "e", "entryPointArguments": ["x"] * 1025}}},
    ],
)
def test_bad_job_runs_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        job_run_spec(**changes)


def test_parameters_over_several_lines_are_taken() -> None:
    job_run_spec(
        jobDriver={"sparkSubmit": {"entryPoint": "e", "sparkSubmitParameters": "--class X\n--conf spark.a=b\n"}}
    )


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("s3_monitoring_configuration", "s3MonitoringConfiguration"),
        ("log_uri", "logUri"),
        ("execution_role_arn", "executionRoleArn"),
        ("vcpu_hour", "vCPUHour"),
        ("memory_gb_hour", "memoryGBHour"),
        ("memory_mib", "memoryMiB"),
        ("cpu", "cpu"),
    ],
)
def test_names_are_written_as_emr_writes_them(name: str, alias: str) -> None:
    assert emr_alias(name) == alias


def test_models_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        application_spec().release_label = "other"  # type: ignore[misc]


def test_a_status_is_written_without_what_is_not_set_and_read_back() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
    status = JobRunStatus(state=JobRunState.RUNNING, started_at=now, attempt=1)
    assert status.to_manifest() == {"state": "RUNNING", "startedAt": "2026-01-01T12:00:00.123456Z", "attempt": 1}
    assert JobRunStatus.model_validate(status.to_manifest()) == status


def test_a_status_of_a_newer_operator_can_be_read() -> None:
    assert EMRApplicationStatus.model_validate({"readyWorkers": 2, "newField": {"a": 1}}).ready_workers == 2
    capacity = {"used": {"cpu": 1, "memoryMiB": 2, "diskGiB": 3, "gpu": 4}, "maximum": {}}
    usage = CapacityUsage.model_validate(capacity)
    assert usage.used == Capacity(cpu=1, memory_mib=2, disk_gib=3)


@pytest.mark.parametrize("copy", ["updated", "model_copy"])
def test_details_are_cut_to_emrs_limit_however_they_are_set(copy: str) -> None:
    status = JobRunStatus()
    long = (
        status.updated(state_details="x" * 300)
        if copy == "updated"
        else status.model_copy(update={"state_details": "x" * 300})
    )
    written = long.to_manifest()["stateDetails"]
    assert len(written) == 256
    assert written.endswith("x…")


def test_an_updated_status_is_validated() -> None:
    with pytest.raises(ValidationError):
        JobRunStatus().updated(attempt=-1)


def test_of_a_repeated_property_the_last_counts() -> None:
    configurations = [
        Configuration(classification="spark-defaults", properties={"spark.a": "1", "spark.b": "1"}),
        Configuration(classification="spark-env", properties={"spark.a": "0"}),
        Configuration(classification="spark-defaults", properties={"spark.a": "2"}),
        Configuration(classification="spark-defaults"),
    ]
    assert properties_of(configurations) == {"spark.a": "2", "spark.b": "1"}
    assert properties_of(None) == {}


def test_a_runs_monitoring_goes_over_the_applications_kind_by_kind() -> None:
    default = MonitoringConfiguration.model_validate(
        {
            "s3MonitoringConfiguration": {"logUri": "s3://application/"},
            "managedPersistenceMonitoringConfiguration": {"enabled": False},
        }
    )
    run = MonitoringConfiguration(s3_monitoring_configuration=S3MonitoringConfiguration(log_uri="s3://run/"))
    merged = merge_monitoring(default, run)
    assert merged.s3_monitoring_configuration == run.s3_monitoring_configuration
    assert merged.managed_persistence_monitoring_configuration is not None
    assert not merged.managed_persistence_monitoring_configuration.enabled
    assert merge_monitoring(None, None) == MonitoringConfiguration()
    assert merge_monitoring(default, None) == default
