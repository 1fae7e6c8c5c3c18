"""What a job run's status says, and which of its changes are told as Events."""

from datetime import UTC, datetime

from ember.model import labels
from ember.model.conditions import set_condition
from ember.model.jobrun import ExecutorCounts, JobRunStatus, Startup
from ember.model.quantity import human_duration
from ember.model.states import JobRunState, is_terminal
from ember.plan import ids, logs
from ember.plan.actions import Action, Announce, SetRunStatus
from ember.plan.jobrun import Verdict
from ember.plan.view import RunView, Shard, written_within

WAITING_SECONDS = 5.0
"""What a run waits for is not written oftener: it changes for all that wait with each that starts or ends."""


def show(run: RunView, shard: Shard, verdict: Verdict) -> list[Action]:
    """Write the status, if it changed, and announce a change of state."""
    if _waits_as_before(run, verdict):
        return []
    status = _status(run, shard, verdict)
    waits = verdict.state in (JobRunState.QUEUED, JobRunState.RUNNING) and verdict.message and run.status.state_details
    waits_on = verdict.state is run.state and waits
    if status == run.status or (waits_on and written_within(WAITING_SECONDS, run, shard.now)):
        return []
    actions: list[Action] = [SetRunStatus(run.key, status.to_manifest())]
    # A run that goes on has nothing to say, unless it lacks something.
    lacks = verdict.state is run.state is JobRunState.RUNNING and verdict.message and not run.status.state_details
    if (verdict.state is not run.state and verdict.state is not JobRunState.PENDING) or lacks:
        kind = "Warning" if verdict.state is JobRunState.FAILED or lacks else "Normal"
        message = verdict.message or f"the job run is {verdict.state}"
        actions.append(Announce("JobRun", run.key, kind, verdict.reason, message))
    return actions


def _waits_as_before(run: RunView, verdict: Verdict) -> bool:
    """The short way for a run in the queue of which nothing changed: there may be thousands."""
    old = run.status
    same = verdict.state is old.state is JobRunState.QUEUED and verdict.message == old.state_details
    return same and run.driver is None and old.observed_generation == run.generation


def settle(run: RunView, shard: Shard) -> list[Action]:
    """What is still to be written of a run that is over: its first task, and whether its logs are all in the store."""
    now = datetime.fromtimestamp(shard.now, UTC)
    status = run.status.updated(
        startup=_startup(run, shard, run.status), conditions=logs.say(run, shard, run.status.conditions, over=True)
    )
    if status == run.status:
        return []
    return [SetRunStatus(run.key, status.updated(updated_at=now).to_manifest())]


def _status(run: RunView, shard: Shard, verdict: Verdict) -> JobRunStatus:
    """The whole status that shows a verdict."""
    now = datetime.fromtimestamp(shard.now, UTC)
    old = run.status
    changed = verdict.state is not old.state
    conditions = set_condition(
        list(old.conditions or ()),
        "Complete",
        "True" if is_terminal(verdict.state) else "False",
        verdict.reason,
        verdict.message,
        now,
        observed_generation=run.generation,
    )
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
        "conditions": logs.say(run, shard, conditions, over=is_terminal(verdict.state)),
    }
    update |= _locations(run, shard)
    if changed:
        update |= _times(run, verdict.state, now)
    if verdict.exit_code is not None:
        update["exit_code"] = verdict.exit_code
    status = old.updated(**update)
    same = status.updated(updated_at=old.updated_at) == old
    return old if same else status.updated(updated_at=now)


def _created(run: RunView, shard: Shard) -> datetime:
    """When it was created: seen at once, more exactly than in Kubernetes' own time stamp, which knows whole seconds."""
    fresh = 0 <= shard.now - run.created_at < 2.0
    return datetime.fromtimestamp(min(shard.now, run.created_at + 1.0) if fresh else run.created_at, UTC)


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
        reason="" if driver.pool else before.reason or _why_cold(run, shard, labels.DRIVER),
        warm_executors=max(before.warm_executors, warm),
        cold_executors=max(before.cold_executors, len(held) - warm),
        executor_reason=before.executor_reason
        or (_why_cold(run, shard, labels.EXECUTOR_ROLE) if len(held) > warm else ""),
        first_task_milliseconds=first,
    )


def _why_cold(run: RunView, shard: Shard, role: str) -> str:
    """Why a worker got a pod of its own, where the application keeps pre-initialized ones of its role."""
    application = shard.application
    if run.plan is None or application is None or role not in {shape.role for shape in application.shapes}:
        return ""
    never = run.driver_cold if role == labels.DRIVER else run.plan.executor_cold or _outlived(run, shard)
    return never or f"no pre-initialized {role} that is large enough was ready"


def _outlived(run: RunView, shard: Shard) -> str:
    """Why a driver of an earlier release gets no pre-initialized executors; empty for one of this release."""
    another = run.driver is not None and run.driver.image != shard.image()
    return "its driver began with another image" if another else ""


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
    prefixes = logs.prefixes(run, shard.application, shard.settings)
    return {
        "application_id": ids.external_id(application.uid),
        "log_uri": prefixes[0] if prefixes else "",
        "event_log_uri": logs.event_log_uri(prefixes[0]) if prefixes else "",
    }


def _times(run: RunView, state: JobRunState, now: datetime) -> dict[str, object]:
    """The time stamps and durations that a change of state sets."""
    old, times = run.status, dict[str, object]()
    if state is JobRunState.QUEUED:
        times["queued_at"] = now
    if old.state is JobRunState.QUEUED and old.queued_at is not None:
        times["queued_duration_milliseconds"] = max(0, round((now - old.queued_at).total_seconds() * 1000))
    if state is JobRunState.SCHEDULED or (state is JobRunState.RUNNING and old.scheduled_at is None):
        times["scheduled_at"] = now
    if state is JobRunState.RUNNING:
        times["started_at"] = now
    if is_terminal(state):
        times["ended_at"] = now
        begun = old.started_at or _started_unseen(run)
        times |= {"started_at": begun} if begun is not None else {}
        seconds = max(0.0, (now - (begun or now)).total_seconds())
        times["total_execution_duration_seconds"] = round(seconds)
        times["duration"] = human_duration(seconds)
    return times


def _started_unseen(run: RunView) -> datetime | None:
    """When its driver started, if that has ended before anybody saw it run."""
    driver = run.driver
    if driver is None or not driver.ended or driver.started_at is None:
        return None
    return datetime.fromtimestamp(driver.started_at, UTC)
