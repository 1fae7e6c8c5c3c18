"""What an application's status says, and which of its changes are told as Events."""

from datetime import UTC, datetime

from ember.model.application import EMRApplicationStatus, RunCounts
from ember.model.capacity import CapacityUsage
from ember.model.conditions import Condition, ConditionStatus, condition_of, set_condition
from ember.model.states import ApplicationState
from ember.plan import ids, pool
from ember.plan.actions import Action, Announce, SetApplicationStatus
from ember.plan.pool import Stock
from ember.plan.quota import Decision
from ember.plan.spark import maximum_of
from ember.plan.view import ApplicationView, Shard, written_within

QUIET_SECONDS = 1.0
"""What only counts is not written oftener than that: as a run starts, its workers need the API server more."""
READY = "Ready"  # condition: the specification can be used
POOL = "InitialCapacityReady"  # condition: the pre-initialized workers that are wanted are there
_COMPLETE, _WARMING, _NOT_STARTED = _WELL = "Complete", "WarmingUp", "NotStarted"  # its reasons when all goes well


def show(
    shard: Shard,
    application: ApplicationView,
    state: ApplicationState,
    details: str,
    decision: Decision,
    stock: tuple[Stock, ...],
) -> list[Action]:
    """Write the application's status, if it changed, and announce what people watch for."""
    old = application.status
    status = _status(shard, application, state, details, decision, stock)
    only_counts = state is old.state and _answers(status) == _answers(old)
    if status == old or (only_counts and just_written(application, shard.now)):
        return []
    actions: list[Action] = [SetApplicationStatus(application.key, status.to_manifest())]
    if state is not old.state:
        message = details or f"the application is {state}"
        actions.append(Announce("EMRApplication", application.key, "Normal", state.title(), message))
    return actions + _announce_slip(application, status) + _announce_pool(application, status)


def _announce_slip(application: ApplicationView, status: EMRApplicationStatus) -> list[Action]:
    """An Event when the specification cannot be used, and each time for another reason."""
    old, new = condition_of(application.status.conditions, READY), condition_of(status.conditions, READY)
    if new is None or new.status == "True" or (old is not None and old.message == new.message):
        return []
    return [Announce("EMRApplication", application.key, "Warning", new.reason, new.message)]


def _answers(status: EMRApplicationStatus) -> dict[str, ConditionStatus]:
    """What people and programs wait for."""
    return {condition.type: condition.status for condition in status.conditions}


def just_written(application: ApplicationView, now: float) -> bool:
    """Whether the status is so fresh that what only counts can wait."""
    return written_within(QUIET_SECONDS, application, now)


def _announce_pool(application: ApplicationView, status: EMRApplicationStatus) -> list[Action]:
    """An Event when the pool cannot be kept, or can again."""
    old, new = condition_of(application.status.conditions, POOL), condition_of(status.conditions, POOL)
    if new is None or (old is not None and old.reason == new.reason):
        return []
    if new.reason in _WELL and (old is None or old.reason in _WELL):
        return []
    kind = "Warning" if new.reason in ("WarmUpFailing", "WorkerNotStarting") else "Normal"
    message = new.message or "the pre-initialized capacity can be kept again"
    return [Announce("EMRApplication", application.key, kind, new.reason, message)]


def _status(
    shard: Shard,
    application: ApplicationView,
    state: ApplicationState,
    details: str,
    decision: Decision,
    stock: tuple[Stock, ...],
) -> EMRApplicationStatus:
    old, now = application.status, datetime.fromtimestamp(shard.now, UTC)
    spec = application.spec
    release = shard.settings.release(spec.release_label) if spec is not None and not application.invalid else None
    admitted = len(decision.admitted)
    active = sum(1 for run in shard.runs if run.live and run.driver is not None) + admitted
    idle = state in pool.KEEPS_POOL and not any(run.live for run in shard.runs)
    status = old.updated(
        state=state,
        state_details=details,
        application_id=ids.external_id(application.uid),
        observed_generation=application.generation,
        spark_version=release.spark_version if release is not None else "",
        image=release.image if release is not None else "",
        capacity=CapacityUsage(used=shard.used, maximum=maximum_of(spec)) if spec is not None else None,
        ready_workers=sum(one.status.idle for one in stock)
        + sum(1 for r in shard.runs for w in r.workers if w.started and not w.ended),
        initial_capacity={one.shape.kind: one.status for one in stock} or None,
        runs=RunCounts(active=active, queued=len(decision.held_back)),
        started_at=now if state is ApplicationState.STARTED and old.state is not state else old.started_at,
        idle_since=(old.idle_since or now) if idle else None,
        conditions=_conditions(shard, application, state, stock, decision),
    )
    same = status.updated(updated_at=old.updated_at) == old
    return old if same else status.updated(updated_at=now)


def _conditions(
    shard: Shard, application: ApplicationView, state: ApplicationState, stock: tuple[Stock, ...], decision: Decision
) -> list[Condition]:
    now, valid = datetime.fromtimestamp(shard.now, UTC), not application.invalid
    found = set_condition(
        application.status.conditions,
        READY,
        "True" if valid else "False",
        "Ready" if valid else "InvalidSpec",
        application.invalid,
        now,
        observed_generation=application.generation,
    )
    if not valid or (not stock and condition_of(found, POOL) is None):
        return found
    status, reason, message = _pool_condition(shard, state, stock, decision)
    return set_condition(found, POOL, status, reason, message, now, observed_generation=application.generation)


def _pool_condition(
    shard: Shard, state: ApplicationState, stock: tuple[Stock, ...], decision: Decision
) -> tuple[ConditionStatus, str, str]:
    """Status, reason and message of the condition on the pool."""
    if state not in pool.KEEPS_POOL:
        return "False", _NOT_STARTED, "it is kept while the application is started"
    if pool.is_complete(stock):
        return "True", _COMPLETE, ""
    reason, sentence = pool.trouble(shard, stock, decision)
    return "False", reason or _WARMING, sentence
