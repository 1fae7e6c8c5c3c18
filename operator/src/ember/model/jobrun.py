"""The custom resource JobRun: EMR's StartJobRun as a manifest."""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field, model_validator

from ember.model.application import DiskEncryptionConfiguration
from ember.model.base import CutText, EmberModel, NotSupportedYet, OnlySupported, StatusModel
from ember.model.conditions import Conditions
from ember.model.configuration import Configurations
from ember.model.contract import NOT_BLANK, Arn, RoleArn, Tags
from ember.model.metadata import ObjectMeta
from ember.model.monitoring import MonitoringConfiguration
from ember.model.states import JobRunState

_DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"


class ApplicationRef(EmberModel):
    """The EMRApplication of a run, in the same namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=_DNS_SUBDOMAIN)]
    """Name of the EMRApplication."""


class ExecutionIamPolicy(EmberModel):
    """A policy which narrows the rights of the run."""

    policy: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    policy_arns: Annotated[list[Arn], Field(max_length=10)] | None = None


class SparkSubmit(EmberModel):
    """A Spark job as spark-submit takes it."""

    entry_point: Annotated[str, Field(min_length=1, max_length=4096, pattern=NOT_BLANK)]
    """The script (.py) or jar."""
    entry_point_arguments: Annotated[list[str], Field(max_length=1024)] = Field(default_factory=list)
    """Arguments of the job itself."""
    spark_submit_parameters: Annotated[str, Field(min_length=1, max_length=102400, pattern=NOT_BLANK)] | None = None
    """Options of spark-submit, such as ``--conf spark.executor.cores=1 --class org.example.Main``."""


class Hive(EmberModel):
    """A Hive query."""

    query: Annotated[str, Field(min_length=1, max_length=10280, pattern=NOT_BLANK)]
    init_query_file: Annotated[str, Field(min_length=1, max_length=256, pattern=NOT_BLANK)] | None = None
    parameters: Annotated[str, Field(min_length=1, max_length=102400, pattern=NOT_BLANK)] | None = None


class JobDriver(EmberModel):
    """What the run executes: exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.sparkSubmit) != has(self.hive)",
                    "message": "exactly one of sparkSubmit and hive must be set",
                }
            ]
        }
    )

    spark_submit: SparkSubmit | None = None
    hive: Annotated[Hive | None, NotSupportedYet()] = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.spark_submit is None) == (self.hive is None):
            raise ValueError("exactly one of sparkSubmit and hive must be set")
        return self


class ConfigurationOverrides(EmberModel):
    """What this run has otherwise than its application."""

    application_configuration: Configurations | None = None
    """Settings, over the application's ``runtimeConfiguration``."""
    monitoring_configuration: MonitoringConfiguration | None = None
    disk_encryption_configuration: Annotated[DiskEncryptionConfiguration | None, NotSupportedYet()] = None


class RetryPolicy(EmberModel):
    """What follows a failed attempt."""

    max_attempts: Annotated[int, Field(ge=1, le=10), OnlySupported((1,))] = 1
    """How often a batch run may start."""
    max_failed_attempts_per_hour: Annotated[Annotated[int, Field(ge=1, le=10)] | None, NotSupportedYet()] = None
    """How often a streaming run may fail in an hour."""


class FlexExecution(EmberModel):
    """Executors on spare capacity."""

    enabled: bool | None = None


class JobRunSpec(EmberModel):
    """The run: EMR's StartJobRun. It cannot be changed once it is created."""

    application_ref: ApplicationRef
    execution_role_arn: Annotated[RoleArn | None, NotSupportedYet()] = None
    """The role whose rights the run has."""
    execution_iam_policy: Annotated[ExecutionIamPolicy | None, NotSupportedYet()] = None
    job_driver: JobDriver
    configuration_overrides: ConfigurationOverrides | None = None
    tags: Tags | None = None
    """Key and value pairs."""
    execution_timeout_minutes: Annotated[int, Field(ge=0, le=1_000_000)] = 720
    """The run is cancelled after this many minutes; 0: never."""
    name: Annotated[str, Field(min_length=1, max_length=256, pattern=NOT_BLANK)] | None = None
    """The name people see; it need not be unique."""
    mode: Annotated[Literal["BATCH", "STREAMING"], OnlySupported(("BATCH",))] = "BATCH"
    """BATCH ends by itself; STREAMING runs until it is cancelled."""
    retry_policy: RetryPolicy | None = None
    flex_execution: Annotated[FlexExecution | None, NotSupportedYet()] = None


class ExecutorCounts(StatusModel):
    """Executors of the current attempt."""

    running: Annotated[int, Field(ge=0)] = 0
    """Executors which are up."""
    wanted: Annotated[int, Field(ge=0)] = 0
    """Executors Spark asks for, running ones included."""
    total: Annotated[int, Field(ge=0)] = 0
    """Executors ever started."""


class Startup(StatusModel):
    """How the run's workers started."""

    driver: Literal["WARM", "COLD"] | None = None
    """WARM: on a pre-initialized worker; COLD: in a pod of its own."""
    reason: CutText = ""
    """Why the driver started cold although the application has pre-initialized workers."""
    warm_executors: Annotated[int, Field(ge=0)] = 0
    """The most executors at a time that were pre-initialized workers."""
    cold_executors: Annotated[int, Field(ge=0)] = 0
    """The most executors at a time that had pods of their own."""
    executor_reason: CutText = ""
    """Why an executor started cold although the application has pre-initialized workers."""
    first_task_milliseconds: Annotated[int, Field(ge=0)] | None = None
    """From the creation of the run to its first task, as the driver's log tells it."""


class JobRunStatus(StatusModel):
    """What became of the run."""

    state: JobRunState | None = None
    """The contract's state."""
    state_details: CutText = ""
    """Why, in a sentence of at most 256 characters; longer ones are cut."""
    job_run_id: str = ""
    """The id in log paths and in the AWS API."""
    application_id: str = ""
    """The id of the application."""
    attempt: Annotated[int, Field(ge=0)] | None = None
    """The current attempt, from 1."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec which this status is about."""
    conditions: Conditions = Field(default_factory=list)
    created_at: AwareDatetime | None = None
    """When the run was created."""
    updated_at: AwareDatetime | None = None
    """When the state last changed."""
    attempt_created_at: AwareDatetime | None = None
    """When the current attempt was created."""
    queued_at: AwareDatetime | None = None
    """When it began to wait for capacity."""
    scheduled_at: AwareDatetime | None = None
    """When its driver was created or claimed."""
    started_at: AwareDatetime | None = None
    """When its driver began to run."""
    ended_at: AwareDatetime | None = None
    """When it reached its terminal state."""
    queued_duration_milliseconds: Annotated[int, Field(ge=0)] | None = None
    """How long it waited in QUEUED."""
    total_execution_duration_seconds: Annotated[int, Field(ge=0)] | None = None
    """How long it ran, over all attempts."""
    duration: str = ""
    """How long it ran, for people."""
    exit_code: int | None = None
    """The exit code of the driver."""
    driver_pod: str = ""
    """Name of the driver pod of the current attempt."""
    executors: ExecutorCounts | None = None
    startup: Startup | None = None
    log_uri: str = ""
    """Where the logs of the run are."""
    event_log_uri: str = ""
    """Where Spark's event log is."""


class JobRun(EmberModel):
    """One run of a Spark job on an EMRApplication."""

    api_version: Literal["ember-spark.io/v1alpha1"] = "ember-spark.io/v1alpha1"
    kind: Literal["JobRun"] = "JobRun"
    metadata: ObjectMeta
    spec: JobRunSpec
    status: JobRunStatus = JobRunStatus()
