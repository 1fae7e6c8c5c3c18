"""The life of one job run: which state it is in, given what is seen of it.

Says nothing about capacity: whether a run may start is decided for the whole application (`ember.plan.quota`).
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ember.model.application import WorkerType
from ember.model.conditions import condition_of, set_condition
from ember.model.jobrun import ExecutorCounts, JobRunStatus, Startup
from ember.model.quantity import human_duration
from ember.model.states import JobRunState, allowed, is_terminal
from ember.plan import ids, logs
from ember.plan.actions import Action, Announce, DeleteWorker, DropRequest, SetRunStatus, StopWorker
from ember.plan.view import ApplicationView, RunView, Shard
from ember.plan.workers import Worker

LOGS_UPLOADED = "LogsUploaded"  # condition: every log of the run is complete in the store
START_TIMEOUT = 600.0  # seconds a driver may take from its creation to its start: image pulls, a cluster that grows
PROBLEM_TIMEOUT = 60.0  # seconds that Ember tries again what went wrong for a passing reason
APPLICATION_TIMEOUT = 60.0  # seconds a run waits for an application that does not exist (they may be applied together)

STOP_TIMEOUT = (
    240.0  # seconds a launcher has to end after it was told to: far above what it gives the JVM and its last report
)

_STARTED = (JobRunState.SCHEDULED, JobRunState.RUNNING)
_NO_APPLICATION = "its EMRApplication does not exist or is being deleted"


@dataclass(frozen=True)
class Verdict:
    """The state a run shall be in, why, and what else follows."""

    state: JobRunState
    reason: str
    message: str
    exit_code: int | None = None


def judge(run: RunView, shard: Shard, *, admitted: bool, held_back: str) -> Verdict:
    """The state of a live run. `admitted`: it has or gets its driver now; `held_back`: why it waits in the queue."""
    if run.state is None:  # every run begins like this, whatever follows
        return Verdict(JobRunState.SUBMITTED, "Submitted", "")
    seen = (
        _hopeless(run, shard)
        or _over(run)
        or _out_of_time(run, shard)
        or _stuck(run, shard)
        or _waiting(run, admitted, held_back)
        or _going(run)
    )
    # What is seen may be older than what was written, or a driver may be replaced: a state never goes back.
    return seen if allowed(run.state, seen.state) else replace(seen, state=run.state)


def _hopeless(run: RunView, shard: Shard) -> Verdict | None:
    """A run that can never work, or whose application is missing for long."""
    if run.driver is not None:  # its configuration is settled, and what went wrong on the way is overcome
        gone = shard.application is None or shard.application.deleting
        return _failed("ApplicationNotFound", _NO_APPLICATION) if gone else None
    if run.invalid:
        return _failed("InvalidConfiguration", run.invalid)
    application = shard.application
    if application is None or application.deleting:
        if shard.now - run.created_at < APPLICATION_TIMEOUT:
            name = run.spec.application_ref.name if run.spec else ""
            return Verdict(JobRunState.SUBMITTED, "ApplicationNotFound", f"there is no EMRApplication {name!r} (yet)")
        return _failed("ApplicationNotFound", _NO_APPLICATION)
    if application.invalid:
        if shard.now - max(run.created_at, _invalid_since(application, shard.now)) < APPLICATION_TIMEOUT:
            return Verdict(JobRunState.SUBMITTED, "ApplicationNotReady", application.invalid)
        return _failed("ApplicationNotReady", application.invalid)
    problem = run.problem
    if problem is not None and (problem.permanent or shard.now - problem.since > PROBLEM_TIMEOUT):
        return _failed(problem.reason, problem.message)
    return None


def _invalid_since(application: ApplicationView, now: float) -> float:
    """Since when its specification cannot be used; as of now if its status does not say so yet."""
    ready = condition_of(application.status.conditions, "Ready")
    return ready.last_transition_time.timestamp() if ready is not None and ready.status == "False" else now


def _over(run: RunView) -> Verdict | None:
    """The driver ended, or is gone although it had started."""
    driver = run.driver
    if driver is None:
        replaceable = run.unused and run.state is not JobRunState.RUNNING
        if run.state is JobRunState.CANCELLING:
            return Verdict(JobRunState.CANCELLED, "Cancelled", run.status.state_details or "cancelled")
        if run.state in _STARTED and not replaceable:
            return _failed("DriverLost", "the driver's pod is gone: it was deleted, or its node was lost")
        return None
    if not driver.ended:
        if driver.deleting and not driver.stop:
            return _failed("DriverLost", "the driver's pod was deleted from outside")
        return None
    if run.state is JobRunState.CANCELLING:
        return Verdict(JobRunState.CANCELLED, "Cancelled", run.status.state_details or "cancelled", driver.exit_code)
    if driver.exit_code == 0:
        return Verdict(JobRunState.SUCCESS, "Succeeded", "", 0)
    code = f"exit code {driver.exit_code}" if driver.exit_code is not None else "no exit code"
    detail = driver.end_reason or code
    return _failed("DriverFailed", f"the driver ended: {detail}", driver.exit_code)


def _out_of_time(run: RunView, shard: Shard) -> Verdict | None:
    """The queue's and the execution's time limits."""
    if run.state is JobRunState.CANCELLING:
        return Verdict(JobRunState.CANCELLING, "Cancelling", run.status.state_details or "")
    minutes = run.spec.execution_timeout_minutes if run.spec is not None else 0
    started = _epoch(run.status.started_at)
    if minutes and started is not None and shard.now - started > minutes * 60:
        return Verdict(
            JobRunState.CANCELLING, "ExecutionTimeout", f"executionTimeoutMinutes: ran for {minutes} minutes"
        )
    if run.driver is None:  # in whatever state: this is the bound of everything that it may wait for
        minutes = queue_timeout_minutes(shard)
        if shard.now - (_epoch(run.status.queued_at) or run.created_at) > minutes * 60:
            return _failed("QueueTimeout", f"queueTimeoutMinutes: waited for {minutes} minutes")
    return None


def _stuck(run: RunView, shard: Shard) -> Verdict | None:
    """A driver that cannot start within its bound."""
    driver = run.driver
    # A new operator does not know yet what the launchers said to the one before; the run's status does.
    if driver is None or driver.started or run.state is JobRunState.RUNNING:
        return None
    if shard.now - driver.begun_at <= START_TIMEOUT:
        return None
    why = driver.stuck or ("its container does not start" if driver.scheduled else "no node has room for its pod")
    return _failed("DriverStartTimeout", f"the driver did not start within {START_TIMEOUT:.0f} s: {why}")


def _waiting(run: RunView, admitted: bool, held_back: str) -> Verdict | None:
    if run.driver is not None or admitted:
        return None
    if held_back:
        return Verdict(JobRunState.QUEUED, "Queued", held_back)
    return Verdict(run.state or JobRunState.SUBMITTED, "Submitted", run.status.state_details or "")


def _going(run: RunView) -> Verdict:
    """How far the driver is."""
    driver = run.driver
    if driver is None or not driver.scheduled:
        waits = driver.stuck if driver is not None and driver.stuck else "the driver's pod is being created"
        message = run.problem.message if run.problem is not None else waits
        return Verdict(JobRunState.PENDING, "DriverPending", message)
    if not driver.started:
        return Verdict(JobRunState.SCHEDULED, "DriverScheduled", driver.stuck or "the driver starts")
    return Verdict(JobRunState.RUNNING, "DriverRunning", "")


def _failed(reason: str, message: str, exit_code: int | None = None) -> Verdict:
    return Verdict(JobRunState.FAILED, reason, message, exit_code)


def queue_timeout_minutes(shard: Shard) -> int:
    """The application's bound for QUEUED, EMR Serverless's default without a scheduler configuration."""
    scheduler = shard.application.spec.scheduler_configuration if shard.application and shard.application.spec else None
    return scheduler.queue_timeout_minutes if scheduler is not None else 360


def status_of(run: RunView, shard: Shard, verdict: Verdict) -> JobRunStatus:
    """The whole status that shows a verdict."""
    now = datetime.fromtimestamp(shard.now, UTC)
    old = run.status
    changed = verdict.state is not old.state
    update: dict[str, object] = {
        "state": verdict.state,
        "state_details": verdict.message,
        "observed_generation": run.generation,
        "job_run_id": ids.external_id(run.uid),
        "attempt": old.attempt or 1,
        "created_at": old.created_at or _created(run, shard),
        "attempt_created_at": old.attempt_created_at or _created(run, shard),
        "driver_pod": run.driver.name if run.driver is not None else old.driver_pod,
        "executors": _executors(run, old),
        "startup": _startup(run, shard, old),
        "conditions": set_condition(
            list(old.conditions or ()),
            "Complete",
            "True" if is_terminal(verdict.state) else "False",
            verdict.reason,
            verdict.message,
            now,
            observed_generation=run.generation,
        ),
    }
    update |= _locations(run, shard)
    if changed:
        update |= _times(old, verdict.state, now)
    if verdict.exit_code is not None:
        update["exit_code"] = verdict.exit_code
    status = old.updated(**update)
    same = status.updated(updated_at=old.updated_at) == old
    return old if same else status.updated(updated_at=now)


def _created(run: RunView, shard: Shard) -> datetime:
    """When it was created; seen at once, to the millisecond, which Kubernetes' own time stamp is not."""
    fresh = 0 <= shard.now - run.created_at < 2.0
    return datetime.fromtimestamp(shard.now if fresh else run.created_at, UTC)


def _startup(run: RunView, shard: Shard, old: JobRunStatus) -> Startup | None:
    """How its workers started; what was seen once is kept when the pods go."""
    before, driver = old.startup or Startup(), run.driver
    if driver is None:
        return old.startup
    held = [e for e in run.executors if e.started]
    warm = sum(1 for e in held if e.pool)
    first, created = before.first_task_milliseconds, old.created_at
    if first is None and driver.first_task_at is not None and created is not None:
        first = max(0, round((driver.first_task_at - created.timestamp()) * 1000))
    return Startup(
        driver="WARM" if driver.pool else "COLD",
        reason="" if driver.pool else before.reason or _why_cold(run, shard, WorkerType.DRIVER),
        warm_executors=max(before.warm_executors, warm),
        cold_executors=max(before.cold_executors, len(held) - warm),
        executor_reason=before.executor_reason
        or (_why_cold(run, shard, WorkerType.EXECUTOR) if len(held) > warm else ""),
        first_task_milliseconds=first,
    )


def _why_cold(run: RunView, shard: Shard, kind: WorkerType) -> str:
    """Why a worker got a pod of its own, where the application keeps pre-initialized ones of its type."""
    spec = shard.application.spec if shard.application is not None else None
    kept = {WorkerType.of(key) for key in (spec.initial_capacity or {})} if spec is not None else set()
    if run.plan is None or kind not in kept:
        return ""
    never = run.plan.driver_cold if kind is WorkerType.DRIVER else run.plan.executor_cold
    return never or f"no pre-initialized {kind.lower()} that is large enough was ready"


def _executors(run: RunView, old: JobRunStatus) -> ExecutorCounts:
    """Executors now, and how many there ever were; the last figure is kept when the pods go."""
    running = sum(1 for e in run.executors if e.started and not e.ended)
    total = max((int(e.executor_id) for e in run.executors if e.executor_id.isdigit()), default=0)
    before = old.executors.total if old.executors is not None else 0
    return ExecutorCounts(running=running, wanted=running + len(run.waiting), total=max(total, before or 0))


def _locations(run: RunView, shard: Shard) -> dict[str, object]:
    application = shard.application
    if application is None or application.spec is None or run.spec is None:
        return {}
    prefixes = log_prefixes(run, shard)
    return {
        "application_id": ids.external_id(application.uid),
        "log_uri": prefixes[0] if prefixes else "",
        "event_log_uri": logs.event_log_uri(prefixes[0]) if prefixes else "",
    }


def log_prefixes(run: RunView, shard: Shard) -> list[str]:
    """Where a run's logs go; empty when its specification or application cannot be read."""
    application = shard.application
    if application is None or application.spec is None or run.spec is None:
        return []
    return logs.run_prefixes(
        run.spec,
        application.spec,
        shard.settings,
        run.key[0],
        ids.external_id(application.uid),
        ids.external_id(run.uid),
    )


def _times(old: JobRunStatus, state: JobRunState, now: datetime) -> dict[str, object]:
    """The time stamps and durations that a change of state sets."""
    times: dict[str, object] = {}
    if state is JobRunState.QUEUED:
        times["queued_at"] = now
    if old.state is JobRunState.QUEUED and old.queued_at is not None:
        times["queued_duration_milliseconds"] = round((now - old.queued_at).total_seconds() * 1000)
    if state is JobRunState.SCHEDULED or (state is JobRunState.RUNNING and old.scheduled_at is None):
        times["scheduled_at"] = now
    if state is JobRunState.RUNNING:
        times["started_at"] = now
    if is_terminal(state):
        times["ended_at"] = now
        begun = old.started_at or now
        seconds = max(0.0, (now - begun).total_seconds())
        times["total_execution_duration_seconds"] = round(seconds)
        times["duration"] = human_duration(seconds)
    return times


def _epoch(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None


def settle(run: RunView, shard: Shard) -> list[Action]:
    """What is still to be written of a run that is over: its first task, and whether its logs are all in the store."""
    now = datetime.fromtimestamp(shard.now, UTC)
    status = run.status.updated(startup=_startup(run, shard, run.status))
    if run.workers and log_prefixes(run, shard) and all(worker.ended for worker in run.workers):
        missing = [worker for worker in run.workers if not worker.logs_complete]
        error = next((worker.logs_error for worker in missing if worker.logs_error), "")
        conditions = None
        if not missing:
            conditions = set_condition(run.status.conditions, LOGS_UPLOADED, "True", "Uploaded", "", now)
        elif error:
            conditions = set_condition(run.status.conditions, LOGS_UPLOADED, "False", "UploadFailing", error, now)
        status = status.updated(conditions=conditions) if conditions is not None else status
    if status == run.status:
        return []
    return [SetRunStatus(run.key, status.updated(updated_at=now).to_manifest())]


def show(run: RunView, shard: Shard, verdict: Verdict) -> list[Action]:
    """Write the status, if it changed, and announce a change of state."""
    status = status_of(run, shard, verdict)
    if status == run.status:
        return []
    actions: list[Action] = [SetRunStatus(run.key, status.to_manifest())]
    if verdict.state is not run.state and verdict.state is not JobRunState.PENDING:
        kind = "Warning" if verdict.state is JobRunState.FAILED else "Normal"
        message = verdict.message or f"the job run is {verdict.state}"
        actions.append(Announce("JobRun", run.key, kind, verdict.reason, message))
    return actions


def clean_up(run: RunView, shard: Shard, *, over: bool) -> list[Action]:
    """End the workers of a run that is over, and delete every pod that ended and whose logs are up."""
    actions: list[Action] = []
    if over:
        actions += [DropRequest(request) for request in run.waiting]
    stop = over or (run.state is JobRunState.CANCELLING)
    keeps_logs = bool(log_prefixes(run, shard))
    for worker in run.workers:
        steps = end_worker(worker, shard, stop=stop or worker in run.surplus, keeps_logs=keeps_logs)
        if worker is run.driver and run.executors:  # they are its children: with it they would go before their logs
            steps = [step for step in steps if not isinstance(step, DeleteWorker)]
        actions += steps
    return actions


def end_worker(worker: Worker, shard: Shard, *, stop: bool, keeps_logs: bool) -> list[Action]:
    """What a worker that shall end, or has ended, needs next."""
    key = (worker.namespace, worker.name)
    if worker.ended:
        waited = shard.now - (worker.ended_at or worker.created_at)
        given_up = waited > shard.settings.logs.give_up_minutes * 60
        if (worker.logs_complete or not keeps_logs or given_up) and not worker.deleting:
            return [DeleteWorker(key, worker.uid)]
        return []
    if not (stop or worker.stop):
        return []
    if not worker.started and not worker.running:  # there is no launcher to tell, and there are no logs
        return [] if worker.deleting else [DeleteWorker(key, worker.uid)]
    if not worker.stop:
        return [StopWorker(key, worker.uid, "the job run is over")]
    # A launcher that does not end in time will not: its node is lost.
    late = worker.stopped_at is not None and shard.now - worker.stopped_at > STOP_TIMEOUT
    return [DeleteWorker(key, worker.uid)] if late else []
