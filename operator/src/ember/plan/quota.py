"""Who gets capacity: the one place where maximumCapacity is kept.

Every live run is promised one executor beside its driver, because a driver without any executor holds capacity and
gets nowhere: the promise is counted as used, so runs can never block each other with drivers alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ember.model.capacity import Capacity, CapacityLimit
from ember.plan.facts import ExecutorRequest
from ember.plan.spark import describe

Key = tuple[str, str]


@dataclass(frozen=True)
class Claimant:
    """A live run as the quota sees it."""

    key: Key
    driver: Capacity
    executor: Capacity
    created_at: float
    admitted: bool  # it has, or had, a driver
    executors: int = 0  # those that hold capacity
    waiting: tuple[ExecutorRequest, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What was decided in one round. `held_back` says for each run that was not admitted why."""

    admitted: tuple[Key, ...] = ()
    granted: tuple[ExecutorRequest, ...] = ()
    held_back: dict[Key, str] = field(default_factory=dict)


def decide(maximum: CapacityLimit, used: Capacity, runs: Sequence[Claimant], max_concurrent_runs: int) -> Decision:
    """Grant what fits, in this order: the promised first executors, drivers (oldest first), further executors in turn.

    `used` is what all of the application's pods hold. While a run waits for capacity, running ones get no further
    executors: what they release goes to the one that waits (EMR Serverless queues first in, first out).
    """
    round_ = _Round(maximum, used, list(runs), max_concurrent_runs)
    round_.promised_executors()
    blocked = round_.drivers()
    if not blocked:
        round_.further_executors()
    return Decision(tuple(round_.admitted), tuple(round_.granted), round_.held_back)


class _Round:
    """The bookkeeping of one `decide`."""

    def __init__(self, maximum: CapacityLimit, used: Capacity, runs: list[Claimant], limit: int) -> None:
        self.maximum, self.used, self.limit = maximum, used, limit
        self.live = {run.key: run for run in runs if run.admitted}
        self.queue = sorted((run for run in runs if not run.admitted), key=lambda run: (run.created_at, run.key))
        self.admitted: list[Key] = []
        self.granted: list[ExecutorRequest] = []
        self.held_back: dict[Key, str] = {}

    def promised_executors(self) -> None:
        for run in list(self.live.values()):
            if run.executors == 0 and run.waiting and self._fits(run.executor, beside=run.key):
                self._grant(run)

    def drivers(self) -> bool:
        """Admit from the head of the queue; True when its head waits for capacity."""
        for position, run in enumerate(self.queue):
            if len(self.live) >= self.limit:
                self._hold(position, f"maxConcurrentRuns: {self.limit} runs are active")
                return False
            if not self._fits(run.driver + run.executor):
                self._hold(position, f"maximumCapacity: {self._why(run)}")
                return True
            self.used += run.driver
            self.live[run.key] = replace(run, admitted=True)
            self.admitted.append(run.key)
        return False

    def further_executors(self) -> None:
        """One at a time to the run that has the fewest: nobody starves, nothing stays free that somebody can use."""
        while True:
            wanting = [r for r in self.live.values() if r.waiting and self._fits(r.executor, beside=r.key)]
            if not wanting:
                return
            self._grant(min(wanting, key=lambda run: (run.executors, run.created_at, run.key)))

    def _grant(self, run: Claimant) -> None:
        self.granted.append(run.waiting[0])
        self.used += run.executor
        self.live[run.key] = replace(run, executors=run.executors + 1, waiting=run.waiting[1:])

    def _fits(self, size: Capacity, beside: Key | None = None) -> bool:
        """Whether `size` fits beside what is used and what is promised to the live runs other than `beside`."""
        total = self.used + size
        for run in self.live.values():
            if run.executors == 0 and run.key != beside:
                total += run.executor
        return total.fits_within(self.maximum)

    def _hold(self, position: int, reason: str) -> None:
        for place, run in enumerate(self.queue[position:], start=1):
            self.held_back[run.key] = f"{reason}; place {place} in the queue"

    def _why(self, run: Claimant) -> str:
        need, free = describe(run.driver + run.executor), describe(self.maximum)
        return f"driver and one executor need {need}; {describe(self.used)} of {free} are in use"
