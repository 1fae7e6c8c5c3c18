"""The transitions tables."""

from itertools import product

import pytest

from ember.model.states import (
    APPLICATION_TRANSITIONS,
    JOB_RUN_TRANSITIONS,
    MEANING,
    ApplicationState,
    JobRunState,
    allowed,
    is_terminal,
    mermaid,
)


def test_every_state_is_in_its_table_and_explained() -> None:
    assert set(APPLICATION_TRANSITIONS) == set(ApplicationState)
    assert set(JOB_RUN_TRANSITIONS) == set(JobRunState)
    assert set(MEANING) == {*ApplicationState, *JobRunState}


def test_terminal_states_are_those_which_nothing_follows() -> None:
    assert {state for state in JobRunState if is_terminal(state)} == {"SUCCESS", "FAILED", "CANCELLED"}
    assert {state for state in ApplicationState if is_terminal(state)} == {"TERMINATED"}
    assert all(is_terminal(state) == (not following) for state, following in JOB_RUN_TRANSITIONS.items())
    assert all(is_terminal(state) == (not following) for state, following in APPLICATION_TRANSITIONS.items())


@pytest.mark.parametrize("state", [state for state in JobRunState if not is_terminal(state)])
def test_every_live_run_may_fail_and_can_be_cancelled(state: JobRunState) -> None:
    assert allowed(state, JobRunState.FAILED)
    assert state == "CANCELLING" or allowed(state, JobRunState.CANCELLING)


def test_runs_only_move_forward() -> None:
    order = ["SUBMITTED", "QUEUED", "PENDING", "SCHEDULED", "RUNNING", "CANCELLING", "SUCCESS", "FAILED", "CANCELLED"]
    for old, new in product(JobRunState, JobRunState):
        assert not allowed(old, new) or order.index(old) <= order.index(new)


@pytest.mark.parametrize(
    ("old", "new"),
    [("RUNNING", "CANCELLED"), ("SCHEDULED", "CANCELLED"), ("CANCELLING", "SUCCESS"), ("RUNNING", "QUEUED")],
)
def test_what_a_run_may_not_become(old: str, new: str) -> None:
    assert not allowed(JobRunState(old), JobRunState(new))


def test_the_first_and_the_same_state() -> None:
    assert allowed(None, JobRunState.SUBMITTED)
    assert not allowed(None, JobRunState.RUNNING)
    assert allowed(None, ApplicationState.CREATING)
    assert not allowed(None, ApplicationState.STARTED)
    assert allowed(JobRunState.SUCCESS, JobRunState.SUCCESS)


def test_applications_start_again_only_after_they_have_stopped() -> None:
    assert allowed(ApplicationState.STOPPED, ApplicationState.STARTING)
    assert not allowed(ApplicationState.STOPPING, ApplicationState.STARTING)


def test_the_diagram_has_an_arrow_for_each_transition() -> None:
    lines = mermaid(JOB_RUN_TRANSITIONS).splitlines()
    assert lines[:3] == ["stateDiagram-v2", "    [*] --> SUBMITTED", "    SUBMITTED --> QUEUED"]
    arrows = sum(max(1, len(following)) for following in JOB_RUN_TRANSITIONS.values())
    assert len(lines) == 2 + arrows
