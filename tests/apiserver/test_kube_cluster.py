"""The client, the writes, the lease and the token review on a real API server."""

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from ember.broker.identity import ensure
from ember.kube.apply import Applier
from ember.kube.client import Cluster
from ember.kube.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound, Unavailable
from ember.kube.index import Index, Kind, key_of
from ember.kube.lease import Elector, Timing, label_leader
from ember.kube.resources import (
    CONFIG_MAPS,
    EVENTS,
    JOB_RUNS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
)
from ember.kube.resync import Resync
from ember.kube.retry import ONCE
from ember.kube.tokens import TokenReviewer
from ember.model import labels
from local.provider import current

pytestmark = pytest.mark.cluster
Object = dict[str, Any]


async def connect() -> Cluster:
    configuration = Configuration()
    path = os.environ.get("KUBECONFIG") or str(current().kubeconfig)
    await config.load_kube_config(path, client_configuration=configuration)  # type: ignore[no-untyped-call]
    return Cluster(configuration)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = await connect()
    yield made
    await made.close()


@pytest.fixture
async def namespace(cluster: Cluster) -> AsyncIterator[str]:
    name = f"ember-test-{uuid.uuid4().hex[:8]}"
    await cluster.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    await cluster.delete(NAMESPACES, None, name)


@pytest.fixture
async def account(cluster: Cluster, namespace: str) -> str:
    """The UID of the ServiceAccount that pods run as and that owns them: the garbage collector takes orphans."""
    meta = {"namespace": namespace, "name": "worker"}
    made = await cluster.create(SERVICE_ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    return str(made["metadata"]["uid"])


def config_map(namespace: str, name: str = "c", **data: str) -> Object:
    meta = {"namespace": namespace, "name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def worker_pod(namespace: str, owner: str, name: str = "p") -> Object:
    """A pod that no scheduler takes: it exists, and that is all."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": {labels.MANAGED_BY: labels.MANAGED_BY_EMBER},
            "annotations": {labels.APPLICATION_NAME: "app", labels.JOB_RUN_NAME: "run"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "ServiceAccount", "name": "worker", "uid": owner}],
        },
        "spec": {
            "serviceAccountName": "worker",
            "schedulerName": "nobody",
            "containers": [{"name": "spark", "image": "none"}],
        },
    }


async def test_create_read_patch_replace_and_delete(cluster: Cluster, namespace: str) -> None:
    made = await cluster.create(CONFIG_MAPS, config_map(namespace, a="1"))
    with pytest.raises(AlreadyExists, match="already exists"):
        await cluster.create(CONFIG_MAPS, config_map(namespace))
    patched = await cluster.patch(CONFIG_MAPS, namespace, "c", {"data": {"b": "2"}})
    assert patched["data"] == {"a": "1", "b": "2"}
    with pytest.raises(Conflict):
        await cluster.replace(CONFIG_MAPS, made)
    with pytest.raises(Conflict):
        await cluster.patch(CONFIG_MAPS, namespace, "c", {"metadata": {"uid": str(uuid.uuid4())}})
    assert await cluster.delete(CONFIG_MAPS, namespace, "c", uid=str(uuid.uuid4())) is None
    assert await cluster.delete(CONFIG_MAPS, namespace, "c", uid=made["metadata"]["uid"]) is not None
    assert await cluster.delete(CONFIG_MAPS, namespace, "c") is None
    with pytest.raises(NotFound):
        await cluster.get(CONFIG_MAPS, namespace, "c")


async def test_what_is_wrong_and_what_is_forbidden(cluster: Cluster, namespace: str) -> None:
    with pytest.raises(Invalid, match="Invalid value"):
        await cluster.create(CONFIG_MAPS, config_map(namespace, "Not_a_name"))
    with pytest.raises((Forbidden, NotFound)):
        await cluster.create(CONFIG_MAPS, config_map("no-such-namespace"))


async def test_nobody_answers() -> None:
    cluster = Cluster(Configuration(host="http://127.0.0.1:1"))
    with pytest.raises(Unavailable) as error:
        await cluster.get(CONFIG_MAPS, "n", "c", retry=ONCE)
    assert not error.value.maybe_done
    await cluster.close()


async def test_server_side_apply_forgets_what_is_not_said_any_more(cluster: Cluster, namespace: str) -> None:
    await cluster.apply(CONFIG_MAPS, config_map(namespace, a="1", b="2"))
    answer = await cluster.apply(CONFIG_MAPS, config_map(namespace, b="3"))
    assert answer["data"] == {"b": "3"}


async def test_a_list_in_pages_is_whole(cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ember.kube.client.PAGE", 2)
    for number in range(5):
        await cluster.create(CONFIG_MAPS, config_map(namespace, f"c{number}"))
    items, version = await cluster.list_at(CONFIG_MAPS, namespace)
    assert {f"c{n}" for n in range(5)} <= {item["metadata"]["name"] for item in items}
    assert all(item["kind"] == "ConfigMap" for item in items)
    assert version > 0


async def test_a_status_is_written_whole(cluster: Cluster, namespace: str) -> None:
    meta = {"namespace": namespace, "name": "run"}
    spec = {"applicationRef": {"name": "app"}, "jobDriver": {"sparkSubmit": {"entryPoint": "s3://b/job.py"}}}
    made = await cluster.create(
        JOB_RUNS, {"apiVersion": labels.API_VERSION, "kind": "JobRun", "metadata": meta, "spec": spec}
    )
    index = Index()
    applier = Applier(cluster, index)
    await applier.apply_status(Kind.JOB_RUN, namespace, "run", {"state": "QUEUED", "stateDetails": "full"})
    answer = await applier.apply_status(Kind.JOB_RUN, namespace, "run", {"state": "RUNNING"}, made["metadata"]["uid"])
    assert answer["status"] == {"state": "RUNNING"}
    held = index.get(Kind.JOB_RUN, (namespace, "run"))
    assert held is not None
    assert held["status"] == {"state": "RUNNING"}
    assert "managedFields" not in held["metadata"]
    with pytest.raises(Conflict):
        await applier.apply_status(Kind.JOB_RUN, namespace, "run", {"state": "FAILED"}, str(uuid.uuid4()))
    with pytest.raises(NotFound):
        await applier.apply_status(Kind.JOB_RUN, namespace, "gone", {"state": "FAILED"})


async def test_the_life_of_a_pod(cluster: Cluster, namespace: str, account: str) -> None:
    index = Index()
    applier = Applier(cluster, index)
    pod = await applier.create_pod(worker_pod(namespace, account))
    uid = pod["metadata"]["uid"]
    assert (await applier.create_pod(worker_pod(namespace, account)))["metadata"]["uid"] == uid, "a repeat"
    with pytest.raises(AlreadyExists):
        await applier.create_pod(worker_pod(namespace, "another-owner"))
    with pytest.raises(Conflict):
        await applier.stop_pod(namespace, "p", str(uuid.uuid4()), "reason")
    await applier.stop_pod(namespace, "p", uid, "reason")
    held = index.get(Kind.POD, (namespace, "p"))
    assert held is not None
    assert held["metadata"]["annotations"][labels.STOP] == "reason"
    version = held["metadata"]["resourceVersion"]
    await applier.annotate_pod(namespace, "p", {"a": "1"}, resource_version=version)
    with pytest.raises(Conflict):
        await applier.annotate_pod(namespace, "p", {"a": "2"}, resource_version=version)
    assert not await applier.delete_pod(namespace, "p", str(uuid.uuid4()))
    assert await applier.delete_pod(namespace, "p", uid, grace=0)
    assert not await applier.delete_pod(namespace, "p", uid)
    assert index.get(Kind.POD, (namespace, "p")) is None


async def test_of_two_claims_one_wins_and_may_be_repeated(cluster: Cluster, namespace: str, account: str) -> None:
    applier = Applier(cluster, Index())
    pod = await applier.create_pod(worker_pod(namespace, account))
    version = pod["metadata"]["resourceVersion"]

    async def claim(run: str) -> Object:
        return await applier.claim_pod(
            namespace,
            "p",
            annotations={"a": run},
            pod_labels={labels.JOB_RUN_UID: f"uid-{run}"},
            owner=pod["metadata"]["ownerReferences"][0],
            uid=pod["metadata"]["uid"],
            resource_version=version,
        )

    first = await claim("one")
    again = await claim("one")  # as after a lost answer
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        await claim("two")
    await cluster.delete(PODS, namespace, "p", grace=0)


async def test_admission_refuses_and_nothing_counts(cluster: Cluster, namespace: str, account: str) -> None:
    index = Index()
    pod = worker_pod(namespace, account)
    pod["spec"]["serviceAccountName"] = "no-such-account"
    with pytest.raises(Forbidden, match="no-such-account"):
        await Applier(cluster, index).create_pod(pod)
    assert not index.all(Kind.POD)


async def test_a_resync_finds_what_a_watch_lost(cluster: Cluster, namespace: str, account: str) -> None:
    index = Index()
    pod = await Applier(cluster, index).create_pod(worker_pod(namespace, account))
    await cluster.delete(PODS, namespace, "p", grace=0)
    assert await Resync(cluster, index, [namespace]).run(datetime.now(UTC)) == [key_of(pod)]


async def test_a_repeated_event_is_counted(cluster: Cluster, namespace: str, account: str) -> None:
    pod = await Applier(cluster, Index()).create_pod(worker_pod(namespace, account))
    for message in ("first", "second"):
        await Applier(cluster, Index()).post_event(pod, "Warning", "Stuck", message)
    events = [e for e in await cluster.list_all(EVENTS, namespace) if e["reason"] == "Stuck"]
    assert [(e["count"], e["message"]) for e in events] == [(2, "second")]


async def test_one_of_two_leads_and_a_loss_is_noticed(cluster: Cluster, namespace: str) -> None:
    timing = Timing(duration=3, deadline=2, period=0.3)
    first, second = (Elector(cluster, namespace, "op", name, timing) for name in ("a", "b"))
    await first.acquire()
    holding, waiting = asyncio.create_task(first.hold()), asyncio.create_task(second.acquire())
    await asyncio.sleep(4)
    assert first.held()
    assert not waiting.done()
    taken = {"spec": {"holderIdentity": "thief", "leaseDurationSeconds": 1}}
    while not holding.done():  # a renewal may just be under way, and then has the later word
        await cluster.patch(LEASES, namespace, "op", taken)
        await asyncio.wait([holding], timeout=1)
    assert not first.held()
    await asyncio.wait_for(waiting, 10)
    lease = await cluster.get(LEASES, namespace, "op")
    assert lease["spec"]["holderIdentity"] == "b"
    await second.release()
    started = time.monotonic()
    await first.acquire()
    assert time.monotonic() - started < 2, "a lease that was given back is free at once"


async def test_two_at_once(namespace: str) -> None:
    clusters = [await connect() for _ in range(4)]
    electors = [Elector(c, namespace, "race", str(n)) for n, c in enumerate(clusters)]
    won = await asyncio.gather(*(elector._try() for elector in electors))
    assert sum(won) == 1
    for made in clusters:
        await made.close()


async def test_the_leaders_mark(cluster: Cluster, namespace: str, account: str) -> None:
    await cluster.create(PODS, worker_pod(namespace, account))
    for leads in (True, False):
        await label_leader(cluster, namespace, "p", leads)
        held = await cluster.get(PODS, namespace, "p")
        assert held["metadata"]["labels"].get(labels.LEADER) == ("true" if leads else None)


async def test_a_pods_token_says_which_pod_it_is(cluster: Cluster, namespace: str, account: str) -> None:
    pod = await cluster.create(PODS, worker_pod(namespace, account))
    reviewer = TokenReviewer(cluster)
    caller = await reviewer.review(await token(cluster, pod, [labels.BROKER_AUDIENCE]))
    assert caller is not None
    assert (caller.namespace, caller.service_account) == (namespace, "worker")
    assert (caller.pod_name, caller.pod_uid) == ("p", pod["metadata"]["uid"])
    assert await reviewer.review(await token(cluster, pod, ["https://elsewhere"])) is None
    assert await reviewer.review(await token(cluster, pod, None)) is None, "one for the API server itself"
    fresh = await token(cluster, pod, [labels.BROKER_AUDIENCE])
    await cluster.delete(PODS, namespace, "p", grace=0)
    deadline = time.monotonic() + 15  # the API server looks the pod up in a cache of its own
    while await TokenReviewer(cluster).review(fresh) is not None:
        assert time.monotonic() < deadline, "the token outlives its pod"
        await asyncio.sleep(0.2)


async def test_a_token_names_the_node(cluster: Cluster, namespace: str, account: str) -> None:
    pod = worker_pod(namespace, account)
    pod["spec"]["nodeName"] = (await cluster.list_all(NODES))[0]["metadata"]["name"]
    made = await cluster.create(PODS, pod)
    caller = await TokenReviewer(cluster).review(await token(cluster, made, [labels.BROKER_AUDIENCE]))
    assert caller is not None
    assert caller.node_name == pod["spec"]["nodeName"]


async def test_the_brokers_keys(cluster: Cluster, namespace: str) -> None:
    now = datetime.now(UTC)
    first, second = await asyncio.gather(*(ensure(cluster, namespace, ["broker"], now) for _ in range(2)))
    assert first == second
    moved = await ensure(cluster, namespace, ["elsewhere"], now)
    assert (moved.ca, moved.signing_key) == (first.ca, first.signing_key)
    assert (await cluster.get(SECRETS, namespace, "ember-broker"))["type"] == "Opaque"


async def token(cluster: Cluster, pod: Object, audiences: list[str] | None) -> str:
    """A token as the kubelet projects it into that pod."""
    meta = pod["metadata"]
    bound = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"namespace": meta["namespace"], "name": "worker"},
        "spec": {"boundObjectRef": bound, "expirationSeconds": 600, **({"audiences": audiences} if audiences else {})},
    }
    answer = await cluster.create(SERVICE_ACCOUNTS, body, "token")
    return str(answer["status"]["token"])
