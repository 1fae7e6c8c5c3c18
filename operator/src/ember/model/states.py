"""States of applications and job runs, and the one table of transitions of each.

Source: EMR Serverless user guide, "application-states" and "job-states". A run only moves forward; it may skip
states, because the operator records what it sees: a driver may start and end while nobody looked.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar


class ApplicationState(StrEnum):
    """The contract's application states."""

    CREATING = "CREATING"
    CREATED = "CREATED"
    STARTING = "STARTING"
    STARTED = "STARTED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    TERMINATED = "TERMINATED"


class JobRunState(StrEnum):
    """The contract's job run states."""

    SUBMITTED = "SUBMITTED"
    QUEUED = "QUEUED"
    PENDING = "PENDING"
    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"


_A = ApplicationState
_J = JobRunState
State = TypeVar("State", ApplicationState, JobRunState)

APPLICATION_TRANSITIONS: Mapping[ApplicationState, frozenset[ApplicationState]] = {
    _A.CREATING: frozenset({_A.CREATED, _A.TERMINATED}),
    _A.CREATED: frozenset({_A.STARTING, _A.STARTED, _A.TERMINATED}),
    _A.STARTING: frozenset({_A.STARTED, _A.STOPPING, _A.TERMINATED}),
    _A.STARTED: frozenset({_A.STOPPING, _A.TERMINATED}),
    _A.STOPPING: frozenset({_A.STOPPED, _A.TERMINATED}),
    _A.STOPPED: frozenset({_A.STARTING, _A.STARTED, _A.TERMINATED}),
    _A.TERMINATED: frozenset(),
}

# A run with a driver is never CANCELLED at once: its workers must be ended first.
_ENDS = frozenset({_J.SUCCESS, _J.FAILED, _J.CANCELLING})
_ENDS_WITHOUT_DRIVER = _ENDS | {_J.CANCELLED}

JOB_RUN_TRANSITIONS: Mapping[JobRunState, frozenset[JobRunState]] = {
    _J.SUBMITTED: frozenset({_J.QUEUED, _J.PENDING, _J.SCHEDULED, _J.RUNNING}) | _ENDS_WITHOUT_DRIVER,
    _J.QUEUED: frozenset({_J.PENDING, _J.SCHEDULED, _J.RUNNING}) | _ENDS_WITHOUT_DRIVER,
    _J.PENDING: frozenset({_J.SCHEDULED, _J.RUNNING}) | _ENDS_WITHOUT_DRIVER,
    _J.SCHEDULED: frozenset({_J.RUNNING}) | _ENDS,
    _J.RUNNING: _ENDS,
    # Never SUCCESS: who asked for the end gets CANCELLED, even if the driver was quicker.
    _J.CANCELLING: frozenset({_J.CANCELLED, _J.FAILED}),
    _J.SUCCESS: frozenset(),
    _J.FAILED: frozenset(),
    _J.CANCELLED: frozenset(),
}

MEANING: Mapping[ApplicationState | JobRunState, str] = {
    _A.CREATING: "The operator has not accepted it yet; `stateDetails` says what is missing.",
    _A.CREATED: "Accepted; it has never run.",
    _A.STARTING: "Pre-initialized workers are being made; runs may start.",
    _A.STARTED: "Its pre-initialized workers, if any, were all ready; whether they are, `InitialCapacityReady` says.",
    _A.STOPPING: "It was idle for long enough, or is being deleted: workers are released.",
    _A.STOPPED: "No workers; the next run starts it.",
    _A.TERMINATED: "Deleted.",
    _J.SUBMITTED: "The operator has seen the run.",
    _J.QUEUED: "It waits: for capacity, for fewer concurrent runs, or for a warm worker.",
    _J.PENDING: "Capacity is reserved; its driver is about to be made.",
    _J.SCHEDULED: "Its driver pod exists.",
    _J.RUNNING: "Its driver runs.",
    _J.SUCCESS: "The driver ended with exit code 0.",
    _J.FAILED: "The run could not start, or ended otherwise; `stateDetails` says why.",
    _J.CANCELLING: "Its end was asked for, or it ran out of time: workers are being ended.",
    _J.CANCELLED: "It was ended and its workers are gone.",
}
"""What each state means, for the reference pages."""

_TERMINAL = frozenset({_A.TERMINATED, _J.SUCCESS, _J.FAILED, _J.CANCELLED})


def is_terminal(state: ApplicationState | JobRunState) -> bool:
    """Tell whether nothing follows this state."""
    return state in _TERMINAL


def allowed(old: State | None, new: State) -> bool:
    """Tell whether ``new`` may follow ``old``; staying is always allowed. None is an object without status yet."""
    if isinstance(new, ApplicationState):
        return old == new or new in (APPLICATION_TRANSITIONS[_A(old)] if old else {_A.CREATING})
    return old == new or new in (JOB_RUN_TRANSITIONS[_J(old)] if old else {_J.SUBMITTED})


def mermaid(transitions: Mapping[State, frozenset[State]]) -> str:
    """Draw a transitions table as a Mermaid state diagram, in the order of the enum."""
    first = next(iter(transitions))
    lines = ["stateDiagram-v2", f"    [*] --> {first}"]
    for old, following in transitions.items():
        lines += [f"    {old} --> {new}" for new in transitions if new in following]
        if not following:
            lines.append(f"    {old} --> [*]")
    return "\n".join(lines)
