"""What a plan may ask for. Data only; `ember.handlers.carry_out` does it."""

from dataclasses import dataclass
from typing import Any

from ember.plan.facts import ExecutorRequest
from ember.plan.workers import Worker

Key = tuple[str, str]


@dataclass(frozen=True)
class SetApplicationStatus:
    """Write the whole status of the application."""

    key: Key
    status: dict[str, Any]


@dataclass(frozen=True)
class SetRunStatus:
    """Write the whole status of a job run."""

    key: Key
    status: dict[str, Any]


@dataclass(frozen=True)
class CreateDriver:
    """Create a run's driver pod, after the marker of its event log directory (None when it writes no event log)."""

    run: Key
    pod: dict[str, Any]
    event_log_uri: str | None


@dataclass(frozen=True)
class CreateExecutor:
    """Create the pod of an executor that waited."""

    request: ExecutorRequest
    pod: dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """Make an idle pre-initialized worker the driver of a run, or (`request`) one of its executors.

    A compare-and-swap: `worker.version` is the resourceVersion that was seen; of two claims one wins. `resources` are
    the container's, by its name, raised in place beside it (None: it holds them already).
    """

    worker: Worker
    identity: dict[str, Any]  # labels and annotations
    owner: dict[str, Any]
    resources: dict[str, Any] | None
    request: ExecutorRequest | None = None
    event_log_uri: str | None = None


@dataclass(frozen=True)
class ResizeWorker:
    """Give a claimed worker's container its resources, in place."""

    key: Key
    uid: str
    resources: dict[str, Any]


@dataclass(frozen=True)
class CreateWarm:
    """Create a pre-initialized worker."""

    pod: dict[str, Any]


@dataclass(frozen=True)
class DropRequest:
    """Forget an executor that waits: its run is over."""

    request: ExecutorRequest


@dataclass(frozen=True)
class StopWorker:
    """Tell a worker to end: its launcher stops the JVM, the logs follow, then the pod is deleted."""

    key: Key
    uid: str
    reason: str


@dataclass(frozen=True)
class DeleteWorker:
    """Delete a pod that has nothing left to say."""

    key: Key
    uid: str


@dataclass(frozen=True)
class Announce:
    """A Kubernetes Event on the application or a run."""

    kind: str
    key: Key
    type: str  # Normal | Warning
    reason: str
    message: str


Action = (
    SetApplicationStatus
    | SetRunStatus
    | CreateDriver
    | CreateExecutor
    | Claim
    | ResizeWorker
    | CreateWarm
    | DropRequest
    | StopWorker
    | DeleteWorker
    | Announce
)


@dataclass(frozen=True)
class Plan:
    """Actions, and when to look again although nothing changed (seconds from now; None: never)."""

    actions: tuple[Action, ...] = ()
    look_again_in: float | None = None
