"""The life of one job run: which state it is in, given what is seen of it.

Says nothing about capacity: whether a run may start is decided for the whole application (`ember.plan.quota`).
"""

from dataclasses import dataclass, replace
from datetime import datetime

from ember.model.conditions import condition_of
from ember.model.states import JobRunState, allowed
from ember.plan.view import ApplicationView, RunView, Shard

START_TIMEOUT = 600.0  # seconds a driver may take from its creation to its start: image pulls, a cluster that grows
PROBLEM_TIMEOUT = 60.0  # seconds that Ember tries again what went wrong for a passing reason
APPLICATION_TIMEOUT = 60.0  # seconds a run waits for an application that does not exist (they may be applied together)

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
        _over(run)
        or _hopeless(run, shard)
        or _out_of_time(run, shard)
        or _stuck(run, shard)
        or _waiting(run, admitted, held_back)
        or _going(run, shard)
    )
    # What is seen may be older than what was written, or a driver may be replaced: a state never goes back.
    return seen if allowed(run.state, seen.state) else replace(seen, state=run.state)


def _hopeless(run: RunView, shard: Shard) -> Verdict | None:
    """A run that can never work, or whose application is missing for long."""
    if run.state is JobRunState.CANCELLING:
        return None
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
        # A pre-initialized one may still say, at its end, that its job had not begun: then it is replaced.
        begun = driver.started or not driver.pool or run.state is JobRunState.RUNNING
        if driver.deleting and not driver.stop and begun:
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
        minutes = _queue_timeout_minutes(shard)
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


def _going(run: RunView, shard: Shard) -> Verdict:
    """How far the driver is, and why it gets no executors, if it gets none."""
    driver = run.driver
    if driver is None or not driver.scheduled:
        waits = driver.stuck if driver is not None and driver.stuck else "the driver's pod is being created"
        message = run.problem.message if run.problem is not None else waits
        return Verdict(JobRunState.PENDING, "DriverPending", message)
    # A new operator has not heard of the launcher yet; the run's status has.
    if not driver.started and run.state is not JobRunState.RUNNING:
        return Verdict(JobRunState.SCHEDULED, "DriverScheduled", driver.stuck or "the driver starts")
    if run.problem is not None:
        return Verdict(JobRunState.RUNNING, run.problem.reason, f"an executor waits: {run.problem.message}")
    if run.plan is None or shard.application is None or shard.application.spec is None:
        return Verdict(JobRunState.RUNNING, "NoExecutors", f"there are no further executors: {_unplanned(run, shard)}")
    short = next((w.short_of_cpu for w in (driver, *run.executors) if w.short_of_cpu and not w.ended), "")
    if short:
        return Verdict(JobRunState.RUNNING, "ShortOfCPU", f"a worker has less CPU than it asked for: {short}")
    return Verdict(JobRunState.RUNNING, "DriverRunning", "")


def _unplanned(run: RunView, shard: Shard) -> str:
    """Why nothing can be planned for a run that has its driver: its application was changed meanwhile."""
    return run.invalid or (shard.application.invalid if shard.application is not None else "")


def _failed(reason: str, message: str, exit_code: int | None = None) -> Verdict:
    return Verdict(JobRunState.FAILED, reason, message, exit_code)


def _queue_timeout_minutes(shard: Shard) -> int:
    """The application's bound for QUEUED, EMR Serverless's default without a scheduler configuration."""
    scheduler = shard.application.spec.scheduler_configuration if shard.application and shard.application.spec else None
    return scheduler.queue_timeout_minutes if scheduler is not None else 360


def _epoch(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None
