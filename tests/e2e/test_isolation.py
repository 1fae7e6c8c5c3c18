"""What a run can reach: its own executors through the broker, and nothing else."""

import pytest

from local.install import NAMESPACE, TENANT
from local.store import keys
from tests.e2e.talks import CURIOUS, OTHER
from tests.support.e2e.cluster import Cluster, rules_of
from tests.support.e2e.manifests import job_run
from tests.support.e2e.run import Run
from tests.support.e2e.talk import Talk

submits = pytest.mark.submits

PODS = f"/api/v1/namespaces/{TENANT}/pods"
ROOT_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "root"},
    "spec": {
        "hostPID": True,
        "containers": [{"name": "root", "image": "root", "securityContext": {"privileged": True}}],
    },
}


@submits(CURIOUS)
def test_the_driver_has_no_kubernetes_token(talk: Talk) -> None:
    environment = talk.ask("environment")
    assert not environment["kubernetes"]
    assert all("/ember/" in path for path in environment["secrets"]), environment["secrets"]
    assert environment["user"] != 0


def test_the_workers_account_can_do_nothing(cluster: Cluster) -> None:
    allowed = {resource for rule in rules_of(cluster.kubectl, "ember-worker") for resource in rule["resources"]}
    assert allowed <= {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}


@submits(CURIOUS)
def test_the_store_s_keys_are_in_no_setting_and_no_variable(cluster: Cluster, talk: Talk) -> None:
    environment = talk.ask("environment")
    secret = keys().secret_key
    assert secret not in str(environment)
    assert secret not in str(cluster.pods_of(talk.run.name))
    assert talk.ask("token") not in str(cluster.pods_of(talk.run.name))


@submits(CURIOUS, OTHER)
def test_a_driver_sees_only_its_own_pods(cluster: Cluster, runs: list[Run]) -> None:
    curious, other = map(Talk, runs)
    assert other.ask("sum", numbers=10, slices=1) == 45
    status, mine = curious.broker("GET", PODS)
    assert status == 200
    assert {pod["metadata"]["name"] for pod in mine["items"]} <= {
        pod["metadata"]["name"] for pod in cluster.pods_of(curious.run.name)
    }
    app_id = other.run.status["jobRunId"]
    status, theirs = curious.broker("GET", f"{PODS}?labelSelector=spark-app-selector%3D{app_id}")
    assert (status, theirs["items"]) == (200, [])
    for pod in cluster.pods_of(other.run.name):
        for method in ("GET", "DELETE"):
            status, _ = curious.broker(method, f"{PODS}/{pod['metadata']['name']}")
            assert status in (403, 404)
    assert other.ask("sum", numbers=10, slices=1) == 45


@submits(CURIOUS)
def test_a_driver_cannot_make_pods_of_its_own(cluster: Cluster, talk: Talk) -> None:
    status, _ = talk.broker("POST", PODS, ROOT_POD)
    assert 400 <= status < 500
    status, _ = talk.broker("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", ROOT_POD)
    assert 400 <= status < 500
    for path in ("/api/v1/namespaces/kube-system/pods", f"/api/v1/namespaces/{TENANT}/secrets", "/api/v1/nodes"):
        status, _ = talk.broker("GET", path)
        assert status in (403, 404)
    assert cluster.kubectl.get("pod", "root", TENANT) is None


@submits(CURIOUS)
def test_a_wrong_token_is_refused(talk: Talk) -> None:
    status, _ = talk.broker("GET", PODS, token="wrong")
    assert status == 401


@submits(CURIOUS, job_run("tells-its-token", "token.py"))
def test_a_token_ends_with_its_run(runs: list[Run]) -> None:
    talk, ended = Talk(runs[0]), runs[1]
    status, _ = talk.broker("GET", PODS, token=ended.succeeds().answer())
    assert status == 401


@submits(CURIOUS)
def test_pods_are_restricted(cluster: Cluster, talk: Talk) -> None:
    talk.run.reaches("RUNNING")
    for pod in cluster.pods_of(talk.run.name):
        spec = pod["spec"]
        assert spec["serviceAccountName"] == "ember-worker"
        assert not spec["automountServiceAccountToken"]
        assert all(container["securityContext"]["readOnlyRootFilesystem"] for container in spec["containers"])


@pytest.mark.parametrize("namespace", [TENANT, NAMESPACE])
def test_network_policies_exist(cluster: Cluster, namespace: str) -> None:
    assert cluster.kubectl.list("networkpolicies", namespace)
