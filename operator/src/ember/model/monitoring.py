"""Where logs go: EMR's MonitoringConfiguration, of an application or of one run."""

from typing import Annotated

from pydantic import Field

from ember.model.base import EmberModel, NotSupportedYet
from ember.model.contract import KeyArn, S3Uri, WorkerTypeName


class S3MonitoringConfiguration(EmberModel):
    """Logs in a bucket of yours."""

    log_uri: S3Uri | None = None
    """Prefix under which the logs are written: ``<logUri>/applications/<id>/jobs/<id>/...``."""
    encryption_key_arn: Annotated[KeyArn | None, NotSupportedYet()] = None
    """The key that encrypts the logs."""


class ManagedPersistenceMonitoringConfiguration(EmberModel):
    """Logs in the bucket of the operator (``store.managedLogUri``), for the console."""

    enabled: bool = True
    """Whether logs are kept there."""
    encryption_key_arn: Annotated[KeyArn | None, NotSupportedYet()] = None
    """The key that encrypts the logs."""


LogTypes = Annotated[list[WorkerTypeName], Field(min_length=1, max_length=5)]


class CloudWatchLoggingConfiguration(EmberModel):
    """Logs in CloudWatch."""

    enabled: bool
    """Whether logs are sent there."""
    log_group_name: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[\.\-_/#A-Za-z0-9]+$")] | None = None
    """The log group."""
    log_stream_name_prefix: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^:*]*$")] | None = None
    """Prefix of the names of the log streams."""
    encryption_key_arn: KeyArn | None = None
    """The key that encrypts the logs."""
    log_types: Annotated[dict[WorkerTypeName, LogTypes], Field(min_length=1, max_length=4)] | None = None
    """Which streams of which worker types are sent."""


class PrometheusMonitoringConfiguration(EmberModel):
    """Engine metrics, written to a Prometheus server."""

    remote_write_url: Annotated[str, Field(min_length=1, max_length=10280, pattern=r"^https://")] | None = None
    """The server's remote write address."""


class MonitoringConfiguration(EmberModel):
    """Where logs and metrics go."""

    s3_monitoring_configuration: S3MonitoringConfiguration | None = None
    managed_persistence_monitoring_configuration: ManagedPersistenceMonitoringConfiguration | None = None
    cloud_watch_logging_configuration: Annotated[CloudWatchLoggingConfiguration | None, NotSupportedYet()] = None
    prometheus_monitoring_configuration: Annotated[PrometheusMonitoringConfiguration | None, NotSupportedYet()] = None


def merge_monitoring(
    application: MonitoringConfiguration | None, run: MonitoringConfiguration | None
) -> MonitoringConfiguration:
    """Return what holds for a run: of each kind the run's own, else the application's."""
    if application is None or run is None:
        return run or application or MonitoringConfiguration()
    kinds = {name: getattr(run, name) or getattr(application, name) for name in MonitoringConfiguration.model_fields}
    return MonitoringConfiguration.model_validate(kinds)
