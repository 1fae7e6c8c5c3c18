"""The broker over TLS: what holds for all who ask."""

import asyncio

import aiohttp

from tests.support.broker_client import Client, connector
from tests.support.broker_world import PODS, World, executor_wish


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
