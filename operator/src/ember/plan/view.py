"""Everything that is known of one application and its runs at one moment: what a plan is made from."""

from dataclasses import dataclass, field

from ember.model import labels
from ember.model.application import EMRApplicationSpec, EMRApplicationStatus
from ember.model.capacity import Capacity
from ember.model.jobrun import JobRunSpec, JobRunStatus
from ember.model.settings import Settings
from ember.model.states import JobRunState, is_terminal
from ember.plan.facts import ExecutorRequest
from ember.plan.pods import Object, PodBuilder
from ember.plan.spark import RunPlan
from ember.plan.warm import Shape
from ember.plan.warmups import WarmUps
from ember.plan.workers import Worker

Key = tuple[str, str]
# A run that loses so many pre-initialized drivers before its job begins is likely the reason itself.
MOST_UNUSED = 3


@dataclass(frozen=True)
class Problem:
    """Why something that Ember tried for a run did not work. In memory only: it is tried again after a restart."""

    reason: str  # a condition reason, CamelCase
    message: str
    permanent: bool
    since: float
    role: str = labels.DRIVER  # of the worker that it could not get


@dataclass(frozen=True)
class RunView:
    """One job run. `plan` is None, and `invalid` says why, when the specification cannot be carried out."""

    key: Key
    uid: str
    generation: int
    created_at: float
    object: Object
    spec: JobRunSpec | None
    status: JobRunStatus
    plan: RunPlan | None = None
    invalid: str = ""
    deleting: bool = False
    driver: Worker | None = None
    driver_object: Object | None = None
    executors: tuple[Worker, ...] = ()
    unused: tuple[Worker, ...] = ()  # claimed drivers that ended before the job began: they spent no attempt
    surplus: tuple[Worker, ...] = ()  # further drivers that it must not have
    waiting: tuple[ExecutorRequest, ...] = ()
    problem: Problem | None = None

    @property
    def state(self) -> JobRunState | None:
        """The state in its status; None for a run that was never looked at."""
        return self.status.state

    @property
    def live(self) -> bool:
        """Neither ended nor being deleted."""
        return not self.deleting and (self.state is None or not is_terminal(self.state))

    @property
    def driver_cold(self) -> str:
        """Why its driver cannot be a pre-initialized worker; empty when it can."""
        if len(self.unused) >= MOST_UNUSED:
            return f"{MOST_UNUSED} pre-initialized drivers ended before its job began"
        return self.plan.driver_cold if self.plan is not None else ""

    @property
    def workers(self) -> tuple[Worker, ...]:
        """The driver, if there is one, the executors, and those that are not (or must not be) used."""
        rest = (*self.executors, *self.unused, *self.surplus)
        return (self.driver, *rest) if self.driver is not None else rest


@dataclass(frozen=True)
class ApplicationView:
    """The application itself. `invalid` says why it cannot be used."""

    key: Key
    uid: str
    generation: int
    object: Object
    spec: EMRApplicationSpec | None
    status: EMRApplicationStatus
    shapes: tuple[Shape, ...] = ()  # what it wants to have ready
    invalid: str = ""
    deleting: bool = False


@dataclass(frozen=True)
class Shard:
    """An application with its runs: the unit in which decisions are made, one after the other.

    `application` is None when runs name one that does not exist. `strays` are pods whose run is gone.
    """

    now: float
    settings: Settings
    pods: PodBuilder
    application: ApplicationView | None
    runs: tuple[RunView, ...]
    strays: tuple[Worker, ...] = ()
    pool: tuple[Worker, ...] = ()  # pre-initialized workers that no run has claimed
    warm_ups: WarmUps = field(default_factory=WarmUps)
    since: float = 0.0  # when this operator began to look

    @property
    def used(self) -> Capacity:
        """What the application's workers hold of its maximum, those that are being created included."""
        total = Capacity.zero()
        for run in self.runs:
            held = [w.capacity for w in run.workers if w.holds_capacity]
            for capacity in held:
                total += capacity
        for worker in (*self.strays, *self.pool):
            if worker.holds_capacity:
                total += worker.capacity
        return total

    def image(self) -> str:
        """The image of the application's release. Raises ValueError when the catalogue does not have it."""
        assert self.application is not None
        assert self.application.spec is not None
        return self.settings.release(self.application.spec.release_label).image


def is_driver(worker: Worker) -> bool:
    """Whether a worker is a driver."""
    return worker.role == labels.DRIVER


def written_within(seconds: float, view: ApplicationView | RunView, now: float) -> bool:
    """Whether an object's status was last written less than so many seconds ago."""
    written = view.status.updated_at
    return written is not None and 0 <= now - written.timestamp() < seconds
