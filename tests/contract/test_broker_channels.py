"""The broker over TLS: what launchers, log agents and Spark drivers are answered, and who is refused."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from ember.broker.context import OPEN_REQUESTS
from ember.kube.index import Kind, key_of
from ember.model import labels
from ember.plan.facts import WorkerReport
from tests.support.broker_world import (
    NAMESPACE,
    PODS,
    RELEASE,
    RUN,
    RUNS,
    Object,
    World,
    driver_pod,
    executor_pod,
    executor_wish,
    trusting,
)

OTHER_UID = "5d0c0ad6-0000-4000-8000-000000000002"


class Client:
    """Requests with a token."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def ask(self, method: str, path: str, token: str = "", body: Any = None, **headers: str) -> tuple[int, Any]:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        async with self.session.request(method, self.url + path, json=body, headers=headers) as answer:
            raw = await answer.read()
            return answer.status, json.loads(raw) if raw else None


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    async with world.serve() as (url, ca), aiohttp.ClientSession(connector=connector(ca)) as session:
        yield Client(session, url)


def connector(ca: str) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(ssl=trusting(ca))


def agent_token(world: World, node: str = "node-1", account: str = "ember-logagent", namespace: str = RELEASE) -> str:
    return world.review(f"system:serviceaccount:{namespace}:{account}", {"pod-name": "agent", "node-name": node})


# ---- workers


async def test_a_worker_learns_its_assignment_and_later_that_it_shall_stop(world: World, client: Client) -> None:
    driver = await world.start_run()
    token, name = world.pod_token(driver), driver["metadata"]["name"]
    status, idle = await client.ask("GET", "/worker/v1/assignment?known=0", token)
    assert (status, idle["phase"]) == (200, "idle")

    poll = asyncio.create_task(client.ask("GET", f"/worker/v1/assignment?known={idle['revision']}", token))
    await asyncio.sleep(0.1)
    world.assignments[name] = {"run": {"name": RUN}, "driver": {"properties": {}}}
    world.cluster.change(f"{PODS}/{name}", {"metadata": {"annotations": {"x": "y"}}})
    _, run = await poll
    assert run["phase"] == "run"
    assert set(run["secrets"]) == {"spark-token", "spark-auth"}
    assert run["secrets"]["spark-token"] == world.token_of(driver)

    poll = asyncio.create_task(client.ask("GET", f"/worker/v1/assignment?known={run['revision']}", token))
    await asyncio.sleep(0.1)
    await world.applier.stop_pod(NAMESPACE, name, driver["metadata"]["uid"], "Cancelled")
    _, stop = await poll
    assert (stop["phase"], stop["reason"]) == ("stop", "Cancelled")
    assert "secrets" not in stop


async def test_an_executor_is_not_given_the_drivers_token(world: World, client: Client) -> None:
    driver = await world.start_run()
    await client.ask("POST", PODS, world.token_of(driver), executor_wish())
    pod = await world.add(PODS, {**driver_pod(), "metadata": {**driver_pod()["metadata"], "name": "x"}})
    pod["metadata"]["labels"][labels.COMPONENT] = labels.EXECUTOR_ROLE
    world.cluster.change(f"{PODS}/x", {"metadata": {"labels": {labels.COMPONENT: labels.EXECUTOR_ROLE}}})
    world.assignments["x"] = {"executor": {}}
    _, run = await client.ask("GET", "/worker/v1/assignment", world.pod_token(pod))
    assert set(run["secrets"]) == {"spark-auth"}


async def test_a_poll_is_not_woken_by_what_changes_nothing(world: World, client: Client) -> None:
    driver = await world.start_run()
    token = world.pod_token(driver)
    _, first = await client.ask("GET", "/worker/v1/assignment", token)
    poll = asyncio.create_task(client.ask("GET", f"/worker/v1/assignment?known={first['revision']}", token))
    for number in range(3):
        await asyncio.sleep(0.05)
        patch = {"metadata": {"annotations": {"n": str(number)}}}
        world.cluster.change(f"{PODS}/{driver['metadata']['name']}", patch)
    assert not poll.done()
    poll.cancel()


async def test_a_pod_that_the_watch_has_not_told_of_yet_waits_for_it(world: World, client: Client) -> None:
    pod = driver_pod()
    pod["metadata"]["uid"] = "late"
    poll = asyncio.create_task(client.ask("GET", "/worker/v1/assignment", world.pod_token(pod)))
    await asyncio.sleep(0.2)
    await world.add(PODS, pod)
    assert (await poll)[0] == 200


async def test_an_ended_pod_is_told_so(world: World, client: Client) -> None:
    driver = await world.start_run()
    token = world.pod_token(driver)
    report = {"event": "ended", "exitCode": 3, "reason": "it failed", "marks": {"jvm": 0.5}}
    assert (await client.ask("POST", "/worker/v1/report", token, report))[0] == 204
    held = world.index.reports[driver["metadata"]["uid"]]
    assert (held.event, held.exit_code, held.reason, held.marks) == ("ended", 3, "it failed", {"jvm": 0.5})
    assert (await client.ask("GET", "/worker/v1/assignment", token))[0] == 410


async def test_a_late_started_does_not_undo_the_end(world: World, client: Client) -> None:
    driver = await world.start_run()
    token = world.pod_token(driver)
    for report in ({"event": "ended", "exitCode": 3}, {"event": "started", "marks": {"jvm": 1}}):
        await client.ask("POST", "/worker/v1/report", token, report)
    held = world.index.reports[driver["metadata"]["uid"]]
    assert (held.event, held.exit_code, held.marks) == ("ended", 3, {"jvm": 1.0})


async def test_a_new_broker_learns_how_far_a_worker_is_and_does_not_unlearn_it(world: World, client: Client) -> None:
    driver = await world.start_run()
    token, uid = world.pod_token(driver), driver["metadata"]["uid"]
    for said in ("ended", "anything", "started", "ready"):
        await client.ask("GET", f"/worker/v1/assignment?state={said}", token)
    assert world.index.reports[uid].event == "started"


async def test_a_claimed_worker_may_have_begun_once_it_was_told_its_run(world: World, client: Client) -> None:
    driver = await world.start_run()
    token, uid, name = world.pod_token(driver), driver["metadata"]["uid"], driver["metadata"]["name"]
    world.cluster.change(f"{PODS}/{name}", {"metadata": {"labels": {labels.POOL: "pool"}}})
    await client.ask("POST", "/worker/v1/report", token, {"event": "ready"})
    await client.ask("GET", "/worker/v1/assignment", token)
    assert world.index.reports[uid].event == "ready"
    world.assignments[name] = {"driver": {}}
    await client.ask("GET", "/worker/v1/assignment", token)
    assert world.index.reports[uid].event == "assigned"


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"event": "exploded"},
        {"event": "ended", "exitCode": "0"},
        {"event": "ended", "exitCode": True},
        {"event": "started", "marks": {"x": "y"}},
        {"event": "started", "marks": {str(n): n for n in range(65)}},
        {"event": "started", "marks": {"x": 10**400}},
        ["event"],
    ],
)
async def test_wrong_reports(world: World, client: Client, report: Any) -> None:
    token = world.pod_token(await world.start_run())
    assert (await client.ask("POST", "/worker/v1/report", token, report))[0] == 400


async def test_credentials_from_claim_to_end(world: World, client: Client) -> None:
    driver = await world.start_run()
    token = world.pod_token(driver)
    assert (await client.ask("GET", "/worker/v1/credentials", token))[0] == 403, "the tenant has no Secret yet"
    world.store_secret(AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="secret\n")
    status, credentials = await client.ask("GET", "/worker/v1/credentials", token)
    assert status == 200
    assert {k: credentials[k] for k in ("AccessKeyId", "SecretAccessKey", "Token")} == {
        "AccessKeyId": "key",
        "SecretAccessKey": "secret",
        "Token": None,
    }
    world.cluster.change(f"{RUNS}/{RUN}", {"status": {"state": "FAILED"}})
    assert (await client.ask("GET", "/worker/v1/credentials", token))[0] == 403


async def test_an_idle_worker_has_no_credentials(world: World, client: Client) -> None:
    pod = driver_pod()
    del pod["metadata"]["labels"][labels.JOB_RUN_UID]
    del pod["metadata"]["annotations"][labels.JOB_RUN_NAME]
    token = world.pod_token(await world.add(PODS, pod))
    assert (await client.ask("GET", "/worker/v1/credentials", token))[0] == 404


async def test_a_running_worker_is_not_worked_out_again_and_again(world: World, client: Client) -> None:
    driver, asked = await world.start_run(), list[str]()

    def assignment_of(pod: Object) -> Object:
        asked.append(pod["metadata"]["name"])
        return {"driver": {}}

    world.context.assignment_of = assignment_of
    token, name = world.pod_token(driver), driver["metadata"]["name"]
    _, run = await client.ask("GET", "/worker/v1/assignment", token)
    poll = asyncio.create_task(client.ask("GET", f"/worker/v1/assignment?known={run['revision']}", token))
    await asyncio.sleep(0.1)
    for number in range(3):
        world.cluster.change(f"{RUNS}/{RUN}", {"status": {"stateDetails": str(number)}})
        world.cluster.change(f"{PODS}/{name}", {"metadata": {"annotations": {"n": str(number)}}})
        await asyncio.sleep(0.02)
    assert len(asked) == 1
    await world.applier.stop_pod(NAMESPACE, name, driver["metadata"]["uid"], "Cancelled")
    assert (await poll)[1]["phase"] == "stop"


async def test_one_pod_may_not_hold_many_requests_open(world: World, client: Client) -> None:
    token = world.pod_token(await world.start_run())
    _, idle = await client.ask("GET", "/worker/v1/assignment", token)
    path = f"/worker/v1/assignment?known={idle['revision']}"
    polls = [asyncio.create_task(client.ask("GET", path, token)) for _ in range(OPEN_REQUESTS)]
    await asyncio.sleep(0.3)
    assert (await client.ask("GET", path, token))[0] == 429
    for poll in polls:
        poll.cancel()
    await asyncio.gather(*polls, return_exceptions=True)
    await asyncio.sleep(0.1)
    assert (await client.ask("GET", "/worker/v1/assignment", token))[0] == 200, "slots come back"


# ---- log agents


async def test_an_agent_learns_of_its_own_nodes_pods(world: World, client: Client) -> None:
    driver = await world.start_run()
    await world.add(PODS, driver_pod("other", OTHER_UID, node="node-2"))
    world.destinations[driver["metadata"]["name"]] = ["s3://b/logs/"]
    status, orders = await client.ask("GET", "/node/v1/pods", agent_token(world))
    assert status == 200
    expected = {
        "uid": driver["metadata"]["uid"],
        "namespace": NAMESPACE,
        "name": driver["metadata"]["name"],
        "container": "spark",
        "destinations": ["s3://b/logs/"],
        "ended": False,
    }
    assert [shortened(order, expected) for order in orders["pods"]] == [expected]

    token = agent_token(world)
    poll = asyncio.create_task(client.ask("GET", f"/node/v1/pods?known={orders['revision']}", token))
    await asyncio.sleep(0.1)
    world.index.report(driver, WorkerReport("ended", time.time(), 0))
    assert [shortened(order, expected) for order in (await poll)[1]["pods"]] == [{**expected, "ended": True}]


def shortened(order: Object, expected: Object) -> Object:
    """The fields that are named; an agent ignores what it does not know."""
    return {field: order[field] for field in expected}


async def test_complete_logs_are_taken_off_the_list(world: World, client: Client) -> None:
    driver = await world.start_run()
    token, uid = agent_token(world), driver["metadata"]["uid"]
    failed = {"uid": uid, "complete": False, "error": "AccessDenied"}
    assert (await client.ask("POST", "/node/v1/uploads", token, failed))[0] == 204
    assert world.index.uploads[uid].error == "AccessDenied"
    assert len((await client.ask("GET", "/node/v1/pods", token))[1]["pods"]) == 1
    await client.ask("POST", "/node/v1/uploads", token, {"uid": uid, "complete": True, "error": ""})
    assert world.index.uploads[uid].complete
    assert (await client.ask("GET", "/node/v1/pods", token))[1]["pods"] == []


async def test_an_agent_speaks_for_its_own_node_only(world: World, client: Client) -> None:
    driver = await world.start_run()
    uid = driver["metadata"]["uid"]
    await client.ask("POST", "/node/v1/uploads", agent_token(world, "node-2"), {"uid": uid, "complete": True})
    assert uid not in world.index.uploads
    world.store_secret(AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s")
    path = f"/node/v1/credentials?namespace={NAMESPACE}"
    assert (await client.ask("GET", path, agent_token(world, "node-1")))[0] == 200
    assert (await client.ask("GET", path, agent_token(world, "node-2")))[0] == 403
    assert (await client.ask("GET", "/node/v1/credentials?namespace=x", agent_token(world)))[0] == 403


async def test_the_nodes_name_in_the_token_wins(world: World, client: Client) -> None:
    await world.start_run()
    liar = {"X-Ember-Node": "node-1"}
    assert (await client.ask("GET", "/node/v1/pods", agent_token(world, "node-2"), **liar))[1]["pods"] == []
    nameless = agent_token(world, "")
    assert (await client.ask("GET", "/node/v1/pods", nameless))[0] == 403
    assert len((await client.ask("GET", "/node/v1/pods", nameless, **liar))[1]["pods"]) == 1


async def test_who_is_no_log_agent(world: World, client: Client) -> None:
    driver = await world.start_run()
    imposter = agent_token(world, namespace=NAMESPACE)
    for token, status in ((imposter, 403), (world.pod_token(driver), 403), ("a.b.c", 401), ("", 401)):
        assert (await client.ask("GET", "/node/v1/pods", token))[0] == status


# ---- Spark drivers


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


# ---- all


async def test_refusals_speak_the_language_of_who_asks(world: World, client: Client) -> None:
    status, failure = await client.ask("GET", PODS)
    assert (status, failure["kind"], failure["code"]) == (401, "Status", 401)
    status, failure = await client.ask("GET", "/worker/v1/assignment")
    assert (status, failure["error"]) == (401, "Unauthorized")
    assert (await client.ask("GET", "/healthz"))[0] == 200
    assert (await client.ask("GET", "/nothing"))[0] == 404


async def test_a_large_body_is_refused_after_the_token(world: World, client: Client) -> None:
    token = world.token_of(await world.start_run())
    large = executor_wish("1", SPARK_JAVA_OPT_1="x" * (1 << 20))
    assert (await client.ask("POST", PODS, "wrong", large))[0] == 401
    assert (await client.ask("POST", PODS, token, large))[0] == 413


async def test_when_the_api_server_is_away(world: World, client: Client) -> None:
    world.cluster.faults.append(lambda _method, _path: (503, {}, b"{}"))
    assert (await client.ask("GET", "/worker/v1/assignment", world.review("system:serviceaccount:a:b", {})))[0] == 503


async def test_stopping_answers_long_polls(world: World) -> None:
    driver = await world.start_run()
    async with world.serve() as (url, ca), aiohttp.ClientSession(connector=connector(ca)) as session:
        client, token = Client(session, url), world.pod_token(driver)
        _, first = await client.ask("GET", "/worker/v1/assignment", token)
        poll = asyncio.create_task(client.ask("GET", f"/worker/v1/assignment?known={first['revision']}", token))
        await asyncio.sleep(0.1)
        world.context.stop()
        assert (await asyncio.wait_for(poll, 2))[0] == 200


async def grant(world: World) -> Object:
    """Do what the handlers do for the executor that waits longest."""
    request = world.index.waiting_of_run((NAMESPACE, RUN))[0]
    pod = await world.applier.create_pod(executor_pod(request))
    world.index.remove_waiting(key_of(pod))
    return pod
