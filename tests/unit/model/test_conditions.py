"""Kubernetes conditions."""

from datetime import UTC, datetime, timedelta

import pytest

from ember.model.conditions import ConditionStatus, set_condition

START = datetime(2026, 1, 1, tzinfo=UTC)
LATER = START + timedelta(minutes=1)


@pytest.mark.parametrize(("status", "moved"), [("True", START), ("False", LATER)])
def test_the_time_moves_only_when_the_status_changes(status: ConditionStatus, moved: datetime) -> None:
    before = set_condition([], "Ready", "True", "Started", "", START)
    after = set_condition(before, "Ready", status, "Other", "a message", LATER, observed_generation=3)
    assert len(after) == 1
    assert after[0].last_transition_time == moved
    assert (after[0].reason, after[0].message, after[0].observed_generation) == ("Other", "a message", 3)
    assert before[0].reason == "Started"


def test_other_conditions_and_their_order_stay() -> None:
    conditions = set_condition([], "Ready", "True", "A", "", START)
    conditions = set_condition(conditions, "Capacity", "True", "B", "", START)
    conditions = set_condition(conditions, "Ready", "Unknown", "C", "", LATER)
    assert [(condition.type, condition.status) for condition in conditions] == [
        ("Ready", "Unknown"),
        ("Capacity", "True"),
    ]


def test_a_condition_is_written_as_kubernetes_writes_it() -> None:
    (condition,) = set_condition([], "Ready", "True", "Started", "x" * 300, START)
    written = condition.to_manifest()
    assert written["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert len(written["message"]) == 256
    assert "observedGeneration" not in written
