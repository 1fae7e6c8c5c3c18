"""The operator's settings: one YAML document, mounted from the chart's ConfigMap.

Names and defaults are those of the chart's values. Strict: an unknown key, or a text where a number belongs, is
refused at start, not ignored.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from ember.model.base import EmberModel
from ember.model.contract import ReleaseLabel

Port = Annotated[int, Field(ge=1, le=65535)]
PositiveInt = Annotated[int, Field(ge=1)]
NamespaceName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
Json = dict[str, Any]


class SettingsModel(EmberModel):
    """Base of all settings."""

    model_config = ConfigDict(strict=True)


class BrokerSettings(SettingsModel):
    """The server which workers, Spark drivers and log agents speak to."""

    host: str = ""
    """Name of the broker's Service; empty: `ember-broker.<releaseNamespace>.svc`."""
    port: Port = 8443
    """The port the broker listens on."""
    service_port: Port = 443
    """The port of its Service."""


class Release(SettingsModel):
    """What a release label stands for."""

    image: Annotated[str, Field(min_length=1)]
    """The image of the workers."""
    spark_version: Annotated[str, Field(min_length=1)]
    """Version of Apache Spark."""
    java_version: str = ""
    """Version of Java."""
    python_version: str = ""
    """Version of Python."""
    scala_version: str = ""
    """Version of Scala."""
    aliases: list[ReleaseLabel] = Field(default_factory=list)
    """Further labels for the same release, such as `spark-4.1`."""


class WorkerSettings(SettingsModel):
    """What holds for every worker pod."""

    cpu_overcommit: Annotated[float, Field(ge=1)] = 1.0
    """CPU request = vCPU / this. `maximumCapacity` still counts whole vCPU."""
    memory_overcommit: Annotated[float, Field(ge=1)] = 1.0
    """Memory request = memory / this; the limit stays. Above 1 nodes may run out of memory."""
    disk_request: Literal["full", "none"] = "full"
    """`full`: pods request their disk as ephemeral-storage; `none`: only limited, for nodes with small disks."""
    service_account_name: str = "ember-worker"
    """ServiceAccount of the workers; it needs no rights."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the kubelet pulls the image."""
    image_pull_secrets: list[str] = Field(default_factory=list)
    """Names of Secrets for the registry, in the namespace of the workers."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels of nodes that may run workers."""
    tolerations: list[Json] = Field(default_factory=list)
    """Taints which workers tolerate, as in a pod."""
    priority_class_name: str = ""
    """PriorityClass of the workers."""
    pod_annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations of the workers' pods, for instance `karpenter.sh/do-not-disrupt`."""
    termination_grace_period_seconds: Annotated[int, Field(ge=15)] = 30
    """Seconds that a worker has when its pod is deleted or evicted; the last 10 are the launcher's. For a driver's
    shutdown hooks, and for executors to end their tasks and move their blocks away."""


class StoreSettings(SettingsModel):
    """The object store of logs and job files."""

    endpoint: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    """URL of an S3 endpoint; empty: AWS."""
    region: str = "us-east-1"
    """Region of the signatures."""
    path_style: bool = True
    """`https://endpoint/bucket/key` instead of `https://bucket.endpoint/key`."""
    secret_name: str = "ember-store"  # noqa: S105 - the name of a Secret, not a secret
    """Secret in a run's namespace: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, and `AWS_SESSION_TOKEN` if any."""
    managed_log_uri: Annotated[str, Field(pattern=r"^(s3://[a-z0-9][a-z0-9.-]*[a-z0-9](/.*)?)?$")] = ""
    """Prefix of the managed logs (`managedPersistenceMonitoringConfiguration`); empty: none are kept."""


class LogSettings(SettingsModel):
    """The log agent."""

    upload_interval_seconds: PositiveInt = 15
    """Running logs are refreshed this often."""
    rotate_bytes: Annotated[int, Field(ge=1 << 20)] = 128 * 1024 * 1024
    """A log of this size is archived and begun anew."""
    give_up_minutes: PositiveInt = 60
    """An ended worker whose logs cannot be uploaded is deleted after this long."""


class LeaderSettings(SettingsModel):
    """The Lease by which one of several operators leads."""

    lease_duration: PositiveInt = 15
    """Seconds after which a silent leader is replaced."""
    renew_deadline: PositiveInt = 10
    """Seconds without a renewal after which a leader steps down."""
    retry_period: PositiveInt = 2
    """Seconds between tries."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.retry_period < self.renew_deadline < self.lease_duration:
            raise ValueError("leader: retryPeriod < renewDeadline < leaseDuration must hold")
        return self


class Settings(SettingsModel):
    """All settings of the operator."""

    namespaces: list[NamespaceName] = Field(default_factory=list)
    """Namespaces whose applications and runs the operator serves; empty: its own."""
    release_namespace: NamespaceName
    """Namespace in which the operator itself runs."""
    broker: BrokerSettings = BrokerSettings()
    releases: Annotated[dict[ReleaseLabel, Release], Field(min_length=1)]
    """Release labels and what they stand for."""
    workers: WorkerSettings = WorkerSettings()
    spark_defaults: dict[str, str] = Field(default_factory=dict)
    """Spark properties of every run; applications and runs override them."""
    store: StoreSettings = StoreSettings()
    logs: LogSettings = LogSettings()
    leader: LeaderSettings = LeaderSettings()
    metrics_port: Port = 8080
    """Port of metrics and health."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe messages of the operator's own log."""

    @model_validator(mode="after")
    def _labels_are_unique(self) -> Self:
        names = [*self.releases, *(alias for release in self.releases.values() for alias in release.aliases)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"releases: {', '.join(twice)} is named more than once")
        return self

    @property
    def broker_host(self) -> str:
        """Name under which workers reach the broker."""
        return self.broker.host or f"ember-broker.{self.release_namespace}.svc"

    @property
    def broker_url(self) -> str:
        """Address of the broker."""
        port = "" if self.broker.service_port == 443 else f":{self.broker.service_port}"
        return f"https://{self.broker_host}{port}"

    @property
    def served_namespaces(self) -> list[str]:
        """The namespaces to watch."""
        return list(self.namespaces) or [self.release_namespace]

    def release(self, label: str) -> Release:
        """Return the release of a label or alias; ValueError, naming the known labels, if there is none."""
        if label in self.releases:
            return self.releases[label]
        for release in self.releases.values():
            if label in release.aliases:
                return release
        raise ValueError(f"releaseLabel {label} is unknown; known are {', '.join(sorted(self.releases))}")


def settings_schema() -> Json:
    """Return the JSON schema of the settings, for the chart's ``values.schema.json``."""
    return Settings.model_json_schema(by_alias=True)
