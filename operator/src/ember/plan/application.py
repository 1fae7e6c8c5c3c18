"""The life of an application, and the decisions that concern all of its runs: who starts, who gets executors."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ember.model import labels
from ember.model.capacity import Capacity
from ember.model.states import ApplicationState, JobRunState, is_terminal
from ember.plan import ending, jobrun, jobrunstatus, logs, pool
from ember.plan.actions import (
    Action,
    Claim,
    CreateDriver,
    CreateExecutor,
    Plan,
    ResizeWorker,
)
from ember.plan.applicationstatus import QUIET_SECONDS, just_written, show
from ember.plan.facts import ExecutorRequest
from ember.plan.pods import driver_identity, driver_owner, executor_identity, executor_owner
from ember.plan.pool import Stock
from ember.plan.quota import Admission, Claimant, Decision, Grant, Idlers, Nearly, decide
from ember.plan.spark import maximum_of
from ember.plan.view import ApplicationView, RunView, Shard
from ember.plan.warm import ROLES, Need
from ember.plan.workers import Worker

DEFAULT_CONCURRENT_RUNS = 15  # EMR Serverless, schedulerConfiguration
WORTH_WAITING = 8.0  # seconds: a cold start takes longer than to wait so long for a pre-initialized worker
OVERDUE = 10.0  # seconds: a warm-up that takes so much longer than usual is not waited for
_TICK = 5.0  # seconds: how often time limits are looked at while something runs or waits


def plan_shard(shard: Shard) -> Plan:
    """Everything that shall be done now for an application and its runs."""
    stock = pool.stocks(shard)
    state, details = _state(shard, stock)
    readable = shard.application is not None and shard.application.spec is not None
    decides = readable and state in (ApplicationState.STARTING, ApplicationState.STARTED)
    decision = _decide(shard, stock) if decides else Decision(used=shard.used)
    admitted = {admission.key: admission for admission in decision.admitted}
    actions: list[Action] = []
    for run in shard.runs:
        actions += _plan_run(run, shard, admitted.get(run.key), decision.held_back.get(run.key, ""))
    for stray in shard.strays:
        actions += ending.end_worker(stray, shard, stop=True, keeps_logs=False)
    actions += _executors(shard, decision.granted)
    actions += _give_cpu(shard)
    actions += pool.keep(shard, state, decision)
    if shard.application is not None:
        actions += show(shard, shard.application, state, details, decision, stock)
    return Plan(tuple(actions), _look_again_in(shard, state))


def _plan_run(run: RunView, shard: Shard, admission: Admission | None, held_back: str) -> list[Action]:
    if not run.live:
        return [*jobrunstatus.settle(run, shard), *ending.clean_up(run, shard, over=True)]
    verdict = jobrun.judge(run, shard, admitted=admission is not None, held_back=held_back)
    actions: list[Action] = []
    if run.driver is None and not is_terminal(verdict.state):
        if admission is not None and admission.worker is not None:
            actions.append(_claim_driver(run, shard, admission.worker))
        elif admission is not None:
            actions.append(_create_driver(run, shard))
    actions += jobrunstatus.show(run, shard, verdict)
    actions += ending.clean_up(run, shard, over=is_terminal(verdict.state))
    return actions


def _create_driver(run: RunView, shard: Shard) -> Action:
    assert run.plan is not None
    assert shard.application is not None
    pod = shard.pods.driver(run.object, shard.application.key[1], run.status.attempt or 1, run.plan, shard.image())
    return CreateDriver(run.key, pod, _event_log(run, shard))


def _claim_driver(run: RunView, shard: Shard, worker: Worker) -> Action:
    assert shard.application is not None
    identity = driver_identity(run.object, shard.application.key[1], run.status.attempt or 1)
    return _claim(shard, worker, identity, driver_owner(run.object), event_log_uri=_event_log(run, shard))


def _claim(
    shard: Shard,
    worker: Worker,
    identity: dict[str, Any],
    owner: dict[str, Any],
    *,
    request: ExecutorRequest | None = None,
    event_log_uri: str | None = None,
) -> Action:
    identity["annotations"][labels.CLAIMED_AT] = datetime.fromtimestamp(shard.now, UTC).isoformat()
    return Claim(worker, identity, owner, _resources(shard, worker), request, event_log_uri)


def _event_log(run: RunView, shard: Shard) -> str | None:
    assert run.plan is not None
    enabled = run.plan.properties.get("spark.eventLog.enabled", "true").lower() == "true"
    prefixes = logs.prefixes(run, shard.application, shard.settings)
    return logs.event_log_uri(prefixes[0]) if enabled and prefixes else None


def _resources(shard: Shard, worker: Worker) -> dict[str, object] | None:
    """What a claimed worker's container gets; None when the application keeps its idle workers' CPU reserved."""
    return None if pool.is_reserved(shard) else shard.pods.claimed(worker)


def _give_cpu(shard: Shard) -> list[Action]:
    """Claimed workers that still have an idle one's CPU: the resize beside their claim did not succeed."""
    held = [w for run in shard.runs if run.live for w in run.workers if w.pool and w.starved and not w.ended]
    return [
        ResizeWorker((w.namespace, w.name), w.uid, resources)
        for w in held
        if shard.application is not None and (resources := _resources(shard, w)) is not None
    ]


def _executors(shard: Shard, granted: tuple[Grant, ...]) -> list[Action]:
    runs = {run.key: run for run in shard.runs}
    actions: list[Action] = []
    for grant in granted:
        request, worker = grant.request, grant.worker
        run = runs[(request.namespace, request.run_name)]
        assert run.driver_object is not None
        assert run.plan is not None
        assert shard.application is not None
        name = shard.application.key[1]
        if worker is not None:
            identity, owner = executor_identity(request, name), executor_owner(run.driver_object)
            actions.append(_claim(shard, worker, identity, owner, request=request))
        else:
            assert run.driver is not None
            pod = shard.pods.executor(request, run.driver_object, name, run.plan, run.driver.image)
            actions.append(CreateExecutor(request, pod))
    return actions


def _decide(shard: Shard, stock: Sequence[Stock]) -> Decision:
    application = shard.application
    assert application is not None
    assert application.spec is not None
    scheduler = application.spec.scheduler_configuration
    limit = scheduler.max_concurrent_runs if scheduler is not None else DEFAULT_CONCURRENT_RUNS
    claimants = [claimant for run in shard.runs if (claimant := _claimant(run, shard)) is not None]
    going = sum((w.capacity for w in shard.pool if w.deleting and w.holds_capacity), Capacity.zero())
    return decide(maximum_of(application.spec), shard.used, claimants, limit, _idlers(shard, stock), going)


def _idlers(shard: Shard, stock: Sequence[Stock]) -> Idlers:
    """The pool, by what its workers are good for now. Nobody waits for one that is overdue."""
    known = {one.template for one in stock}
    ready, nearly, others = list[Worker](), list[Nearly](), list[Worker]()
    for worker in sorted((w for w in shard.pool if w.stays), key=lambda w: (-w.created_at, w.name)):
        left = shard.warm_ups.usual(worker.role) - (shard.now - worker.created_at)
        sound = worker.pool in known and worker.role in ROLES.values()
        if worker.idle and sound:
            ready.append(worker)
        elif sound and not worker.stuck and -OVERDUE <= left <= WORTH_WAITING:
            nearly.append(Nearly(worker, left))
        else:
            others.append(worker)
    others.sort(key=lambda worker: worker.pool in known and not worker.stuck)  # those that are of no use at all first
    return Idlers(ready, nearly, others)


def _claimant(run: RunView, shard: Shard) -> Claimant | None:
    """The run as the quota sees it; None when it wants nothing (any more)."""
    driver, plan = run.driver, run.plan
    if not run.live or run.state is JobRunState.CANCELLING:
        return None
    if driver is not None and (driver.ended or driver.deleting):
        return None
    executors = sum(1 for e in run.executors if not e.ended)
    if driver is not None and plan is None:  # it goes on with what it has, and counts among those that are active
        nothing = Need(Capacity.zero(), 0, cold="nothing can be planned for it")
        return Claimant(run.key, nothing, nothing, run.created_at, admitted=True, executors=executors)
    if plan is None or run.invalid:
        return None
    if driver is None and shard.application is not None and shard.application.invalid:
        return None
    need = Need.of(plan.driver, run.driver_cold)
    image = driver.image if driver is not None else ""
    waiting = run.waiting if driver is not None else ()
    if run.problem is not None:  # while they are refused, one is enough to see when that is over
        waiting = waiting[:1]
    return Claimant(
        key=run.key,
        driver=need,
        executor=Need.of(plan.executor, plan.executor_cold, image),
        created_at=run.created_at,
        admitted=driver is not None,
        executors=executors,
        waiting=waiting,
        zone=driver.zone if driver is not None else "",
    )


def _state(shard: Shard, stock: tuple[Stock, ...]) -> tuple[ApplicationState, str]:
    """The application's next state. One step at a time: each state is seen by who watches."""
    application = shard.application
    if application is None:
        return ApplicationState.TERMINATED, ""
    state, invalid = application.status.state, application.invalid
    active = any(run.live for run in shard.runs)
    held = any(w.holds_capacity for run in shard.runs for w in run.workers)
    idles = not (active or held)
    match state:
        case None:
            return ApplicationState.CREATING, invalid
        case ApplicationState.CREATING:
            return (ApplicationState.CREATING, invalid) if invalid else (ApplicationState.CREATED, "")
        case ApplicationState.CREATED | ApplicationState.STOPPED if active and not invalid:
            return ApplicationState.STARTING, "started by a job run"
        case ApplicationState.STARTING | ApplicationState.STARTED if idles and _idle_too_long(application, shard.now):
            return ApplicationState.STOPPING, "idle for longer than autoStopConfiguration.idleTimeoutMinutes"
        case ApplicationState.STARTING:
            return (
                (ApplicationState.STARTED, "")
                if pool.is_complete(stock)
                else (ApplicationState.STARTING, _progress(shard, stock))
            )
        case ApplicationState.STOPPING:
            return (
                (ApplicationState.STOPPING, "")
                if held
                else (ApplicationState.STOPPED, application.status.state_details or "")
            )
    return state, invalid or application.status.state_details or ""


def _progress(shard: Shard, stock: tuple[Stock, ...]) -> str:
    """How far the start is, and what is in its way. The estimate is coarse, as every step of it is a status write."""
    ready, wanted = sum(one.status.idle for one in stock), sum(one.shape.count for one in stock)
    text = f"{ready}/{wanted} pre-initialized workers are ready"
    _, sentence = pool.trouble(shard, stock, Decision(used=shard.used))
    if sentence:
        return f"{text}; {sentence}"
    left = pool.seconds_left(shard, stock)
    return f"{text}, about {-(-left // 10) * 10:.0f} s left" if left is not None else f"{text}, later than usual"


def _idle_too_long(application: ApplicationView, now: float) -> bool:
    if application.spec is None:
        return False
    stop, idle = application.spec.auto_stop_configuration, application.status.idle_since
    return stop.enabled and idle is not None and now - idle.timestamp() >= stop.idle_timeout_minutes * 60


def _look_again_in(shard: Shard, state: ApplicationState) -> float | None:
    """A tick while a clock runs: for a live run, a pod that is to go, or an application that idles towards its stop."""
    if shard.application is not None and just_written(shard.application, shard.now):
        return QUIET_SECONDS  # something may have been kept back
    if settling := pool.settling(shard):
        return settling
    clocks = any(run.live or run.workers for run in shard.runs) or bool(shard.strays) or bool(shard.pool)
    moves = (ApplicationState.STARTING, ApplicationState.STARTED, ApplicationState.STOPPING)
    return _TICK if clocks or state in moves else None
