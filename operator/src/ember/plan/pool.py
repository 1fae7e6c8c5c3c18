"""Keeping the pre-initialized capacity: what to create, what to let go, and how far the pool is.

A pool is refilled as soon as a worker is claimed, lost or outdated; after failed warm-ups only later and later.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ember.model import labels
from ember.model.application import InitialCapacityStatus
from ember.model.capacity import Capacity, CapacityLimit
from ember.model.states import ApplicationState
from ember.plan import ids
from ember.plan.actions import Action, CreateWarm, DeleteWorker
from ember.plan.quota import Decision
from ember.plan.spark import maximum_of
from ember.plan.view import Shard
from ember.plan.warm import Shape
from ember.plan.warmups import overdue
from ember.plan.workers import Worker

RESERVED = f"{labels.GROUP}/warm-capacity"  # annotation on the application; "reserved": idle workers keep their CPU
# Seconds after a claim in which nothing is refilled: a run's start needs the cores that a new JVM would take.
SETTLE_SECONDS = 2.0
KEEPS_POOL = (ApplicationState.STARTING, ApplicationState.STARTED)


@dataclass(frozen=True)
class Stock:
    """The idle workers that one entry of `initialCapacity` asks for, and those that there are of it."""

    shape: Shape
    template: str  # of the pods; a pod of another template was made from something else, and is outdated
    workers: tuple[Worker, ...]  # those that stay, warm or on the way

    @property
    def ready(self) -> int:
        """How many are warm."""
        return sum(1 for worker in self.workers if worker.ready)

    @property
    def status(self) -> InitialCapacityStatus:
        """The counts, for the application's status."""
        return InitialCapacityStatus(
            wanted=self.shape.count, warming=len(self.workers) - self.ready, idle=min(self.ready, self.shape.count)
        )


def is_reserved(shard: Shard) -> bool:
    """Whether idle workers keep their whole CPU request."""
    assert shard.application is not None
    notes = shard.application.object["metadata"].get("annotations", {})
    return bool(notes.get(RESERVED) == "reserved")


def stocks(shard: Shard) -> tuple[Stock, ...]:
    """What is wanted and what there is; nothing without a usable application."""
    application = shard.application
    if application is None or application.spec is None or application.invalid:
        return ()
    image, reserved = shard.image(), is_reserved(shard)
    alive = [w for w in shard.pool if w.stays]
    found = []
    for shape in application.shapes:
        template = shard.pods.template(shape, image, reserved=reserved)
        found.append(Stock(shape, template, tuple(w for w in alive if w.pool == template)))
    return tuple(found)


def is_complete(stock: Sequence[Stock]) -> bool:
    """Whether everything that is wanted is warm."""
    return all(one.ready >= one.shape.count for one in stock)


def seconds_left(shard: Shard, stock: Sequence[Stock]) -> float | None:
    """How long it takes until the pool is complete, as far as earlier warm-ups tell; None when that has passed."""
    left = [0.0]
    for one in stock:
        if one.ready >= one.shape.count:
            continue
        ages = [shard.now - worker.created_at for worker in one.workers if not worker.ready]
        # Those that do not even exist yet take the whole time.
        youngest = 0.0 if len(one.workers) < one.shape.count or not ages else min(ages)
        left.append(shard.warm_ups.usual(one.shape.role) - youngest)
    longest = max(left)
    return longest if len(left) == 1 or longest > 0 else None


def trouble(shard: Shard, stock: Sequence[Stock], decision: Decision) -> tuple[str, str]:
    """Why the pool is not whole and will not be soon: a condition's reason and a sentence; empty when all goes well."""
    if is_complete(stock):
        return "", ""
    failing = [shard.warm_ups.failures[one.template] for one in stock if one.template in shard.warm_ups.failures]
    if failing:
        worst = max(failing, key=lambda failures: failures.count)
        return "WarmUpFailing", f"{worst.count} warm-ups failed in a row, the last one: {worst.why}"
    stuck = next((worker.stuck for worker in shard.pool if worker.stuck), "")
    if stuck:
        return "WorkerNotStarting", stuck
    lacking = [one for one in stock if len(one.workers) < one.shape.count]
    if lacking and decision.blocked:
        return "RunsFirst", "runs that wait for capacity come before pre-initialized workers"
    if any(not (decision.used + one.shape.capacity).fits_within(_maximum(shard)) for one in lacking):
        return "MaximumCapacity", "running workers leave no room for it within maximumCapacity"
    return "", ""


def settling(shard: Shard) -> float:
    """For how many more seconds a run starts that has just claimed a worker; a run that is over needs no cores."""
    claims = (w.claimed_at for run in shard.runs if run.live for w in run.workers if w.claimed_at is not None)
    ages = [shard.now - claimed for claimed in claims if claimed <= shard.now]
    return max(0.0, SETTLE_SECONDS - min(ages, default=SETTLE_SECONDS))


def keep(shard: Shard, state: ApplicationState, decision: Decision) -> list[Action]:
    """Create, release and replace idle workers so that the pool becomes what the application wants."""
    gone = {worker.name for worker in decision.released}
    gone |= {worker.name for worker in shard.pool if worker.ended or overdue(worker, shard.now)}
    chosen = [a.worker for a in decision.admitted] + [g.worker for g in decision.granted]
    taken = {worker.name for worker in chosen if worker is not None} | gone
    if state not in KEEPS_POOL:
        gone |= {worker.name for worker in shard.pool if worker.lost}
    actions: list[Action] = [_delete(w) for w in shard.pool if (w.name in gone and not w.deleting) or w.abandoned]
    if state in KEEPS_POOL and (shard.application is None or shard.application.invalid):
        return actions  # a slip in the specification costs no worker: once it is mended they may serve again
    free = [w for w in shard.pool if w.stays and w.name not in taken]
    above = _above_maximum(shard, free, gone)
    actions += [_delete(worker) for worker in above]
    free = [worker for worker in free if worker not in above]
    wanted = stocks(shard) if state in KEEPS_POOL else ()
    room = _Room(shard, decision, waits=len(taken) > len(gone) or settling(shard) > 0)
    for role in (labels.DRIVER, labels.EXECUTOR_ROLE):
        own = [one for one in wanted if one.shape.role == role]
        actions += _keep_role(own, [w for w in free if w.role == role], room)
    return actions


def _above_maximum(shard: Shard, free: Sequence[Worker], gone: set[str]) -> list[Worker]:
    """Idle workers to let go as the maximum was lowered: what runs hold cannot be taken from them."""
    used, above = shard.used, list[Worker]()
    for worker in shard.pool:
        used -= worker.capacity if worker.name in gone and worker.holds_capacity else Capacity.zero()
    for worker in sorted(free, key=lambda w: (w.ready, -w.created_at, w.name)):
        if used.fits_within(_maximum(shard)):
            break
        used -= worker.capacity
        above.append(worker)
    return above


def _keep_role(wanted: Sequence[Stock], free: Sequence[Worker], room: "_Room") -> list[Action]:
    """Outdated workers are never claimed; they go one by one as their successors get ready, or to make room for one."""
    actions: list[Action] = []
    known = {one.template for one in wanted}
    outdated = sorted((w for w in free if w.pool not in known), key=lambda w: (w.created_at, w.name))
    missing: list[tuple[Stock, int]] = []
    places = warming = 0
    for one in wanted:
        own = [w for w in free if w.pool == one.template]
        actions += _shrink(own, one.shape.count)
        missing.append((one, one.shape.count - len(own)))
        ready = sum(1 for w in own if w.ready)
        places += max(0, one.shape.count - ready)
        warming += len(own) - ready
    spare = max(0, len(outdated) - places)
    actions += [_delete(worker) for worker in outdated[:spare]]
    # One successor at a time: the old ones serve nobody, but they may be many, and warming costs.
    most = 1 - warming if outdated else sum(max(0, lacks) for _, lacks in missing)
    made: list[Action] = []
    for one, lacks in missing:
        made += room.create(one, min(lacks, most - len(made)))
    if outdated[spare:] and not made and most > 0 and not room.waits:
        actions.append(_delete(outdated[spare]))
    return actions + made


def _shrink(own: list[Worker], count: int) -> list[Action]:
    """Let go of what is too many, those that are still warming up first."""
    spare = sorted(own, key=lambda w: (w.ready, -w.created_at, w.name))[: max(0, len(own) - count)]
    return [_delete(worker) for worker in spare]


class _Room:
    """What of the maximum a refill may use: runs that wait come first, and so do those that start."""

    def __init__(self, shard: Shard, decision: Decision, *, waits: bool) -> None:
        self.shard = shard
        self.waits = waits or decision.blocked or bool(decision.released)
        self.maximum = _maximum(shard)
        self.used = decision.used
        self.made = 0

    def create(self, stock: Stock, missing: int) -> list[Action]:
        """As many of the missing workers as there is room for, unless their warm-ups have just failed."""
        actions: list[Action] = []
        shard = self.shard
        for _ in range(0 if self.waits or shard.warm_ups.paused(stock.template, shard.now) else missing):
            after: Capacity = self.used + stock.shape.capacity
            if not after.fits_within(self.maximum):
                break
            self.used = after
            actions.append(CreateWarm(self._pod(stock)))
        return actions

    def _pod(self, stock: Stock) -> dict[str, object]:
        shard, application = self.shard, self.shard.application
        assert application is not None
        self.made += 1
        name = ids.warm_pod_name(application.key[1], application.uid, stock.shape.role, shard.now, self.made)
        return shard.pods.warm(application.object, stock.shape, shard.image(), name, reserved=is_reserved(shard))


def _maximum(shard: Shard) -> CapacityLimit:
    spec = shard.application.spec if shard.application is not None else None
    return maximum_of(spec) if spec is not None else CapacityLimit()


def _delete(worker: Worker) -> Action:
    """An idle worker has run nothing: it has no logs that anybody asked for, and nothing to end well."""
    return DeleteWorker((worker.namespace, worker.name), worker.uid)
