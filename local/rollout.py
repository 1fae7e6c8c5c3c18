"""Wait for Deployments and DaemonSets, and say why when they do not get there."""

import time
from collections.abc import Callable

from local import console
from local.errors import LocalError
from local.kubectl import Kubectl, Object

POLL_SECONDS = 0.25
HOPELESS = ("CrashLoopBackOff", "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerError")
# A pod may crash while what it needs is still on its way, and a pull may fail once.
PATIENCE_SECONDS = 20.0


def wait_until(what: str, check: Callable[[], bool], seconds: float, cluster: Kubectl, namespace: str) -> None:
    """Wait for a condition; a timeout or a hopeless pod is an error, after the reasons have been shown."""
    started = time.monotonic()
    while not check():
        waited = time.monotonic() - started
        stuck = hopeless(cluster.list("pods", namespace)) if waited > PATIENCE_SECONDS else ""
        if stuck or waited > seconds:
            explain(cluster, namespace)
            raise LocalError(f"{what}: {stuck or f'not within {seconds:.0f} s'}.")
        time.sleep(POLL_SECONDS)


def rolled_out(workload: Object | None) -> bool:
    """Return whether all pods of a Deployment or DaemonSet are those of its latest version, and ready."""
    if workload is None:
        return False
    status = workload.get("status", {})
    if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
        return False
    if workload["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        return bool(wanted) and status.get("updatedNumberScheduled", 0) == status.get("numberAvailable", 0) == wanted
    wanted = workload["spec"].get("replicas", 1)
    counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    return counts == {wanted}


def hopeless(pods: list[Object]) -> str:
    """Return the first pod that will not start by itself, with the reason; empty if there is none.

    Of pods that do the same only the newest counts: the older ones are being replaced, perhaps for that very reason.
    """
    newest = {_role(pod): pod for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))}
    for pod in newest.values():
        for container in pod.get("status", {}).get("containerStatuses", []):
            waiting = container["state"].get("waiting", {})
            if waiting.get("reason") in HOPELESS:
                return f"pod {pod['metadata']['name']}: {waiting['reason']}: {waiting.get('message', '')}".strip(": ")
    return ""


def _role(pod: Object) -> tuple[str, ...]:
    labels = pod["metadata"].get("labels", {})
    return tuple(labels.get(f"app.kubernetes.io/{name}", "") for name in ("name", "component"))


def explain(cluster: Kubectl, namespace: str, lines: int = 15) -> None:
    """Show a namespace's pods, latest warnings and the last words of the pods that are not ready."""
    console.say(f"-- pods of {namespace}")
    console.say(cluster.run("get", "pods", "-n", namespace, "-o", "wide").rstrip())
    warnings = [event for event in cluster.list("events", namespace) if event.get("type") == "Warning"]
    for event in warnings[-5:]:
        console.say(f"-- {event['involvedObject'].get('name')}: {event.get('reason')}: {event.get('message')}")
    for pod in cluster.list("pods", namespace):
        if not ready(pod):
            _last_words(cluster, pod, lines)


def ready(pod: Object) -> bool:
    """Return whether a pod is ready."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _last_words(cluster: Kubectl, pod: Object, lines: int) -> None:
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    for previous in ("--previous=true", "--previous=false"):
        try:
            said = cluster.run("logs", "-n", namespace, name, previous, f"--tail={lines}", "--all-containers")
        except LocalError:
            continue  # there is no such container, or not yet
        if said.strip():
            console.say(f"-- last lines of {name}\n{said.rstrip()}")
            return
