"""What one reconciliation counts."""

import asyncio
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from ember.handlers.carry_out import Hands
from ember.handlers.reconcile import Reconciler
from ember.plan.actions import Plan
from ember.telemetry.metrics import OperatorMetrics
from tests.support.shards import KEY, World

ONE_DRIVER = {"DRIVER": {"workerCount": 1, "workerConfiguration": {"cpu": "1 vCPU", "memory": "4 GB"}}}


class Idle:
    """Hands that do nothing."""

    async def carry_out(self, _plan: Plan) -> None:
        """Do nothing."""


class Counting:
    """A reconciler over a world, and what it counted."""

    def __init__(self, world: World) -> None:
        registry = CollectorRegistry()
        self._sample = registry.get_sample_value
        self.reconciler = Reconciler(world.index, world.gatherer, cast("Hands", Idle()), OperatorMetrics(registry))

    def reconcile(self) -> None:
        """Reconcile the application once."""
        asyncio.run(self.reconciler.reconcile(KEY))

    def value(self, name: str, **names: str) -> float | None:
        """A sample's value."""
        return self._sample(name, names)


def test_a_warm_up_that_failed_is_counted_once() -> None:
    world = World().application(initialCapacity=ONE_DRIVER).warm("driver", ready=False)
    counting = Counting(world.report("warm-driver-1", "ended", 1, "the warm-up failed: no room"))
    for _ in range(3):
        counting.reconcile()
    assert counting.value("ember_warm_ups_failed_total", namespace=KEY[0], application=KEY[1]) == 1


def test_an_error_that_nobody_has_foreseen_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World().application()

    def odd(*_: Any) -> None:
        raise KeyError("odd")

    monkeypatch.setattr(world.gatherer, "shard", odd)
    counting = Counting(world)
    with pytest.raises(KeyError):
        counting.reconcile()
    assert counting.value("ember_reconcile_errors_total", kind="EMRApplication") == 1
