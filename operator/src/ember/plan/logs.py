"""Where a run's logs and Spark event logs go, in EMR Serverless's layout, and whether they are there.

Source: EMR Serverless user guide, "Logging and storing logs".
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from ember.model import labels
from ember.model.conditions import Condition, condition_of, set_condition
from ember.model.monitoring import merge_monitoring
from ember.model.settings import Settings
from ember.plan import ids
from ember.plan.view import ApplicationView, RunView, Shard
from ember.plan.workers import Worker

UPLOADED = "LogsUploaded"  # condition: every log of the run is complete in the store
SETTLED = ("Uploaded", "GivenUp", "DriverGone")  # its reasons that nothing changes any more


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


def given_up(worker: Worker, shard: Shard) -> bool:
    """Whether a worker's logs are still not in the store, and nobody waits for them any longer."""
    if worker.logs_complete:
        return False
    # Whoever was away so long has not heard what became of them: the log agents say it again.
    waited = shard.now - max(worker.ended_at or worker.created_at, shard.since)
    return (
        (worker.ended and waited > shard.settings.logs.give_up_minutes * 60)
        or worker.abandoned
        or worker.is_deaf(shard.now)
    )


def say(run: RunView, shard: Shard, conditions: Sequence[Condition], *, over: bool) -> list[Condition]:
    """The run's conditions with what is known of its logs; while it is not over, only what is lost already."""
    held = condition_of(conditions, UPLOADED)
    if (held is not None and held.reason in SETTLED) or not prefixes(run, shard.application, shard.settings):
        return list(conditions)
    now = datetime.fromtimestamp(shard.now, UTC)
    missing = [worker for worker in run.workers if not worker.logs_complete]
    lost = next((worker for worker in missing if given_up(worker, shard)), None)
    error = next((worker.logs_error for worker in missing if worker.ended and worker.logs_error), "")
    if lost is not None:
        why = f"the logs of {lost.name} were given up: {lost.logs_error or 'nothing was heard of them'}"
        return set_condition(conditions, UPLOADED, "False", "GivenUp", why, now)
    if not over:
        return list(conditions)
    if run.driver is None and run.status.started_at is not None:  # it is the last that Ember deletes
        why = "the driver's pod was gone before its logs were known to be complete"
        return set_condition(conditions, UPLOADED, "Unknown", "DriverGone", why, now)
    if run.workers and not missing:
        return set_condition(conditions, UPLOADED, "True", "Uploaded", "", now)
    if error:
        return set_condition(conditions, UPLOADED, "False", "UploadFailing", error, now)
    return list(conditions)
