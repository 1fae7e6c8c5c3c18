"""How warm-ups went lately: how long one takes, and whether they fail.

In memory only: after a restart the estimate and the back-off begin anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ember.plan.workers import Worker

# Seconds. Image pulls and a cluster that grows are in it, and a busy node, where idle workers get what others leave.
TIMEOUT = 900.0
FIRST_BACK_OFF, LONGEST_BACK_OFF = 5.0, 300.0
_USUAL = 20.0  # seconds a warm-up takes, until this application's own have shown it
_NEWEST_COUNTS = 0.5  # how much of the estimate the latest warm-up is


@dataclass(frozen=True)
class Failures:
    """Warm-ups of one template that failed in a row."""

    count: int
    last_at: float
    why: str  # the last one

    def paused(self, now: float) -> bool:
        """Whether the last one failed so recently that the next has to wait."""
        return now < self.last_at + back_off(self.count)


@dataclass(frozen=True)
class WarmUps:
    """What a plan may know of an application's warm-ups."""

    failed: int = 0  # ever
    failure: str = ""  # why the last one failed, whatever has gone well since
    failures: Mapping[str, Failures] = field(default_factory=lambda: MappingProxyType({}))  # in a row, by template
    seconds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # by role

    def usual(self, role: str) -> float:
        """Seconds that a warm-up takes, from the creation of its pod."""
        return self.seconds.get(role, _USUAL)

    def paused(self, template: str, now: float) -> bool:
        """Whether warm-ups of this template failed so recently that the next has to wait."""
        return template in self.failures and self.failures[template].paused(now)


class WarmUpHistory:
    """Takes in what became of an application's warm-ups, each pod once."""

    def __init__(self) -> None:
        self.known = WarmUps()
        self._counted: set[str] = set()

    def look(self, workers: Sequence[Worker], now: float) -> WarmUps:
        """Look at the pool's workers and return what is known now."""
        for worker in workers:
            if not worker.uid or worker.uid in self._counted:
                continue
            if worker.ready and not worker.ended:
                self.known = self._succeeded(worker)
            elif not worker.ready and (worker.ended or overdue(worker, now)):
                why = worker.end_reason or worker.stuck or f"not ready after {TIMEOUT:.0f} s"
                self.known = self._failed(worker.pool, why, now)
            else:
                continue
            self._counted.add(worker.uid)
        self._counted &= {worker.uid for worker in workers}
        return self.known

    def refused(self, template: str, why: str, now: float) -> None:
        """Take in that pods could not even be created. Those that were tried together count once."""
        if not self.known.paused(template, now):
            self.known = self._failed(template, why, now)

    def _succeeded(self, worker: Worker) -> WarmUps:
        known, seconds = self.known, dict(self.known.seconds)
        if worker.ready_at is not None and worker.ready_at > worker.created_at:
            took = worker.ready_at - worker.created_at
            old = seconds.get(worker.role, took)
            seconds[worker.role] = old + _NEWEST_COUNTS * (took - old)
        failures = {template: held for template, held in known.failures.items() if template != worker.pool}
        return replace(known, failures=failures, seconds=seconds)

    def _failed(self, template: str, why: str, now: float) -> WarmUps:
        known = self.known
        before = known.failures[template].count if template in known.failures else 0
        failures = {**known.failures, template: Failures(before + 1, now, why)}
        return replace(known, failed=known.failed + 1, failure=why, failures=failures)


def overdue(worker: Worker, now: float) -> bool:
    """Whether a warm-up has taken so long that it will not end well."""
    return not (worker.ready or worker.lost) and now - worker.created_at > TIMEOUT


def back_off(failures: int) -> float:
    """Seconds to wait after so many failed warm-ups in a row."""
    return 0.0 if failures == 0 else min(FIRST_BACK_OFF * 2.0 ** (failures - 1), LONGEST_BACK_OFF)
