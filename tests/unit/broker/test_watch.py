"""What a driver sees: of its own run only, in order, and nothing of what was told to stop."""

import asyncio
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ember.broker.derive import RunIdentity
from ember.broker.selectors import matcher
from ember.broker.views import RunView, virtual_pod, virtual_uid
from ember.broker.watch import Differ
from ember.kube.index import Kind, key_of
from ember.model import labels
from ember.plan.executor import parse_request
from ember.plan.facts import ExecutorRequest, WorkerReport
from tests.support.broker_world import NAMESPACE, PODS, RUN, RUN_UID, Object, World, executor_pod, executor_wish

OTHER_UID = "5d0c0ad6-0000-4000-8000-000000000002"


def request(executor_id: str = "1", run: str = RUN, uid: str = RUN_UID, attempt: int = 1) -> ExecutorRequest:
    return parse_request(
        executor_wish(executor_id), namespace=NAMESPACE, run_name=run, run_uid=uid, attempt=attempt, now=1e9
    )


async def world_and_view() -> tuple[World, RunView, Object]:
    world = World()
    driver = await world.start_run()
    identity = RunIdentity(NAMESPACE, RUN, RUN_UID, 1, driver["metadata"]["uid"])
    return world, RunView(world.index, identity), driver


def names(view: RunView) -> set[str]:
    return set(view.pods())


async def test_a_waiting_executor_is_a_pending_pod() -> None:
    world, view, driver = await world_and_view()
    wish = request()
    world.index.add_waiting(wish)
    seen = view.pods()[wish.pod_name]
    assert seen["status"] == {"phase": "Pending"}
    assert seen["metadata"]["labels"][labels.SPARK_EXEC_ID] == "1"
    assert seen["metadata"]["uid"] == virtual_uid(NAMESPACE, wish.pod_name)
    assert names(view) == {wish.pod_name, driver["metadata"]["name"]}


async def test_the_real_pod_takes_the_place_of_the_virtual_one() -> None:
    world, view, _ = await world_and_view()
    world.index.add_waiting(request())
    await world.applier.create_pod(executor_pod(request()))
    assert view.pods()[request().pod_name]["status"]["phase"] == "Running", "even before the wish is forgotten"


async def test_a_pod_under_way_has_a_uid_for_spark() -> None:
    world, view, _ = await world_and_view()
    world.index.put(Kind.POD, executor_pod(request()))
    assert view.pods()[request().pod_name]["metadata"]["uid"] == virtual_uid(NAMESPACE, request().pod_name)


async def test_other_runs_and_attempts_are_out_of_sight() -> None:
    world, view, driver = await world_and_view()
    await world.start_run(name="other", uid=OTHER_UID)
    await world.applier.create_pod(executor_pod(request(run="other", uid=OTHER_UID)))
    world.index.add_waiting(request("2", run="other", uid=OTHER_UID))
    world.index.add_waiting(request("3", attempt=2))
    # The name is the same, the run is another: it was deleted and made again.
    await world.applier.create_pod(executor_pod(request("4", uid=OTHER_UID)))
    assert names(view) == {driver["metadata"]["name"]}


async def test_a_stopped_executor_is_gone_from_sight_at_once() -> None:
    world, view, driver = await world_and_view()
    pod = await world.applier.create_pod(executor_pod(request()))
    await world.applier.stop_pod(*key_of(pod), pod["metadata"]["uid"], "test")
    assert names(view) == {driver["metadata"]["name"]}
    assert world.index.get(Kind.POD, key_of(pod)) is not None, "it is there until its logs are kept"


async def test_the_launchers_word_counts_before_the_kubelets() -> None:
    world, view, _ = await world_and_view()
    pod = await world.applier.create_pod(executor_pod(request()))
    world.index.report(pod, WorkerReport("ended", 1e9, 137))
    seen = view.pods()[request().pod_name]
    assert seen["status"]["phase"] == "Failed"
    state = seen["status"]["containerStatuses"][0]
    assert (state["name"], state["state"]["terminated"]["exitCode"]) == (labels.EXECUTOR_CONTAINER, 137)


async def test_the_kubelet_knows_better_why_it_ended() -> None:
    world, view, _ = await world_and_view()
    pod = await world.applier.create_pod(executor_pod(request()))
    killed = {"name": labels.EXECUTOR_CONTAINER, "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
    world.cluster.change(f"{PODS}/{request().pod_name}", {"status": {"containerStatuses": [killed]}})
    world.index.report(pod, WorkerReport("ended", 1e9, 137))
    terminated = view.pods()[request().pod_name]["status"]["containerStatuses"][0]["state"]["terminated"]
    assert terminated["reason"] == "OOMKilled"


async def test_spark_sees_nothing_of_embers_own() -> None:
    world, view, driver = await world_and_view()
    await world.applier.create_pod(executor_pod(request()))
    text = str(view.pods())
    assert labels.EXECUTOR not in text
    assert "env" not in text
    assert driver["metadata"]["name"] in text


def test_events_follow_the_life_of_an_executor() -> None:
    differ, wish = Differ(matcher("spark-role=executor")), virtual_pod(request())
    real = {**wish, "status": {"phase": "Running"}}
    driver = {"metadata": {"name": "d", "labels": {"spark-role": "driver"}}}
    seen = [{"d": driver}, {"x": wish}, {"x": wish}, {"x": real}, {}]
    kinds = [[event["type"] for event in differ.events(pods)] for pods in seen]
    assert kinds == [[], ["ADDED"], [], ["MODIFIED"], ["DELETED"]]


pictures = st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3), max_size=4), max_size=12)


@given(pictures)
def test_whoever_follows_the_events_has_the_picture(looks: list[dict[str, int]]) -> None:
    differ, held = Differ(matcher()), dict[str, object]()
    for look in looks:
        seen = {name: {"metadata": {"name": name}, "status": {"phase": str(value)}} for name, value in look.items()}
        for event in differ.events(seen):
            pod = event["object"]
            assert isinstance(pod, dict)
            name = pod["metadata"]["name"]
            assert (event["type"] == "ADDED") is (name not in held)
            if event["type"] == "DELETED":
                del held[name]
            else:
                held[name] = pod
        assert held == seen


async def test_waits_wake_for_their_own_topic_only() -> None:
    world, _, driver = await world_and_view()
    topics = world.context.topics
    mine = asyncio.create_task(topics.wait([("pod", key_of(driver))], 5))
    other = asyncio.create_task(topics.wait([("pod", (NAMESPACE, "other"))], 0.2))
    await asyncio.sleep(0)
    world.index.report(driver, WorkerReport("started", 1.0))
    assert await mine is True
    assert await other is False
    assert not topics._waiting, "nobody who left is remembered"


def test_a_virtual_pod_keeps_its_uid_and_each_has_its_own() -> None:
    assert virtual_pod(request())["metadata"]["uid"] == virtual_pod(request())["metadata"]["uid"]
    other = replace(request(), pod_name="x")
    assert virtual_pod(request())["metadata"]["uid"] != virtual_pod(other)["metadata"]["uid"]
