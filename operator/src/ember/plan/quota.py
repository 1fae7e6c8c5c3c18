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
_NEAR = 10  # so many at the head of the queue are told their place


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


@dataclass(frozen=True)
class Nearly:
    """A pre-initialized worker that is so nearly warm that a cold start would take longer."""

    worker: Worker
    seconds: float  # until it is ready, as far as earlier ones tell


@dataclass(frozen=True)
class Idlers:
    """The application's pre-initialized workers that serve no run."""

    ready: Sequence[Worker] = ()  # may be claimed
    nearly: Sequence[Nearly] = ()
    others: Sequence[Worker] = ()  # outdated, stuck, or far from ready: who waits for capacity may have theirs


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
    idlers: Idlers = Idlers(),
    going: Capacity = _NOTHING,
) -> Decision:
    """Grant what fits, in this order: the promised first executors, drivers (oldest first), further executors in turn.

    `used` is what all of the application's pods hold, `going` what workers hold that will soon be gone. While a run
    waits for capacity, running ones get no further executors: what they release goes to the one that waits (EMR
    Serverless queues first in, first out). A run that waits for a pre-initialized driver keeps nobody waiting.
    """
    round_ = _Round(maximum, used, list(runs), max_concurrent_runs, idlers)
    round_.promised_executors()
    head = round_.drivers()
    if head is None:
        round_.further_executors()
    return Decision(
        tuple(round_.admitted),
        tuple(round_.granted),
        round_.held_back,
        round_.make_room(head, going) if head is not None else (),
        head is not None,
        round_.used + round_.promised(),
    )


class _Round:
    """The bookkeeping of one `decide`."""

    def __init__(
        self, maximum: CapacityLimit, used: Capacity, runs: list[Claimant], limit: int, idlers: Idlers
    ) -> None:
        self.maximum, self.used, self.limit = maximum, used, limit
        self.live = {run.key: run for run in runs if run.admitted}
        self.queue = sorted((run for run in runs if not run.admitted), key=lambda run: (run.created_at, run.key))
        roles = (labels.DRIVER, labels.EXECUTOR_ROLE)
        self.idle = {role: [w for w in idlers.ready if w.role == role] for role in roles}
        self.idlers = idlers
        self.expected = {one.worker.name: one for one in idlers.nearly if one.worker.role == labels.DRIVER}
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
                self._hold(position, "maxConcurrentRuns", f"{self.limit} runs are active")
                return None
            if not self._admit(run) and not self._await(run):
                self._hold(position, "maximumCapacity", self._why(run))
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

    def make_room(self, head: Claimant, going: Capacity) -> tuple[Worker, ...]:
        """Workers that serve nobody to let go, so that the head of the queue can start; none if it cannot even then.

        Those that cannot serve soon go first, then those that do not suit the head, the largest before the others.
        """
        needs = {labels.DRIVER: head.driver, labels.EXECUTOR_ROLE: head.executor}
        useless = [one.worker for one in self.idlers.nearly if not needs[one.worker.role].met_by(one.worker)]
        idle = [worker for workers in self.idle.values() for worker in workers]
        idle.sort(key=lambda worker: (needs[worker.role].met_by(worker), -worker.capacity.memory_mib))
        free, chosen, before = self.used - going, list[Worker](), dict(self.idle)
        for worker in (*self.idlers.others, *useless, *idle):
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

    def _await(self, run: Claimant) -> bool:
        """Let it wait for a pre-initialized driver, one that nobody else waits for, if that takes less than to start.

        The driver holds its capacity already; what is promised beside it is kept free as for one that runs.
        """
        drivers = [one.worker for one in self.expected.values()]
        worker = best_fit(run.driver, drivers)
        promised = self.promised(also=run)
        if worker is None or not (promised == _NOTHING or (self.used + promised).fits_within(self.maximum)):
            return False
        soon = self.expected.pop(worker.name)
        self.live[run.key] = run
        self.held_back[run.key] = f"a pre-initialized driver is ready in about {max(1.0, soon.seconds):.0f} s"
        return True

    def _admit(self, run: Claimant) -> bool:
        worker = best_fit(run.driver, self.idle[labels.DRIVER])
        waits = worker is None and best_fit(run.driver, [one.worker for one in self.expected.values()]) is not None
        if waits or not self._fits(self.used, run):
            return False
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
        idle = self.idle[labels.EXECUTOR_ROLE]
        if not idle:
            return None
        before = self.promised(beside=run)
        for worker in by_fit(run.executor, idle, run.zone):
            self._take(worker)
            after = self.promised(beside=run)
            if after == before or (self.used + after).fits_within(self.maximum):
                return worker
            self.idle[labels.EXECUTOR_ROLE] = idle
        return None

    def _hold(self, position: int, reason: str, details: str) -> None:
        """Say what they wait for; to those far behind only what seldom changes, for each change is a write for each."""
        for place, run in enumerate(self.queue[position:], start=1):
            if place <= _NEAR:
                self.held_back[run.key] = f"{reason}: {details}; place {place} in the queue"
            else:
                before = 10 ** (len(str(place - 1)) - 1)
                self.held_back[run.key] = f"{reason}; {before} or more runs are before it in the queue"

    def _why(self, run: Claimant) -> str:
        need, most = describe(run.driver.capacity + run.executor.capacity), describe(self.maximum)
        held = describe(self.used + self.promised())
        return f"driver and one executor need {need}; {held} of {most} are in use or promised"
