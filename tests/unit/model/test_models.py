"""The resources: what parses, what is refused, what has no effect yet."""

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from ember.model import labels
from ember.model.application import EMRApplication, EMRApplicationSpec, EMRApplicationStatus
from ember.model.base import emr_alias, unsupported
from ember.model.capacity import Capacity, CapacityUsage
from ember.model.configuration import Configuration, properties_of
from ember.model.jobrun import JobRun, JobRunSpec, JobRunStatus
from ember.model.monitoring import MonitoringConfiguration, S3MonitoringConfiguration, merge_monitoring
from ember.model.states import JobRunState

APPLICATION = """
apiVersion: ember-spark.io/v1alpha1
kind: EMRApplication
metadata: {name: analytics, namespace: team-a, managedFields: [], uid: u, generation: 1}
spec:
  type: SPARK
  releaseLabel: spark-4.1.2
  maximumCapacity: {cpu: "6 vCPU", memory: "24 GB", disk: "200 GB"}
"""
JOB_RUN = """
apiVersion: ember-spark.io/v1alpha1
kind: JobRun
metadata: {name: wordcount-1, namespace: team-a}
spec:
  applicationRef: {name: analytics}
  jobDriver:
    sparkSubmit:
      entryPoint: s3://demo/scripts/wordcount.py
      entryPointArguments: ["s3://demo/input/", "s3://demo/output/wordcount-1/"]
      sparkSubmitParameters: --conf spark.executor.cores=1 --conf spark.executor.memory=2g
  configurationOverrides:
    monitoringConfiguration:
      s3MonitoringConfiguration: {logUri: "s3://demo/logs/"}
"""


def application_spec(**changes: Any) -> EMRApplicationSpec:
    return EMRApplicationSpec.model_validate({**yaml.safe_load(APPLICATION)["spec"], **changes})


def job_run_spec(**changes: Any) -> JobRunSpec:
    return JobRunSpec.model_validate({**yaml.safe_load(JOB_RUN)["spec"], **changes})


def test_the_first_manifests_parse_and_use_nothing_unsupported() -> None:
    application = EMRApplication.model_validate(yaml.safe_load(APPLICATION))
    run = JobRun.model_validate(yaml.safe_load(JOB_RUN))
    assert unsupported(application.spec) == unsupported(run.spec) == []
    assert application.api_version == run.api_version == labels.API_VERSION
    assert run.spec.job_driver.spark_submit is not None
    assert run.spec.job_driver.spark_submit.entry_point == "s3://demo/scripts/wordcount.py"


def test_defaults_are_the_contracts() -> None:
    application, run = application_spec(), job_run_spec(retryPolicy={})
    assert application.auto_start_configuration.enabled
    assert application.auto_stop_configuration.enabled
    assert application.auto_stop_configuration.idle_timeout_minutes == 15
    assert application.architecture == "X86_64"
    assert application.scheduler_configuration is None
    queue = application_spec(schedulerConfiguration={}).scheduler_configuration
    assert queue is not None
    assert (queue.queue_timeout_minutes, queue.max_concurrent_runs) == (360, 15)
    assert (run.execution_timeout_minutes, run.mode) == (720, "BATCH")
    assert run.retry_policy is not None
    assert run.retry_policy.max_attempts == 1


UNSUPPORTED_APPLICATION: list[tuple[dict[str, Any], str]] = [
    ({"type": "HIVE"}, "spec.type other than SPARK is not supported yet"),
    ({"architecture": "ARM64"}, "spec.architecture other than X86_64 is not supported yet"),
    ({"initialCapacity": {"DRIVER": {"workerCount": 1}}}, "spec.initialCapacity is not supported yet"),
    (
        {"autoStartConfiguration": {"enabled": False}},
        "spec.autoStartConfiguration.enabled other than true is not supported yet",
    ),
    ({"networkConfiguration": {}}, "spec.networkConfiguration is not supported yet"),
    ({"imageConfiguration": {"imageUri": "x"}}, "spec.imageConfiguration is not supported yet"),
    ({"workerTypeSpecifications": {"DRIVER": {}}}, "spec.workerTypeSpecifications is not supported yet"),
    ({"diskEncryptionConfiguration": {}}, "spec.diskEncryptionConfiguration is not supported yet"),
    ({"interactiveConfiguration": {}}, "spec.interactiveConfiguration is not supported yet"),
    ({"identityCenterConfiguration": {}}, "spec.identityCenterConfiguration is not supported yet"),
    ({"jobLevelCostAllocationConfiguration": {}}, "spec.jobLevelCostAllocationConfiguration is not supported yet"),
    (
        {"runtimeConfiguration": [{"classification": "spark-defaults"}, {"classification": "spark-env"}]},
        "spec.runtimeConfiguration[1].classification other than spark-defaults is not supported yet",
    ),
    (
        {"runtimeConfiguration": [{"classification": "spark-defaults", "configurations": []}]},
        "spec.runtimeConfiguration[0].configurations is not supported yet",
    ),
    (
        {"monitoringConfiguration": {"cloudWatchLoggingConfiguration": {"enabled": True}}},
        "spec.monitoringConfiguration.cloudWatchLoggingConfiguration is not supported yet",
    ),
]
UNSUPPORTED_JOB_RUN: list[tuple[dict[str, Any], str]] = [
    ({"executionRoleArn": "arn:aws:iam::123456789012:role/job"}, "spec.executionRoleArn is not supported yet"),
    ({"executionIamPolicy": {}}, "spec.executionIamPolicy is not supported yet"),
    ({"jobDriver": {"hive": {"query": "select 1"}}}, "spec.jobDriver.hive is not supported yet"),
    ({"mode": "STREAMING"}, "spec.mode other than BATCH is not supported yet"),
    ({"retryPolicy": {"maxAttempts": 2}}, "spec.retryPolicy.maxAttempts other than 1 is not supported yet"),
    ({"flexExecution": {"enabled": True}}, "spec.flexExecution is not supported yet"),
]


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
    application = MonitoringConfiguration.model_validate(
        {
            "s3MonitoringConfiguration": {"logUri": "s3://application/"},
            "managedPersistenceMonitoringConfiguration": {"enabled": False},
        }
    )
    run = MonitoringConfiguration(s3_monitoring_configuration=S3MonitoringConfiguration(log_uri="s3://run/"))
    merged = merge_monitoring(application, run)
    assert merged.s3_monitoring_configuration == run.s3_monitoring_configuration
    assert merged.managed_persistence_monitoring_configuration is not None
    assert not merged.managed_persistence_monitoring_configuration.enabled
    assert merge_monitoring(None, None) == MonitoringConfiguration()
    assert merge_monitoring(application, None) == application
