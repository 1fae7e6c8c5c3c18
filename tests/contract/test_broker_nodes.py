"""The broker over TLS: what log agents are answered, and who is refused."""

import asyncio
import time

from ember.plan.facts import WorkerReport
from tests.support.broker_client import Client, agent_token
from tests.support.broker_world import NAMESPACE, PODS, Object, World, driver_pod

OTHER_UID = "5d0c0ad6-0000-4000-8000-000000000002"


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
