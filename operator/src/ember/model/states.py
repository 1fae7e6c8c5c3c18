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

_ENDS = frozenset({_J.FAILED, _J.CANCELLING, _J.CANCELLED})

JOB_RUN_TRANSITIONS: Mapping[JobRunState, frozenset[JobRunState]] = {
    _J.SUBMITTED: frozenset({_J.QUEUED, _J.PENDING, _J.SCHEDULED, _J.RUNNING, _J.SUCCESS}) | _ENDS,
    _J.QUEUED: frozenset({_J.PENDING, _J.SCHEDULED, _J.RUNNING, _J.SUCCESS}) | _ENDS,
    _J.PENDING: frozenset({_J.SCHEDULED, _J.RUNNING, _J.SUCCESS}) | _ENDS,
    _J.SCHEDULED: frozenset({_J.RUNNING, _J.SUCCESS}) | _ENDS,
    _J.RUNNING: frozenset({_J.SUCCESS}) | _ENDS,
    # Never SUCCESS: who asked for the end gets CANCELLED, even if the driver was quicker.
    _J.CANCELLING: frozenset({_J.CANCELLED, _J.FAILED}),
    _J.SUCCESS: frozenset(),
    _J.FAILED: frozenset(),
    _J.CANCELLED: frozenset(),
}

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
