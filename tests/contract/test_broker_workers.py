"""The broker over TLS: what launchers are answered, and who is refused."""

import asyncio
from typing import Any

import pytest

from ember.broker.context import OPEN_REQUESTS
from ember.model import labels
from tests.support.broker_client import Client
from tests.support.broker_world import NAMESPACE, PODS, RUN, RUNS, Object, World, driver_pod, executor_wish


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


async def test_marks_do_not_pile_up(world: World, client: Client) -> None:
    driver = await world.start_run()
    for part in range(3):
        report = {"event": "started", "marks": {f"{part}-{n}": n for n in range(64)}}
        assert (await client.ask("POST", "/worker/v1/report", world.pod_token(driver), report))[0] == 204
    assert len(world.index.reports[driver["metadata"]["uid"]].marks) == 64


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
