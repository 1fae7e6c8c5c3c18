"""Where a run's logs and Spark event logs go: EMR Serverless's layout.

Source: EMR Serverless user guide, "Logging and storing logs".
"""

from ember.model import labels
from ember.model.monitoring import merge_monitoring
from ember.model.settings import Settings
from ember.plan import ids
from ember.plan.view import ApplicationView, RunView
from ember.plan.workers import Worker


def prefixes(run: RunView, application: ApplicationView | None, settings: Settings) -> list[str]:
    """The prefixes under which a run's logs are kept, the user's own first.

    Empty when nothing is to be kept, or when the specification of the run or of its application cannot be read. The
    run's monitoring configuration wins over the application's, part by part.
    """
    if application is None or application.spec is None or run.spec is None:
        return []
    overrides = run.spec.configuration_overrides
    monitoring = merge_monitoring(
        application.spec.monitoring_configuration,
        overrides.monitoring_configuration if overrides is not None else None,
    )
    bases = []
    own = monitoring.s3_monitoring_configuration
    if own is not None and own.log_uri:
        bases.append(own.log_uri)
    managed = monitoring.managed_persistence_monitoring_configuration
    managed_uri = settings.store.managed_log_uri
    if managed_uri and (managed is None or managed.enabled):
        bases.append(f"{managed_uri.rstrip('/')}/{run.key[0]}")
    place = f"applications/{ids.external_id(application.uid)}/jobs/{ids.external_id(run.uid)}/"
    return [f"{base.rstrip('/')}/{place}" for base in bases]


def event_log_uri(prefix: str) -> str:
    """The directory of a run's Spark event logs, beside its logs."""
    return f"{prefix}sparklogs/"


def worker_prefixes(run_prefixes: list[str], worker: Worker) -> list[str]:
    """The prefixes of one worker's `stdout.gz` and `stderr.gz`."""
    folder = "SPARK_DRIVER" if worker.role == labels.DRIVER else f"SPARK_EXECUTOR/{worker.executor_id}"
    return [f"{prefix}{folder}/" for prefix in run_prefixes]
