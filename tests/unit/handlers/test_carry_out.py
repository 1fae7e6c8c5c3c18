"""What becomes of a plan when some of it fails."""

import asyncio
import time
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from ember.handlers import carry_out
from ember.handlers.carry_out import Failed, Hands
from ember.kube.apply import Applier
from ember.kube.errors import Forbidden
from ember.kube.index import Kind
from ember.model import labels
from ember.plan.actions import (
    Action,
    Announce,
    Claim,
    CreateDriver,
    CreateExecutor,
    CreateWarm,
    DeleteWorker,
    Plan,
    SetRunStatus,
)
from ember.store import Store
from ember.telemetry.metrics import OperatorMetrics
from tests.support.shards import KEY, World

SIZE = {"cpu": "1 vCPU", "memory": "4 GB", "disk": "20 GB"}
ONE_DRIVER = {"DRIVER": {"workerCount": 1, "workerConfiguration": SIZE}}
ONE_EXECUTOR = {"EXECUTOR": {"workerCount": 1, "workerConfiguration": SIZE}}


class Refusing:
    """An API server that takes nothing but deletions."""

    def __init__(self) -> None:
        self.refuses = True
        self.deleted: list[str] = []
        self.told: list[str] = []
        self.second = asyncio.Event()

    async def create_pod(self, pod: dict[str, Any]) -> dict[str, Any]:
        """Refuse, until it is told otherwise."""
        if self.refuses:
            raise Forbidden("quota")
        return pod

    async def apply_status(self, *_: object) -> None:
        """Refuse."""
        raise Forbidden("no right")

    async def post_event(self, _obj: object, _kind: str, reason: str, _message: str) -> None:
        """Refuse the first one in a way that nobody has foreseen."""
        self.told.append(reason)
        if len(self.told) == 1:
            raise RuntimeError("odd")
        self.second.set()

    async def delete_pod(self, _namespace: str, name: str, _uid: str, grace: int) -> None:
        """Take it."""
        assert grace == 0
        self.deleted.append(name)


def hands_of(world: World, api: Refusing, store: object = None) -> Hands:
    """Hands that act in a world by way of this API server and this store."""
    metrics = OperatorMetrics(CollectorRegistry())
    return Hands(world.index, cast("Applier", api), cast("Store", store), world.gatherer, metrics)


@pytest.mark.parametrize(
    ("failing", "deleted"),
    [
        (CreateWarm({"metadata": {"namespace": "team-a", "labels": {labels.POOL: "x"}}}), ["old"]),
        (SetRunStatus(("team-a", "run-1"), {}), []),
    ],
)
def test_only_a_status_that_cannot_be_written_keeps_a_pod(failing: Action, deleted: list[str]) -> None:
    api = Refusing()
    hands = hands_of(World(), api)
    with pytest.raises(Failed):
        asyncio.run(hands.carry_out(Plan((failing, DeleteWorker(("team-a", "old"), "uid")))))
    assert api.deleted == deleted


def test_events_come_later_and_one_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carry_out, "_EVENTS_LATER", 0.0)
    api = Refusing()
    hands = hands_of(World().application(), api)

    async def both() -> None:
        news = [Announce("EMRApplication", KEY, "Normal", reason, "") for reason in ("One", "Two")]
        await hands.carry_out(Plan(tuple(news)))
        assert api.told == []
        telling = asyncio.create_task(hands.tell())
        await api.second.wait()
        telling.cancel()

    asyncio.run(asyncio.wait_for(both(), 10))
    assert api.told == ["One", "Two"]


def test_events_that_wait_are_posted_when_the_operator_ends() -> None:
    api = Refusing()
    hands = hands_of(World().application(), api)

    async def end_soon() -> None:
        telling = asyncio.create_task(hands.tell())
        await hands.carry_out(Plan((Announce("EMRApplication", KEY, "Normal", "One", ""),)))
        await asyncio.sleep(0)
        telling.cancel()
        await asyncio.wait({telling})

    asyncio.run(asyncio.wait_for(end_soon(), 10))
    assert api.told == ["One"]


def test_a_pre_initialized_worker_that_is_refused_is_a_warm_up_that_failed() -> None:
    world = World().application("STARTING", initialCapacity=ONE_DRIVER)
    hands = hands_of(world, Refusing())
    world.now = time.time()
    plan = world.plan()
    assert any(isinstance(action, CreateWarm) for action in plan.actions)
    creation = Plan(tuple(action for action in plan.actions if isinstance(action, CreateWarm)))
    with pytest.raises(Failed, match="quota"):
        asyncio.run(hands.carry_out(creation))
    assert "quota" in world.shard().warm_ups.failure


class Claiming(Refusing):
    """An API server during whose answer to a claim the driver withdraws its wish."""

    def __init__(self, world: World, withdraw: tuple[str, str]) -> None:
        super().__init__()
        self._world, self._withdraw = world, withdraw
        self.claims = 0
        self.stopped: list[tuple[str, str]] = []

    async def claim_pod(self, _namespace: str, name: str, **_: object) -> dict[str, Any]:
        """Take it."""
        self.claims += 1
        self._world.index.remove_waiting(self._withdraw)
        found: dict[str, Any] | None = self._world.index.get(Kind.POD, (KEY[0], name))
        assert found is not None
        return found

    async def stop_pod(self, _namespace: str, name: str, _uid: str, reason: str) -> None:
        """Take it."""
        self.stopped.append((name, reason))


def test_a_claim_for_an_executor_that_spark_has_withdrawn_is_not_made_or_taken_back() -> None:
    world = World().application(initialCapacity=ONE_EXECUTOR).warm("executor").job_run(state="RUNNING")
    world.driver(running=True).waits_for("run-1", 1)
    claim = next(action for action in world.plan().actions if isinstance(action, Claim))
    assert claim.request is not None
    api = Claiming(world, (claim.request.namespace, claim.request.pod_name))
    hands = hands_of(world, api)
    asyncio.run(hands.carry_out(Plan((claim,))))
    assert (api.claims, api.stopped) == (1, [(claim.worker.name, "RemovedBySpark")])
    asyncio.run(hands.carry_out(Plan((claim,))))
    assert api.claims == 1


def test_an_executor_that_is_refused_is_named_on_its_run_and_tried_alone_until_it_has_its_pod() -> None:
    world = World().application(maximum=None)
    world.job_run(state="RUNNING").driver(running=True).waits_for("run-1", 1, 2)
    api = Refusing()
    hands = hands_of(world, api)
    creations = world.actions(CreateExecutor)
    assert len(creations) == 2
    with pytest.raises(Failed, match="quota"):
        asyncio.run(hands.carry_out(Plan(tuple(creations))))
    (status,) = [action.status for action in world.actions(SetRunStatus)]
    assert (status["state"], status["stateDetails"]) == ("RUNNING", "an executor waits: quota")
    assert [(a.type, a.reason) for a in world.actions(Announce)] == [("Warning", "ExecutorRefused")]
    world.job_run(state="RUNNING", status=status)
    assert world.actions(Announce) == [], "it is said once"
    api.refuses = False
    for number in ("1", "2"):
        (creation,) = world.actions(CreateExecutor)
        assert creation.request.executor_id == number
        asyncio.run(hands.carry_out(Plan((creation,))))
    (status,) = [action.status for action in world.later(5).actions(SetRunStatus)]
    assert "stateDetails" not in status


class Silent:
    """A store that does not answer."""

    async def ensure_marker(self, _uri: str, *, namespace: str) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()


def test_a_store_that_does_not_answer_holds_up_nothing_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carry_out, "_STORE_SECONDS", 0.01)
    world = World(store={"managedLogUri": "s3://managed"}).application()
    creations = world.job_run().actions(CreateDriver)
    hands = hands_of(world, Refusing(), Silent())
    with pytest.raises(Failed, match="no answer within"):
        asyncio.run(asyncio.wait_for(hands.carry_out(Plan(tuple(creations))), 10))
    assert world.gatherer.problems["uid-run-1"].reason == "StoreUnavailable"
