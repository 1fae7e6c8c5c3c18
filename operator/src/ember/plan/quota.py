"""Who gets capacity, and from where: the one place where maximumCapacity is kept.

Pre-initialized workers count as used from their creation, so claiming one costs nothing more. Every live run is
promised one executor beside its driver, because a driver without any executor holds capacity and gets nowhere: the
promise is counted as used, so runs can never block each other with drivers alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ember.model import labels
from ember.model.capacity import Capacity, CapacityLimit
from ember.plan.facts import ExecutorRequest
from ember.plan.spark import describe
from ember.plan.warm import Need, best_fit, by_fit
from ember.plan.workers import Worker

Key = tuple[str, str]
_NOTHING = Capacity.zero()


@dataclass(frozen=True)
class Claimant:
    """A live run as the quota sees it."""

    key: Key
    driver: Need
    executor: Need
    created_at: float
    admitted: bool  # it has, or had, a driver
    executors: int = 0  # those that have not ended
    waiting: tuple[ExecutorRequest, ...] = ()
    zone: str = ""  # of its driver
    patience: str = ""  # why it waits rather for a pre-initialized driver than to start cold; empty: it does not wait


@dataclass(frozen=True)
class Admission:
    """A run that may start: on this pre-initialized worker, or (None) on a pod of its own."""

    key: Key
    worker: Worker | None


@dataclass(frozen=True)
class Grant:
    """An executor that may start: on this pre-initialized worker, or (None) on a pod of its own."""

    request: ExecutorRequest
    worker: Worker | None


@dataclass(frozen=True)
class Decision:
    """What was decided in one round.

    `held_back` says for each run that was not admitted why; `released` are workers of the pool that make room for
    the head of the queue; `used` is what is then used or promised: a refill of the pool may have the rest.
    """

    admitted: tuple[Admission, ...] = ()
    granted: tuple[Grant, ...] = ()
    held_back: dict[Key, str] = field(default_factory=dict)
    released: tuple[Worker, ...] = ()
    blocked: bool = False
    used: Capacity = field(default_factory=Capacity.zero)


def decide(
    maximum: CapacityLimit,
    used: Capacity,
    runs: Sequence[Claimant],
    max_concurrent_runs: int,
    idle: Sequence[Worker] = (),
    unusable: Sequence[Worker] = (),
    going: Capacity = _NOTHING,
) -> Decision:
    """Grant what fits, in this order: the promised first executors, drivers (oldest first), further executors in turn.

    `used` is what all of the application's pods hold, `idle` its claimable pre-initialized workers, `unusable` those
    that are outdated or cannot start, `going` what workers hold that will soon be gone. While a run waits for
    capacity, running ones get no further executors: what they release goes to the one that waits (EMR Serverless
    queues first in, first out).
    """
    round_ = _Round(maximum, used, list(runs), max_concurrent_runs, list(idle))
    round_.promised_executors()
    head = round_.drivers()
    if head is None:
        round_.further_executors()
    return Decision(
        tuple(round_.admitted),
        tuple(round_.granted),
        round_.held_back,
        round_.make_room(head, unusable, going) if head is not None else (),
        head is not None,
        round_.used + round_.promised(),
    )


class _Round:
    """The bookkeeping of one `decide`."""

    def __init__(
        self, maximum: CapacityLimit, used: Capacity, runs: list[Claimant], limit: int, idle: list[Worker]
    ) -> None:
        self.maximum, self.used, self.limit = maximum, used, limit
        self.live = {run.key: run for run in runs if run.admitted}
        self.queue = sorted((run for run in runs if not run.admitted), key=lambda run: (run.created_at, run.key))
        self.idle = {role: [w for w in idle if w.role == role] for role in (labels.DRIVER, labels.EXECUTOR_ROLE)}
        self.admitted: list[Admission] = []
        self.granted: list[Grant] = []
        self.held_back: dict[Key, str] = {}

    def promised_executors(self) -> None:
        for run in list(self.live.values()):
            if run.executors == 0 and run.waiting:
                self._grant(run)

    def drivers(self) -> Claimant | None:
        """Admit from the head of the queue; returns its head when that waits for capacity."""
        for position, run in enumerate(self.queue):
            if len(self.live) >= self.limit:
                self._hold(position, f"maxConcurrentRuns: {self.limit} runs are active")
                return None
            if run.patience and best_fit(run.driver, self.idle[labels.DRIVER]) is None:
                self._hold(position, run.patience)
                return None
            if not self._admit(run):
                self._hold(position, f"maximumCapacity: {self._why(run)}")
                return run
        return None

    def further_executors(self) -> None:
        """One at a time to the run that has the fewest: nobody starves, nothing stays free that somebody can use."""
        wanting = [run.key for run in self.live.values() if run.waiting]
        while wanting:
            runs = [self.live[key] for key in wanting]
            run = min(runs, key=lambda run: (run.executors, run.created_at, run.key))
            if not self._grant(run) or not self.live[run.key].waiting:
                wanting.remove(run.key)

    def promised(self, *, beside: Claimant | None = None, also: Claimant | None = None) -> Capacity:
        """What is kept for live runs without an executor, apart from what idle workers will serve."""
        stock, total = list(self.idle[labels.EXECUTOR_ROLE]), Capacity.zero()
        for run in (*self.live.values(), *([also] if also is not None else [])):
            if run.executors or (beside is not None and run.key == beside.key):
                continue
            worker = best_fit(run.executor, stock, run.zone)
            if worker is not None:
                stock.remove(worker)
            else:
                total += run.executor.capacity
        return total

    def make_room(self, head: Claimant, unusable: Sequence[Worker], going: Capacity) -> tuple[Worker, ...]:
        """Workers that serve nobody to let go, so that the head of the queue can start; none if it cannot even then.

        The unusable go first, then those that do not suit the head, the largest before the others.
        """
        needs = {labels.DRIVER: head.driver, labels.EXECUTOR_ROLE: head.executor}
        idle = [worker for workers in self.idle.values() for worker in workers]
        idle.sort(key=lambda worker: (needs[worker.role].met_by(worker), -worker.capacity.memory_mib))
        free, chosen, before = self.used - going, list[Worker](), dict(self.idle)
        for worker in (*unusable, *idle):
            if self._fits(free, head):
                break
            free -= worker.capacity
            chosen.append(worker)
            self._take(worker)
        if not self._fits(free, head):
            self.idle = before
            return ()
        for worker in list(chosen):  # one that came early may not be needed after a later one
            free += worker.capacity
            if worker in idle:
                self.idle[worker.role].append(worker)
            if self._fits(free, head):
                chosen.remove(worker)
            else:
                free -= worker.capacity
                self._take(worker)
        return tuple(chosen)

    # ---- inside

    def _take(self, worker: Worker) -> None:
        for role, workers in self.idle.items():
            self.idle[role] = [other for other in workers if other is not worker]

    def _fits(self, used: Capacity, run: Claimant) -> bool:
        """Whether a run may start beside what is used: it needs a driver and what is promised, to itself as well."""
        needed = self.promised(also=run)
        if best_fit(run.driver, self.idle[labels.DRIVER]) is None:
            needed += run.driver.capacity
        return needed == _NOTHING or (used + needed).fits_within(self.maximum)

    def _admit(self, run: Claimant) -> bool:
        if not self._fits(self.used, run):
            return False
        worker = best_fit(run.driver, self.idle[labels.DRIVER])
        if worker is not None:
            self._take(worker)
        else:
            self.used += run.driver.capacity
        self.live[run.key] = replace(run, admitted=True, zone=worker.zone if worker is not None else "")
        self.admitted.append(Admission(run.key, worker))
        return True

    def _grant(self, run: Claimant) -> bool:
        """Give the run the executor it has waited for longest; False when there is no room."""
        worker = self._take_idle(run)
        if worker is None:
            wanted = self.used + run.executor.capacity + self.promised(beside=run)
            if not wanted.fits_within(self.maximum):
                return False
            self.used += run.executor.capacity
        self.granted.append(Grant(run.waiting[0], worker))
        self.live[run.key] = replace(run, executors=run.executors + 1, waiting=run.waiting[1:])
        return True

    def _take_idle(self, run: Claimant) -> Worker | None:
        """The pre-initialized executor for a run: the best that leaves what other runs were promised."""
        idle, before = self.idle[labels.EXECUTOR_ROLE], self.promised(beside=run)
        for worker in by_fit(run.executor, idle, run.zone):
            self._take(worker)
            after = self.promised(beside=run)
            if after == before or (self.used + after).fits_within(self.maximum):
                return worker
            self.idle[labels.EXECUTOR_ROLE] = idle
        return None

    def _hold(self, position: int, reason: str) -> None:
        for place, run in enumerate(self.queue[position:], start=1):
            self.held_back[run.key] = f"{reason}; place {place} in the queue"

    def _why(self, run: Claimant) -> str:
        need, most = describe(run.driver.capacity + run.executor.capacity), describe(self.maximum)
        held = describe(self.used + self.promised())
        return f"driver and one executor need {need}; {held} of {most} are in use or promised"
