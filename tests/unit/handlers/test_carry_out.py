"""What becomes of a plan when some of it fails."""

import asyncio
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from ember.handlers.carry_out import Failed, Hands
from ember.kube.apply import Applier
from ember.kube.errors import Forbidden
from ember.kube.index import Index
from ember.plan.actions import Action, CreateWarm, DeleteWorker, Plan, SetRunStatus
from ember.store import Store
from ember.telemetry.metrics import OperatorMetrics
from tests.support.shards import World


class Refusing:
    """An API server that takes nothing but deletions."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    async def create_pod(self, pod: dict[str, Any]) -> None:
        """Refuse."""
        raise Forbidden("quota")

    async def apply_status(self, *_: object) -> None:
        """Refuse."""
        raise Forbidden("no right")

    async def delete_pod(self, _namespace: str, name: str, _uid: str, grace: int) -> None:
        """Take it."""
        assert grace == 0
        self.deleted.append(name)


@pytest.mark.parametrize(
    ("failing", "deleted"),
    [(CreateWarm({}), ["old"]), (SetRunStatus(("team-a", "run-1"), {}), [])],
)
def test_only_a_status_that_cannot_be_written_keeps_a_pod(failing: Action, deleted: list[str]) -> None:
    api = Refusing()
    metrics = OperatorMetrics(CollectorRegistry())
    hands = Hands(Index(), cast("Applier", api), cast("Store", None), World().gatherer, metrics)
    with pytest.raises(Failed):
        asyncio.run(hands.carry_out(Plan((failing, DeleteWorker(("team-a", "old"), "uid")))))
    assert api.deleted == deleted
