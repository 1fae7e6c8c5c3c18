"""Where a run's logs and Spark event logs go: EMR Serverless's layout.

Source: EMR Serverless user guide, "Logging and storing logs".
"""

from ember.model import labels
from ember.model.application import EMRApplicationSpec
from ember.model.jobrun import JobRunSpec
from ember.model.monitoring import merge_monitoring
from ember.model.settings import Settings
from ember.plan.workers import Worker


def run_prefixes(
    run: JobRunSpec,
    application: EMRApplicationSpec,
    settings: Settings,
    namespace: str,
    application_id: str,
    run_id: str,
) -> list[str]:
    """The prefixes under which a run's logs are kept, the user's own first; empty when nothing is to be kept.

    The run's monitoring configuration wins over the application's, part by part.
    """
    overrides = run.configuration_overrides
    monitoring = merge_monitoring(
        application.monitoring_configuration, overrides.monitoring_configuration if overrides is not None else None
    )
    bases = []
    own = monitoring.s3_monitoring_configuration
    if own is not None and own.log_uri:
        bases.append(own.log_uri)
    managed = monitoring.managed_persistence_monitoring_configuration
    if settings.store.managed_log_uri and (managed is None or managed.enabled):
        bases.append(f"{settings.store.managed_log_uri.rstrip('/')}/{namespace}")
    return [f"{base.rstrip('/')}/applications/{application_id}/jobs/{run_id}/" for base in bases]


def event_log_uri(prefix: str) -> str:
    """The directory of a run's Spark event logs, beside its logs."""
    return f"{prefix}sparklogs/"


def worker_prefixes(prefixes: list[str], worker: Worker) -> list[str]:
    """The prefixes of one worker's `stdout.gz` and `stderr.gz`."""
    folder = "SPARK_DRIVER" if worker.role == labels.DRIVER else f"SPARK_EXECUTOR/{worker.executor_id}"
    return [f"{prefix}{folder}/" for prefix in prefixes]
