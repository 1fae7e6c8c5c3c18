"""What the gauges show, and what they stop to show."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from ember.handlers.record import Board, count
from ember.kube.index import Index
from ember.telemetry.metrics import OperatorMetrics
from tests.support.shards import KEY, World

SMALL = {"cpu": "1 vCPU", "memory": "4 GB"}
POOL: dict[str, Any] = {
    kind: {"workerCount": 1, "workerConfiguration": SMALL} for kind in ("DRIVER", "EXECUTOR", "EXECUTOR_more")
}


class Page:
    """What Prometheus reads."""

    def __init__(self) -> None:
        self._registry, self._board = CollectorRegistry(), Board()
        self._metrics = OperatorMetrics(self._registry)

    def of(self, world: World) -> "Page":
        """Count this world."""
        self._board.show(count(world.gatherer, self._metrics))
        return self

    def value(self, name: str, **more: str) -> float | None:
        """A value of the application; None when there is none."""
        return self._registry.get_sample_value(name, {"namespace": KEY[0], "application": KEY[1], **more})

    def warm(self, worker_type: str, state: str) -> float | None:
        """How many pre-initialized workers of a type are in a state."""
        return self.value("ember_workers_warm", worker_type=worker_type, size="1 vCPU, 4 GB", state=state)


def test_entries_of_one_type_and_size_are_one_row() -> None:
    world = World().application(maximum=None, initialCapacity=POOL).warm("driver").warm("executor", kind="EXECUTOR")
    page = Page().of(world.warm("executor", 2, kind="EXECUTOR_more", ready=False))
    assert (page.warm("driver", "wanted"), page.warm("driver", "idle")) == (1, 1)
    assert [page.warm("executor", state) for state in ("wanted", "warming", "idle", "claimed")] == [2, 1, 1, 0]


@pytest.mark.parametrize("state", ["CREATED", "STOPPED"])
def test_an_application_that_is_not_started_wants_no_warm_worker(state: str) -> None:
    assert Page().of(World().application(state, initialCapacity=POOL)).warm("driver", "wanted") == 0


def test_runs_and_executors_are_counted() -> None:
    world = World().application(maximum=None).job_run(state="RUNNING").driver(running=True)
    page = Page().of(world.executor(number=1, running=True).waits_for("run-1", 2, 3).job_run("run-2", "QUEUED"))
    assert page.value("ember_job_runs", state="RUNNING") == 1
    assert page.value("ember_job_runs_queued") == 1
    wanted = [page.value(f"ember_executors_{what}") for what in ("running", "given", "wanted")]
    assert wanted == [1, 1, 3]


def test_what_is_gone_is_not_shown() -> None:
    used = {"state": "STARTED", "capacity": {"used": {"cpu": 2, "memoryMiB": 2048, "diskGiB": 20}, "maximum": {}}}
    world = World().application(status=used, initialCapacity=POOL).job_run(state="RUNNING")
    page = Page().of(world)
    names = ("ember_capacity_memory_used_bytes", "ember_job_runs_queued", "ember_executors_wanted")
    assert [page.value(name) for name in names] == [2048 * 1024 * 1024, 0, 0]
    world.gatherer.index = Index()
    page.of(world)
    assert [page.value(name) for name in names] == [None] * 3
    assert page.warm("driver", "wanted") is None
