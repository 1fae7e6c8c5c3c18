"""Keeping the pre-initialized capacity: what to create, what to let go, and how far the pool is.

A pool is refilled as soon as a worker is claimed, lost or outdated; after failed warm-ups only later and later.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ember.model import labels
from ember.model.capacity import Capacity, CapacityLimit
from ember.model.states import ApplicationState
from ember.plan import ids
from ember.plan.actions import Action, CreateWarm, DeleteWorker
from ember.plan.quota import Decision
from ember.plan.spark import maximum_of
from ember.plan.view import Shard
from ember.plan.warm import Shape, shapes
from ember.plan.workers import Worker

RESERVED = f"{labels.GROUP}/warm-capacity"  # annotation on the application; "reserved": idle workers keep their CPU
WARM_UP_SECONDS = 30.0  # how long a warm-up takes, until this application's own have shown it
WARM_UP_TIMEOUT = 300.0  # image pulls and a cluster that grows included
FIRST_BACK_OFF, LONGEST_BACK_OFF = 5.0, 300.0
_KEEPS_POOL = (ApplicationState.STARTING, ApplicationState.STARTED)


class WarmUps:
    """Counts warm-ups that failed, in a row: each pod once. In memory: after a restart the back-off begins anew."""

    def __init__(self) -> None:
        self.failures, self.failed_at = 0, 0.0
        self._counted: set[str] = set()

    def look(self, workers: Sequence[Worker], now: float) -> None:
        """Take in what became of the pool's workers."""
        for worker in workers:
            if worker.uid in self._counted or not worker.uid:
                continue
            if worker.ready and not worker.ended:
                self.failures = 0
            elif not worker.ready and (worker.ended or overdue(worker, now)):
                self.failures, self.failed_at = self.failures + 1, now
            else:
                continue
            self._counted.add(worker.uid)
        self._counted &= {worker.uid for worker in workers}


def overdue(worker: Worker, now: float) -> bool:
    """Whether a warm-up has taken so long that it will not end well."""
    return not worker.ready and now - worker.created_at > WARM_UP_TIMEOUT


@dataclass(frozen=True)
class PoolState:
    """How far a pool is: `ready` of `wanted`, `warming` on the way."""

    wanted: int
    ready: int
    warming: int
    seconds_left: float

    @property
    def complete(self) -> bool:
        """Everything that is wanted is there."""
        return self.ready >= self.wanted


def wanted_shapes(shard: Shard) -> tuple[Shape, ...]:
    """The shapes of the application's initial capacity; none without a usable application."""
    application = shard.application
    if application is None or application.spec is None or application.invalid:
        return ()
    return shapes(application.spec, shard.image())


def state_of(shard: Shard) -> PoolState:
    """Count the pool against what is wanted."""
    wanted = ready = warming = 0
    oldest_missing = None
    for shape in wanted_shapes(shard):
        own = [w for w in shard.pool if w.pool == shape.template and not (w.ended or w.deleting or w.stop)]
        is_ready = sum(1 for w in own if w.ready)
        wanted += shape.count
        ready += min(is_ready, shape.count)
        warming += len(own) - is_ready
        ages = [shard.now - w.created_at for w in own if not w.ready]
        if is_ready < shape.count:
            youngest = min(ages) if ages else 0.0
            oldest_missing = max(oldest_missing or 0.0, WARM_UP_SECONDS - youngest)
    return PoolState(wanted, ready, warming, max(0.0, oldest_missing or 0.0))


def keep(shard: Shard, state: ApplicationState, decision: Decision) -> list[Action]:
    """Create, release and replace idle workers so that the pool becomes what the application wants."""
    actions: list[Action] = [_delete(worker) for worker in decision.released]
    gone = {worker.name for worker in decision.released}
    chosen = [a.worker for a in decision.admitted] + [g.worker for g in decision.granted]
    claimed = {worker.name for worker in chosen if worker is not None}
    failed = {w.name for w in shard.pool if w.ended or overdue(w, shard.now)}
    actions += [_delete(w) for w in shard.pool if w.name in failed and not w.deleting]
    gone |= failed
    free = [w for w in shard.pool if not (w.deleting or w.stop or w.name in gone or w.name in claimed)]
    wanted = wanted_shapes(shard) if state in _KEEPS_POOL else ()
    known = {shape.template for shape in wanted}
    room = _Room(shard, decision)
    for shape in wanted:
        own = [w for w in free if w.pool == shape.template]
        outdated = [w for w in free if w.role == shape.role and w.pool not in known]
        actions += _shrink(own, shape.count)
        actions += _roll(own, outdated, shape)
        missing = shape.count - len(own)
        if outdated:  # one at a time: the old ones serve nobody, but they may be many, and warming costs
            missing = min(missing, 1 - sum(1 for w in own if not w.ready))
        actions += room.create(shape, missing)
    roles = {shape.role for shape in wanted}
    actions += [_delete(w) for w in free if w.role not in roles]
    return actions


def _shrink(own: list[Worker], count: int) -> list[Action]:
    """Let go of what is too many, those that are still warming up first."""
    spare = sorted(own, key=lambda w: (w.ready, -w.created_at, w.name))[: max(0, len(own) - count)]
    return [_delete(worker) for worker in spare]


def _roll(own: list[Worker], outdated: list[Worker], shape: Shape) -> list[Action]:
    """Outdated workers are never claimed; they go one by one as their successors get ready, or when they are spare."""
    ready = sum(1 for w in own if w.ready)
    keep_old = max(0, shape.count - ready)
    spare = sorted(outdated, key=lambda w: (w.created_at, w.name))[: max(0, len(outdated) - keep_old)]
    return [_delete(worker) for worker in spare]


class _Room:
    """What of the maximum a refill may use: runs that wait come first."""

    def __init__(self, shard: Shard, decision: Decision) -> None:
        self.shard, self.blocked = shard, decision.blocked or bool(decision.released)
        spec = shard.application.spec if shard.application is not None else None
        self.maximum = maximum_of(spec) if spec is not None else CapacityLimit()
        self.used = decision.used
        self.made = 0

    def create(self, shape: Shape, missing: int) -> list[Action]:
        """As many of the missing workers as there is room for, unless warm-ups have just failed."""
        if self.blocked or self.shard.now < self.shard.warm_up_failed_at + back_off(self.shard.warm_up_failures):
            return []
        actions: list[Action] = []
        for _ in range(missing):
            after: Capacity = self.used + shape.capacity
            if not after.fits_within(self.maximum):
                break
            self.used = after
            actions.append(CreateWarm(self._pod(shape)))
        return actions

    def _pod(self, shape: Shape) -> dict[str, object]:
        application = self.shard.application
        assert application is not None
        self.made += 1
        name = ids.warm_pod_name(application.key[1], application.uid, shape.role, self.shard.now, self.made)
        reserved = application.object["metadata"].get("annotations", {}).get(RESERVED) == "reserved"
        return self.shard.pods.warm(application.object, shape, self.shard.image(), name, reserved=reserved)


def back_off(failures: int) -> float:
    """Seconds to wait after so many failed warm-ups in a row."""
    return 0.0 if failures == 0 else min(FIRST_BACK_OFF * 2.0 ** (failures - 1), LONGEST_BACK_OFF)


def _delete(worker: Worker) -> Action:
    """An idle worker has run nothing: it has no logs that anybody asked for, and nothing to end well."""
    return DeleteWorker((worker.namespace, worker.name), worker.uid)
