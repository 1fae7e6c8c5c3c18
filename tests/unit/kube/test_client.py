"""The client's errors and retries, the writes' effect on the index, and the resync."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ember.kube.apply import Applier
from ember.kube.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    NotLeader,
    Unavailable,
    from_answer,
)
from ember.kube.index import Index, Kind, key_of
from ember.kube.resources import JOB_RUNS, LEASES, PODS, SECRETS
from ember.kube.resync import Resync
from ember.kube.retry import Retry
from tests.support.broker_world import NAMESPACE, driver_pod, job_run
from tests.support.broker_world import PODS as PATH
from tests.support.memory_api import MemoryCluster, Object

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SECRET: Object = {"metadata": {"namespace": "n", "name": "s"}}


def times(number: int, status: int, method: str = "") -> Any:
    """A fault that strikes the first `number` requests."""
    left = [number]

    def fault(asked: str, _path: str) -> tuple[int, dict[str, str], bytes] | None:
        if left[0] <= 0 or (method and asked != method):
            return None
        left[0] -= 1
        return status, {}, b'{"message": "because"}'

    return fault


@pytest.fixture
async def cluster() -> MemoryCluster:
    return MemoryCluster()


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (400, "BadRequest", Invalid),
        (401, "Unauthorized", Forbidden),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (409, "Conflict", Conflict),
        (409, "AlreadyExists", AlreadyExists),
        (410, "Expired", Gone),
        (422, "Invalid", Invalid),
        (429, "TooManyRequests", Unavailable),
        (500, "InternalError", Unavailable),
        (503, "ServiceUnavailable", Unavailable),
    ],
)
def test_errors_have_types_and_the_servers_words(status: int, reason: str, error: type[ApiError]) -> None:
    raised = from_answer(status, {}, f'{{"reason": "{reason}", "message": "because"}}'.encode())
    assert type(raised) is error
    assert str(raised) == "because"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'"x"', b'{"message": null}', b"\xff\xfe"])
def test_errors_of_what_stands_before_the_api_server(body: bytes) -> None:
    assert isinstance(from_answer(502, {}, body), Unavailable)


def test_only_some_failures_leave_it_open_whether_it_was_done() -> None:
    open_ = {status: from_answer(status, {}, b"{}") for status in (429, 500, 503, 504)}
    assert {s: e.maybe_done for s, e in open_.items() if isinstance(e, Unavailable)} == {
        429: False,
        500: True,
        503: False,
        504: True,
    }


async def test_passing_failures_are_tried_again(cluster: MemoryCluster) -> None:
    cluster.faults.append(times(2, 503))
    await cluster.create(SECRETS, dict(SECRET))
    assert len(cluster.sent) == 3


async def test_retries_are_bounded(cluster: MemoryCluster) -> None:
    cluster.faults.append(times(99, 429))
    with pytest.raises(Unavailable, match="because"):
        await cluster.get(SECRETS, "n", "s")
    assert len(cluster.sent) == 3


async def test_what_is_wrong_is_not_tried_again(cluster: MemoryCluster) -> None:
    cluster.faults.append(times(99, 422))
    with pytest.raises(Invalid):
        await cluster.create(SECRETS, dict(SECRET))
    assert len(cluster.sent) == 1


def test_waits_grow_within_bounds_and_heed_the_server() -> None:
    retry = Retry(first_wait=0.1, longest_wait=5)
    assert all(0.05 <= retry.wait(0, None) <= 0.1 for _ in range(20))
    assert all(2.5 <= retry.wait(30, None) <= 5 for _ in range(20))
    assert retry.wait(0, 2.0) == 2.0
    assert retry.wait(0, 600.0) == 5.0


async def test_every_request_is_observed() -> None:
    seen: list[tuple[str, str, str]] = []
    cluster = MemoryCluster(observer=lambda verb, resource, code, _seconds: seen.append((verb, resource, code)))
    await cluster.list_all(SECRETS, "n")
    with pytest.raises(NotFound):
        await cluster.get(SECRETS, "n", "s")
    assert seen == [("LIST", "secrets", "200"), ("GET", "secrets", "404")]


async def test_who_does_not_lead_writes_nothing(cluster: MemoryCluster) -> None:
    cluster.fence = lambda: False
    with pytest.raises(NotLeader):
        await cluster.create(SECRETS, dict(SECRET))
    assert not cluster.sent
    assert await cluster.list_all(SECRETS, "n") == []
    await cluster.create(LEASES, {"metadata": {"namespace": "n", "name": "l"}})


# ---- pods and the index


@pytest.fixture
async def silent() -> tuple[MemoryCluster, Index, Applier]:
    """A cluster whose watch says nothing: what the index knows, it knows from writes."""
    cluster, index = MemoryCluster(), Index()
    return cluster, index, Applier(cluster, index, clock=lambda: NOW)


Silent = tuple[MemoryCluster, Index, Applier]


async def test_a_pod_counts_before_its_request_leaves(silent: Silent) -> None:
    cluster, index, applier = silent
    counted: list[Object | None] = []

    def look(_method: str, _path: str) -> None:
        counted.append(index.get(Kind.POD, key_of(driver_pod())))

    cluster.faults.append(look)
    created = await applier.create_pod(driver_pod())
    assert counted[0] is not None
    assert "uid" not in counted[0]["metadata"]
    assert counted[0]["metadata"]["creationTimestamp"] == "2026-11-21T00:00:00Z"
    assert index.get(Kind.POD, key_of(created)) == created


@pytest.mark.parametrize("status", [403, 422, 429])
async def test_a_refused_pod_does_not_count(silent: Silent, status: int) -> None:
    cluster, index, applier = silent
    cluster.faults.append(times(99, status))
    with pytest.raises(ApiError):
        await applier.create_pod(driver_pod())
    assert not index.all(Kind.POD)


async def test_a_pod_of_unknown_fate_counts_until_it_is_settled(silent: Silent) -> None:
    cluster, index, applier = silent
    cluster.faults.append(times(99, 504))
    with pytest.raises(Unavailable):
        await applier.create_pod(driver_pod())
    assert index.all(Kind.POD)
    cluster.faults.clear()
    resync = Resync(cluster, index)
    assert await resync.run(NOW + timedelta(seconds=60)) == [], "the API server may still be at it"
    assert await resync.run(NOW + timedelta(seconds=120)) == [key_of(driver_pod())]
    assert not index.all(Kind.POD)


async def test_the_watch_may_be_quicker_than_a_failure(silent: Silent) -> None:
    cluster, index, applier = silent

    def created_but_refused(method: str, _path: str) -> Any:
        if method != "POST":
            return None
        real = {**driver_pod(), "metadata": {**driver_pod()["metadata"], "uid": "u", "resourceVersion": "5"}}
        index.put(Kind.POD, real)
        return 403, {}, b"{}"

    cluster.faults.append(created_but_refused)
    with pytest.raises(Forbidden):
        await applier.create_pod(driver_pod())
    assert index.get(Kind.POD, key_of(driver_pod())) is not None, "a real pod stays"


async def test_a_repeat_after_a_lost_answer_is_a_success(silent: Silent) -> None:
    _, index, applier = silent
    first = await applier.create_pod(driver_pod())
    index.remove(Kind.POD, key_of(first))
    index._gone.clear()  # another process: it has only the cluster
    assert (await applier.create_pod(driver_pod()))["metadata"]["uid"] == first["metadata"]["uid"]


async def test_a_pod_of_another_owner_is_not_ours(silent: Silent) -> None:
    _, index, applier = silent
    foreign = driver_pod()
    foreign["metadata"]["ownerReferences"][0]["uid"] = "someone-else"
    await applier.create_pod(foreign)
    index.remove(Kind.POD, key_of(foreign))
    with pytest.raises(AlreadyExists):
        await applier.create_pod(driver_pod())


async def test_deleting_is_for_that_very_pod(silent: Silent) -> None:
    cluster, index, applier = silent
    pod = await applier.create_pod(driver_pod())
    assert not await applier.delete_pod(*key_of(pod), "another-uid")
    assert f"{PATH}/{pod['metadata']['name']}" in cluster.objects
    assert index.get(Kind.POD, key_of(pod)) is not None
    assert await applier.delete_pod(*key_of(pod), pod["metadata"]["uid"])
    assert not await applier.delete_pod(*key_of(pod), pod["metadata"]["uid"])
    assert index.get(Kind.POD, key_of(pod)) is None


async def test_of_two_claims_one_wins(silent: Silent) -> None:
    _, _, applier = silent
    pod = await applier.create_pod(driver_pod())
    version = pod["metadata"]["resourceVersion"]
    await applier.annotate_pod(*key_of(pod), {"run": "a"}, resource_version=version)
    with pytest.raises(Conflict):
        await applier.annotate_pod(*key_of(pod), {"run": "b"}, resource_version=version)


async def test_repeated_events_become_one(silent: Silent) -> None:
    cluster, _, applier = silent
    pod = await applier.create_pod(driver_pod())
    await applier.post_event(pod, "Warning", "Stuck", "first words")
    await applier.post_event(pod, "Warning", "Stuck", "first words")
    await applier.post_event(pod, "Warning", "Stuck", "other words")
    events = [obj for path, obj in cluster.objects.items() if "/events/" in path]
    assert [(e["count"], e["message"]) for e in events] == [(2, "other words")]


async def test_an_event_that_fails_does_no_harm(silent: Silent) -> None:
    cluster, _, applier = silent
    pod = await applier.create_pod(driver_pod())
    cluster.faults.append(times(99, 403))
    await applier.post_event(pod, "Normal", "Done", "words")


async def test_a_status_is_that_very_objects(silent: Silent) -> None:
    cluster, index, applier = silent
    run = await cluster.create(JOB_RUNS, job_run())
    index.put(Kind.JOB_RUN, run)
    await applier.apply_status(Kind.JOB_RUN, *key_of(run), {"state": "SUCCESS"})
    held = index.get(Kind.JOB_RUN, key_of(run))
    assert held is not None
    assert held["status"] == {"state": "SUCCESS"}
    path = next(path for path in cluster.objects if "/jobruns/" in path)
    del cluster.objects[path]
    await cluster.create(JOB_RUNS, job_run(uid="another", state="SUBMITTED"))
    with pytest.raises(Conflict):
        await applier.apply_status(Kind.JOB_RUN, *key_of(run), {"state": "FAILED"})
    assert cluster.objects[path]["status"]["state"] == "SUBMITTED"


# ---- resync


async def test_lost_deletions_are_found_and_late_news_kept(silent: Silent) -> None:
    cluster, index, applier = silent
    gone = await applier.create_pod(driver_pod("a", "uid-a"))
    kept = await applier.create_pod(driver_pod("b", "uid-b"))
    del cluster.objects[f"{PATH}/{gone['metadata']['name']}"]
    newer = {**driver_pod("c", "uid-c")}
    newer["metadata"] |= {"uid": "c", "resourceVersion": "999999"}
    index.put(Kind.POD, newer)  # made after the list
    assert await Resync(cluster, index, [NAMESPACE]).run(NOW) == [key_of(gone)]
    assert {key_of(pod) for pod in index.all(Kind.POD)} == {key_of(kept), key_of(newer)}


async def test_an_answer_that_comes_after_the_end_raises_no_ghost(silent: Silent) -> None:
    _, index, applier = silent
    pod = await applier.create_pod(driver_pod())
    index.remove(Kind.POD, key_of(pod), pod["metadata"]["uid"])
    assert not index.put(Kind.POD, {**pod, "metadata": {**pod["metadata"], "resourceVersion": "99999"}})
    assert index.get(Kind.POD, key_of(pod)) is None


async def test_pods_are_listed_by_our_label(silent: Silent) -> None:
    cluster, index, _ = silent
    foreign = driver_pod()
    foreign["metadata"]["labels"] = {}
    await cluster.create(PODS, foreign)
    await Resync(cluster, index).run(NOW)
    assert not index.all(Kind.POD)
