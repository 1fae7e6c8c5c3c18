"""The custom resource EMRApplication: EMR's CreateApplication as a manifest."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from ember.model.base import CutText, EmberModel, NotSupportedYet, OnlySupported, StatusModel
from ember.model.capacity import CapacityLimit, CapacityUsage
from ember.model.conditions import Conditions
from ember.model.configuration import Configurations
from ember.model.contract import (
    ApplicationName,
    CpuSize,
    DiskSize,
    DiskType,
    ImageUri,
    KeyArn,
    MemorySize,
    ReleaseLabel,
    Tags,
    WorkerTypeName,
)
from ember.model.metadata import ObjectMeta
from ember.model.monitoring import MonitoringConfiguration
from ember.model.quantity import MIB_PER_GIB, parse_cpu, parse_gigabytes
from ember.model.states import ApplicationState

EngineType = Literal["SPARK", "HIVE"]
Architecture = Literal["X86_64", "ARM64"]


class WorkerType(StrEnum):
    """The worker types of a Spark application."""

    DRIVER = "DRIVER"
    EXECUTOR = "EXECUTOR"

    @classmethod
    def of(cls, key: str) -> "WorkerType":
        """Return the type that a key of ``initialCapacity`` is about: ``EXECUTOR_large`` are executors."""
        return cls(key.partition("_")[0])


class MaximumCapacity(EmberModel):
    """The cumulative ceiling over all workers of the application; reaching any one limit stops growth."""

    cpu: CpuSize
    """vCPU, such as ``6 vCPU``."""
    memory: MemorySize
    """Memory, such as ``24 GB``."""
    disk: DiskSize | None = None
    """Ephemeral disk, such as ``200 GB``; not bounded if not set."""

    def limit(self) -> CapacityLimit:
        """Return the ceiling in numbers."""
        return CapacityLimit(
            cpu=parse_cpu(self.cpu),
            memory_mib=parse_gigabytes(self.memory) * MIB_PER_GIB,
            disk_gib=parse_gigabytes(self.disk, "disk") if self.disk else None,
        )


class WorkerConfiguration(EmberModel):
    """The size of a pre-initialized worker."""

    cpu: CpuSize
    """vCPU: 1, 2, 4, 8 or 16."""
    memory: MemorySize
    """Memory, overhead included."""
    disk: DiskSize | None = None
    """Ephemeral disk; 20 GB if not set."""
    disk_type: Annotated[DiskType | None, NotSupportedYet()] = None
    """Kind of the disk."""


class InitialCapacityConfig(EmberModel):
    """Pre-initialized workers of one type."""

    worker_count: Annotated[int, Field(ge=1, le=1_000_000)]
    """How many workers are kept ready."""
    worker_configuration: WorkerConfiguration | None = None
    """Their size."""


# EMR's key is the type. It names one size for each; a name after it makes room for more.
_CapacityKey = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^(DRIVER|EXECUTOR)(_[a-zA-Z0-9]+)?$")]
InitialCapacity = Annotated[dict[_CapacityKey, InitialCapacityConfig], Field(max_length=10)]


class AutoStartConfiguration(EmberModel):
    """Whether a submitted run starts the application."""

    enabled: Annotated[bool, OnlySupported((True,))] = True
    """Start on the first run."""


class AutoStopConfiguration(EmberModel):
    """Whether the application stops by itself once it is idle."""

    enabled: bool = True
    """Stop when idle."""
    idle_timeout_minutes: Annotated[int, Field(ge=1, le=10080)] = 15
    """Minutes without a run until it stops."""


_NetworkId = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[-0-9a-zA-Z]+.*$")]


class NetworkConfiguration(EmberModel):
    """The VPC of the workers; in Kubernetes that is the matter of NetworkPolicy."""

    subnet_ids: Annotated[list[_NetworkId], Field(max_length=16)] | None = None
    security_group_ids: Annotated[list[_NetworkId], Field(max_length=5)] | None = None


class ImageConfiguration(EmberModel):
    """An image of your own for workers."""

    image_uri: ImageUri | None = None
    """The image."""
    application_level_digest_resolution: bool | None = None
    """Resolve the tag once, for all runs of the application."""


class WorkerTypeSpecification(EmberModel):
    """What differs for one worker type."""

    image_configuration: ImageConfiguration | None = None


class InteractiveConfiguration(EmberModel):
    """Interactive endpoints."""

    studio_enabled: bool | None = None
    livy_endpoint_enabled: bool | None = None
    session_enabled: bool | None = None


class SchedulerConfiguration(EmberModel):
    """Queueing of runs. These defaults hold without it, too."""

    queue_timeout_minutes: Annotated[int, Field(ge=15, le=720)] = 360
    """A run fails after waiting this long."""
    max_concurrent_runs: Annotated[int, Field(ge=1, le=1000)] = 15
    """Further runs wait."""


class IdentityCenterConfiguration(EmberModel):
    """IAM Identity Center."""

    identity_center_instance_arn: (
        Annotated[
            str,
            Field(
                min_length=10,
                max_length=1024,
                pattern=r"^arn:(aws[a-zA-Z0-9-]*):sso:::instance/(sso)?ins-[a-zA-Z0-9-.]{16}$",
            ),
        ]
        | None
    ) = None
    user_background_sessions_enabled: bool | None = None


class DiskEncryptionConfiguration(EmberModel):
    """Encryption of the workers' disks with a key of yours."""

    encryption_context: (
        Annotated[
            dict[
                Annotated[str, Field(min_length=1, max_length=128)], Annotated[str, Field(min_length=1, max_length=384)]
            ],
            Field(max_length=8),
        ]
        | None
    ) = None
    encryption_key_arn: KeyArn | None = None


class JobLevelCostAllocationConfiguration(EmberModel):
    """Cost allocation by run."""

    enabled: bool | None = None


class EMRApplicationSpec(EmberModel):
    """The application: EMR's CreateApplication."""

    name: ApplicationName | None = None
    """The name people see; the resource's own name if not set."""
    release_label: ReleaseLabel
    """Which Spark: a label or alias of the operator's ``releases``."""
    type: Annotated[EngineType, OnlySupported(("SPARK",))]
    """The engine."""
    initial_capacity: InitialCapacity | None = None
    """Pre-initialized workers by type: `DRIVER`, `EXECUTOR`; further sizes as `EXECUTOR_large` or the like."""
    maximum_capacity: MaximumCapacity | None = None
    """The hard ceiling; not bounded if not set."""
    tags: Tags | None = None
    """Key and value pairs."""
    auto_start_configuration: AutoStartConfiguration = AutoStartConfiguration()
    auto_stop_configuration: AutoStopConfiguration = AutoStopConfiguration()
    network_configuration: Annotated[NetworkConfiguration | None, NotSupportedYet()] = None
    architecture: Annotated[Architecture, OnlySupported(("X86_64",))] = "X86_64"
    """The processors of the workers."""
    image_configuration: Annotated[ImageConfiguration | None, NotSupportedYet()] = None
    worker_type_specifications: Annotated[
        Annotated[dict[WorkerTypeName, WorkerTypeSpecification], Field(max_length=10)] | None, NotSupportedYet()
    ] = None
    """An image for each worker type."""
    runtime_configuration: Configurations | None = None
    """Settings which hold for every run."""
    monitoring_configuration: MonitoringConfiguration | None = None
    disk_encryption_configuration: Annotated[DiskEncryptionConfiguration | None, NotSupportedYet()] = None
    interactive_configuration: Annotated[InteractiveConfiguration | None, NotSupportedYet()] = None
    scheduler_configuration: SchedulerConfiguration | None = None
    identity_center_configuration: Annotated[IdentityCenterConfiguration | None, NotSupportedYet()] = None
    job_level_cost_allocation_configuration: Annotated[
        JobLevelCostAllocationConfiguration | None, NotSupportedYet()
    ] = None


class RunCounts(StatusModel):
    """How many runs there are."""

    active: Annotated[int, Field(ge=0)] = 0
    """Runs which hold workers, or are about to."""
    queued: Annotated[int, Field(ge=0)] = 0
    """Runs which wait."""


class InitialCapacityStatus(StatusModel):
    """The pre-initialized workers of one entry of ``initialCapacity`` that no run has claimed."""

    wanted: Annotated[int, Field(ge=0)] = 0
    """Workers that shall be ready."""
    warming: Annotated[int, Field(ge=0)] = 0
    """Workers that are getting ready."""
    idle: Annotated[int, Field(ge=0)] = 0
    """Workers that are ready."""


class EMRApplicationStatus(StatusModel):
    """What the operator found and did."""

    state: ApplicationState | None = None
    """The contract's state."""
    state_details: CutText = ""
    """Why, in a sentence of at most 256 characters; longer ones are cut."""
    application_id: str = ""
    """The id in log paths and in the AWS API."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec which this status is about."""
    conditions: Conditions = Field(default_factory=list)
    spark_version: str = ""
    """The Spark version of the release label."""
    image: str = ""
    """The image of the release label."""
    capacity: CapacityUsage | None = None
    ready_workers: Annotated[int, Field(ge=0)] = 0
    """Workers which are up."""
    initial_capacity: dict[str, InitialCapacityStatus] | None = None
    """How far the pre-initialized workers are, by the keys of `spec.initialCapacity`."""
    runs: RunCounts | None = None
    started_at: AwareDatetime | None = None
    """When it last became STARTED."""
    idle_since: AwareDatetime | None = None
    """When its last run ended; not set while a run is active."""
    updated_at: AwareDatetime | None = None
    """When the state last changed."""


class EMRApplication(EmberModel):
    """A long-lived engine configuration with a hard ceiling, which job runs refer to."""

    api_version: Literal["ember-spark.io/v1alpha1"] = "ember-spark.io/v1alpha1"
    kind: Literal["EMRApplication"] = "EMRApplication"
    metadata: ObjectMeta
    spec: EMRApplicationSpec
    status: EMRApplicationStatus = EMRApplicationStatus()
