"""Kubernetes conditions (``metav1.Condition``)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from ember.model.base import CutText, StatusModel

ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(StatusModel):
    """One aspect of an object's state, as Kubernetes tools read it."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """Name of the aspect, such as Ready."""
    status: ConditionStatus
    """Whether the condition holds."""
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    """One word in CamelCase for programs."""
    message: CutText = ""
    """A sentence for people."""
    last_transition_time: AwareDatetime
    """When the status last changed."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec which this was found for."""


Conditions = Annotated[
    list[Condition],
    Field(
        max_length=16,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]


def condition_of(conditions: Sequence[Condition], kind: str) -> Condition | None:
    """Return the condition of this type, if there is one."""
    return next((condition for condition in conditions if condition.type == kind), None)


def set_condition(
    conditions: Sequence[Condition],
    kind: str,
    status: ConditionStatus,
    reason: str,
    message: str,
    now: datetime,
    observed_generation: int | None = None,
) -> list[Condition]:
    """Return the conditions with the one of type ``kind`` set; the others and the order stay.

    ``lastTransitionTime`` moves only when the status changes, as Kubernetes tools expect.
    """
    old = condition_of(conditions, kind)
    new = Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=old.last_transition_time if old and old.status == status else now,
        observed_generation=observed_generation,
    )
    if old is None:
        return [*conditions, new]
    return [new if condition is old else condition for condition in conditions]
