"""Ember on the local cluster: images, store, chart; and what changed since, as fast as can be."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local import console, images, provider, store
from local.data import Data
from local.engines import stopping
from local.errors import LocalError
from local.kubectl import Kubectl, program
from local.lock import locked
from local.paths import cache_dir
from local.rollout import ready, rolled_out, wait_until
from local.shell import attempt

RELEASE = "ember"
NAMESPACE = "ember-system"
TENANT = "team-a"
CHART = Path(__file__).parents[1] / "charts" / "ember"
WORKLOADS = (("deployment", "ember-operator"), ("daemonset", "ember-logagent"))
LEADER = "app.kubernetes.io/component=operator,ember-spark.io/leader=true"
BROKER = f"/api/v1/namespaces/{NAMESPACE}/services/https:ember-broker:https/proxy/healthz"
# On the release's namespace: a hash of what was installed, once it was seen to work.
INSTALLED_MARK = "ember-spark.io/installed"
HELM_SECONDS = 120.0
START_SECONDS = 120.0


def install() -> Kubectl:
    """Have everything on the cluster, and return the way to it; quick when nothing changed."""
    with locked(cache_dir() / "install.lock", "another `install` or `reload`"):
        target = provider.current()
        _start(target)
        made = images.build_and_push(["spark", "operator", "minio"])
        cluster = Kubectl(target.kubeconfig)
        store.Store(cluster).install(made["minio"], Data())
        _install_chart(cluster, chart_values(made, target.pod_logs), made["operator"])
        return cluster


def reload() -> None:
    """Bring changed code into the running cluster: only its layers are built and pushed."""
    with locked(cache_dir() / "install.lock", "another `install` or `reload`"):
        target = provider.current()
        if not target.healthy():
            raise LocalError("The cluster is not up: `make install` starts it and installs Ember.")
        made = images.build_and_push(["spark", "operator"])
        _install_chart(Kubectl(target.kubeconfig), chart_values(made, target.pod_logs), made["operator"])


def _start(target: provider.Provider) -> None:
    """Have the cluster up. From nothing, compilers build its programs while the images wait for their downloads."""
    if target.healthy():
        target.up()
        return
    target.prepare()
    with ThreadPoolExecutor(1) as pool, stopping():
        building = pool.submit(images.build)
        target.up()
        building.result()


def chart_values(made: dict[str, str], pod_logs: Path) -> dict[str, Any]:
    """Return the chart's values for a small machine: worker pods ask for less than they are allowed."""
    repository, _, tag = made["operator"].rpartition(":")
    return {
        "image": {"repository": repository, "tag": tag},
        "tenants": [{"namespace": TENANT, "create": True}],
        "releases": {"spark-4.1.2": {"image": made["spark"]}},
        "logAgent": {"podLogsPath": str(pod_logs)},
        # Thirty workers at once have room on two cores, and the operator goes before them when all want to run.
        "operator": {"resources": {"requests": {"cpu": "200m"}}},
        "workers": {"cpuOvercommit": 20, "memoryOvercommit": 4, "diskRequest": "none"},
        "store": {
            "endpoint": store.ENDPOINT,
            "region": store.REGION,
            "pathStyle": True,
            "managedLogUri": "s3://ember-managed/logs",
        },
    }


def _install_chart(cluster: Kubectl, values: dict[str, Any], image: str) -> None:
    fingerprint = _fingerprint(values)
    namespace = cluster.get("namespace", NAMESPACE) or {}
    installed = namespace.get("metadata", {}).get("annotations", {}).get(INSTALLED_MARK)
    if installed == fingerprint and _leads(cluster, image):
        console.say("Ember is installed; nothing has changed.")
        return
    with console.step("chart installed"):
        _apply_namespace(cluster, "")
        _forget_interrupted(cluster)
        _helm(cluster, values)
        cluster.apply([_store_secret()])
    _works(cluster, image)
    _apply_namespace(cluster, fingerprint)


@contextmanager
def changed(cluster: Kubectl, values: Mapping[str, Any]) -> Iterator[None]:
    """Have some other values of the chart for a while, and those of before again afterwards."""
    operator = cluster.get(*WORKLOADS[0], NAMESPACE) or {}
    image: str = operator["spec"]["template"]["spec"]["containers"][0]["image"]
    namespace = cluster.get("namespace", NAMESPACE) or {}
    # Whatever happens meanwhile, the next `install` shall look again.
    _apply_namespace(cluster, "")
    _helm(cluster, values, "--reuse-values")
    try:
        _works(cluster, image)
        yield
    finally:
        _run_helm(cluster, "rollback", RELEASE, "--namespace", NAMESPACE)
        _works(cluster, image)
    _apply_namespace(cluster, namespace["metadata"]["annotations"][INSTALLED_MARK])


def _works(cluster: Kubectl, image: str) -> None:
    """Wait until everything that runs is what is installed."""
    with console.step("operator leads, log agent runs, broker answers"):
        wait_until(
            "Ember",
            lambda: _rolled_out(cluster) and _leads(cluster, image) and _answers(cluster),
            START_SECONDS,
            cluster,
            NAMESPACE,
        )


def _fingerprint(values: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps([values, _store_secret()], sort_keys=True).encode())
    for path in sorted(path for path in CHART.rglob("*") if path.is_file()):
        digest.update(f"\0{path.relative_to(CHART)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _apply_namespace(cluster: Kubectl, fingerprint: str) -> None:
    """Make the release's namespace: the log agent reads the node's files, which only `privileged` allows."""
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    metadata = {"name": NAMESPACE, "labels": labels, "annotations": {INSTALLED_MARK: fingerprint}}
    cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])


def _store_secret() -> dict[str, Any]:
    """Return the tenant's Secret: the store's keys, which the broker hands to its workers."""
    held = store.keys()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "ember-store", "namespace": TENANT},
        "stringData": {"AWS_ACCESS_KEY_ID": held.access_key, "AWS_SECRET_ACCESS_KEY": held.secret_key},
    }


def _forget_interrupted(cluster: Kubectl) -> None:
    """Delete the record of an interrupted helm: it would refuse to go on, and we hold the lock."""
    for state in ("pending-install", "pending-upgrade", "pending-rollback"):
        cluster.run("delete", "secret", "-n", NAMESPACE, "-l", f"owner=helm,name={RELEASE},status={state}")


def _helm(cluster: Kubectl, values: Mapping[str, Any], *options: str) -> None:
    # On a cluster of one's own, what somebody made by hand before (a tenant's namespace, a CRD) is no obstacle.
    command = ["upgrade", "--install", "--take-ownership", "--force-conflicts", *options]
    command += [RELEASE, str(CHART), "--namespace", NAMESPACE, "--values", "-"]
    _run_helm(cluster, *command, stdin=json.dumps(values))


def _run_helm(cluster: Kubectl, *command: str, stdin: str = "") -> None:
    done = attempt([program("helm"), *command], stdin=stdin, env=cluster.environment, timeout=HELM_SECONDS)
    if done.returncode:
        raise LocalError(f"helm: {done.stderr.strip()}")


def _rolled_out(cluster: Kubectl) -> bool:
    return all(rolled_out(cluster.get(kind, name, NAMESPACE)) for kind, name in WORKLOADS)


def _leads(cluster: Kubectl, image: str) -> bool:
    """Return whether the leader is an operator of this image."""
    pods = cluster.list("pods", NAMESPACE, LEADER)
    leaders = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return len(leaders) == 1 and ready(leaders[0]) and leaders[0]["spec"]["containers"][0]["image"] == image


def _answers(cluster: Kubectl) -> bool:
    """Return whether the broker answers through its Service."""
    done = attempt([program("kubectl"), "get", "--raw", BROKER], env=cluster.environment, timeout=10)
    return done.returncode == 0
