"""The broker over TLS: what Spark drivers are answered, and who is refused."""

import json
from typing import Any

import aiohttp
import pytest

from ember.broker import sparkapi
from ember.kube.index import Kind, key_of
from ember.model import labels
from ember.plan.facts import WorkerReport
from tests.support.broker_client import Client, grant
from tests.support.broker_world import NAMESPACE, PODS, RUN, RUNS, Object, World, executor_wish


async def test_an_executor_is_asked_for_and_found(world: World, client: Client) -> None:
    driver = await world.start_run()
    token = world.token_of(driver)
    status, pod = await client.ask("POST", PODS, token, executor_wish("7"))
    assert (status, pod["status"]["phase"]) == (201, "Pending")
    waiting = world.index.waiting_of_run((NAMESPACE, RUN))
    assert [w.executor_id for w in waiting] == ["7"]
    assert (await client.ask("POST", PODS, token, executor_wish("7")))[0] == 409
    _, listed = await client.ask("GET", f"{PODS}?labelSelector=spark-exec-id%3D7", token)
    assert [item["metadata"]["name"] for item in listed["items"]] == [pod["metadata"]["name"]]
    assert (await client.ask("DELETE", f"{PODS}/{pod['metadata']['name']}", token))[0] == 200
    assert not world.index.all(Kind.WAITING)


@pytest.mark.parametrize("wish", [{}, {"metadata": {"labels": {}}}, executor_wish("x"), {"kind": "Service"}])
async def test_wishes_that_make_no_sense(world: World, client: Client, wish: Object) -> None:
    token = world.token_of(await world.start_run())
    status, failure = await client.ask("POST", PODS, token, wish)
    assert (status, failure["kind"], failure["reason"]) == (422, "Status", "Invalid")


async def test_a_token_is_good_for_its_own_driver_pod_and_a_living_run(world: World, client: Client) -> None:
    driver = await world.start_run()
    token = world.token_of(driver)
    another = world.token_of({**driver, "metadata": {**driver["metadata"], "uid": "gone"}})
    for wrong in ("", "nonsense", token + "x", another, world.pod_token(driver)):
        assert (await client.ask("GET", PODS, wrong))[0] == 401
    assert (await client.ask("GET", PODS.replace(NAMESPACE, "team-b"), token))[0] == 403
    assert (await client.ask("GET", PODS, token))[0] == 200
    world.cluster.change(f"{RUNS}/{RUN}", {"status": {"attempt": 2}})
    assert (await client.ask("GET", PODS, token))[0] == 401, "the next attempt has another driver"
    world.cluster.change(f"{RUNS}/{RUN}", {"status": {"attempt": 1, "state": "SUCCESS"}})
    assert (await client.ask("GET", PODS, token))[0] == 401, "the run has ended"


async def test_after_the_drivers_end_its_token_is_refused(world: World, client: Client) -> None:
    driver = await world.start_run()
    world.index.report(driver, WorkerReport("ended", 1.0, 0))
    assert (await client.ask("GET", PODS, world.token_of(driver)))[0] == 401


async def test_a_cancelled_run_gets_no_more_executors(world: World, client: Client) -> None:
    driver = await world.start_run(state="CANCELLING")
    assert (await client.ask("POST", PODS, world.token_of(driver), executor_wish()))[0] == 403


async def test_a_driver_that_asks_without_end_cannot_fill_the_broker(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = world.token_of(await world.start_run())
    monkeypatch.setattr(sparkapi, "MOST_WAITING_BYTES", 10_000)
    large = {"SPARK_JAVA_OPT_0": "x" * 6000}
    said = [(await client.ask("POST", PODS, token, executor_wish(str(n), **large)))[0] for n in range(3)]
    assert said == [201, 201, 429]


async def test_executors_are_told_to_stop_and_not_deleted(world: World, client: Client) -> None:
    driver, pods = await world.start_run(), []
    token = world.token_of(driver)
    for executor_id in ("1", "2"):
        await client.ask("POST", PODS, token, executor_wish(executor_id))
        pods.append(await grant(world))
    selector = "?labelSelector=spark-role%3Dexecutor"
    assert (await client.ask("DELETE", PODS + selector, token))[1]["status"] == "Success"
    for pod in pods:
        held = world.index.get(Kind.POD, key_of(pod))
        assert held is not None
        assert held["metadata"]["annotations"][labels.STOP] == "RemovedBySpark"
        assert (await client.ask("GET", f"{PODS}/{pod['metadata']['name']}", token))[0] == 404
    assert not [path for method, path in world.cluster.sent if method == "DELETE"]


async def test_the_driver_survives_a_delete_of_everything(world: World, client: Client) -> None:
    driver = await world.start_run()
    token, name = world.token_of(driver), driver["metadata"]["name"]
    await client.ask("DELETE", PODS, token)
    await client.ask("DELETE", f"{PODS}/{name}", token)
    held = world.index.get(Kind.POD, (NAMESPACE, name))
    assert held is not None
    assert labels.STOP not in held["metadata"]["annotations"]


async def test_only_the_inactive_label_can_be_set(world: World, client: Client) -> None:
    driver = await world.start_run()
    token = world.token_of(driver)
    await client.ask("POST", PODS, token, executor_wish())
    path = f"{PODS}/{(await grant(world))['metadata']['name']}"
    inactive = {"op": "add", "path": "/metadata/labels/spark-exec-inactive", "value": "true"}
    sneaky = {"op": "add", "path": "/metadata/labels/spark-app-selector", "value": "other"}
    wrong: list[Any] = [[inactive, sneaky], [sneaky], {"spec": {}}, [], {}, {"metadata": {"labels": {"a": "b"}}}]
    for body in wrong:
        assert (await client.ask("PATCH", path, token, body))[0] == 403
    status, pod = await client.ask("PATCH", path, token, [inactive])
    assert (status, pod["metadata"]["labels"]["spark-exec-inactive"]) == (200, "true")
    assert (await client.ask("GET", PODS + "?labelSelector=spark-exec-inactive%21%3Dtrue", token))[1]["items"][0][
        "metadata"
    ]["name"] == driver["metadata"]["name"]


async def test_what_a_driver_never_has_is_empty_and_deleted_with_success(world: World, client: Client) -> None:
    token = world.token_of(await world.start_run())
    base = f"/api/v1/namespaces/{NAMESPACE}"
    for kind in ("services", "configmaps", "persistentvolumeclaims"):
        assert (await client.ask("GET", f"{base}/{kind}", token))[1]["items"] == []
        assert (await client.ask("DELETE", f"{base}/{kind}?labelSelector=a%3Db", token))[1]["status"] == "Success"
    for path in (f"{base}/secrets", "/api/v1/nodes", f"{PODS}/x/log", "/apis/apps/v1", "/"):
        assert (await client.ask("GET", path, token))[0] == 404


async def test_a_watch_tells_the_life_of_an_executor(world: World, client: Client) -> None:
    driver = await world.start_run()
    token = world.token_of(driver)
    path = PODS + "?watch=true&labelSelector=spark-role%3Dexecutor"
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        client.session.ws_connect(client.url + path, headers=headers) as socket,
        client.session.get(client.url + path, headers=headers) as lines,
    ):

        async def told() -> set[str]:
            events = (await socket.receive_json(timeout=5), json.loads(await lines.content.readline()))
            return {event["type"] for event in events}

        await client.ask("POST", PODS, token, executor_wish())
        assert await told() == {"ADDED"}
        pod = await grant(world)
        assert await told() == {"MODIFIED"}
        await client.ask("DELETE", f"{PODS}/{pod['metadata']['name']}", token)
        assert await told() == {"DELETED"}
        world.cluster.change(f"{RUNS}/{RUN}", {"status": {"state": "SUCCESS"}})
        assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE, "a watch ends with its run"
