"""The pods that one Spark driver may see, and how they look to it. Reads the index, writes nothing.

A driver sees itself and the executors of its own attempt: real pods, and those that still wait for capacity as virtual
Pending pods. An executor that was told to stop is gone from its sight at once.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from ember.broker.derive import RunIdentity
from ember.kube.index import Index, Object
from ember.model import labels
from ember.plan import ids
from ember.plan.facts import ExecutorRequest, WorkerReport

_NAMESPACE = uuid.UUID("6b9a2f0e-7c1d-4f3a-9a53-0d6a3c1e5b77")  # for the UIDs of virtual pods; never change it
_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "labels")


def is_of_run(pod: Object, identity: RunIdentity) -> bool:
    """Whether a worker pod serves this very attempt of this very run."""
    names = pod["metadata"].get("labels", {})
    return bool(
        names.get(labels.JOB_RUN_UID) == identity.run_uid and names.get(labels.ATTEMPT) == str(identity.attempt)
    )


def is_stopped(pod: Object) -> bool:
    """Whether it was told to stop."""
    return labels.STOP in pod["metadata"].get("annotations", {})


def has_ended(pod: Object, report: WorkerReport | None) -> bool:
    """Whether its process has ended, by its launcher's word or, later, by the kubelet's."""
    if report is not None and report.event == "ended":
        return True
    status = pod.get("status", {})
    states = [container.get("state", {}) for container in status.get("containerStatuses", [])]
    return status.get("phase") in ("Succeeded", "Failed") or any("terminated" in state for state in states)


class RunView:
    """One driver's sight of the index."""

    def __init__(self, index: Index, identity: RunIdentity) -> None:
        self._index, self._identity = index, identity
        self._run = (identity.namespace, identity.run_name)

    def driver_object(self) -> Object | None:
        """The driver's pod as the API server has it; None when it is another pod now, or none."""
        return next((p for p in self._pods() if p["metadata"].get("uid") == self._identity.driver_uid), None)

    def executor_object(self, name: str) -> Object | None:
        """An executor's pod as the API server has it."""
        return self.executors().get(name)

    def executors(self) -> dict[str, Object]:
        """The executors' pods as the API server has them, by the name under which Spark knows them."""
        mine = (pod for pod in self._pods() if pod["metadata"]["labels"].get(labels.COMPONENT) == labels.EXECUTOR_ROLE)
        return {spark_name(pod): pod for pod in mine}

    def waiting(self, name: str) -> ExecutorRequest | None:
        """An executor of that pod name which waits for capacity."""
        return next((w for w in self.all_waiting() if w.pod_name == name), None)

    def all_waiting(self) -> list[ExecutorRequest]:
        """All executors which wait for capacity."""
        mine = self._identity
        return [
            w for w in self._index.waiting_of_run(self._run) if w.run_uid == mine.run_uid and w.attempt == mine.attempt
        ]

    def pod(self, name: str) -> Object | None:
        """One of `pods`."""
        executor, wish = self.executor_object(name), self.waiting(name)
        if executor is not None:
            return None if is_stopped(executor) else self._shown(executor)
        if wish is not None:
            return virtual_pod(wish)
        driver = self.driver_object()
        return self._shown(driver) if driver is not None and driver["metadata"]["name"] == name else None

    def pods(self) -> dict[str, Object]:
        """What the driver sees, by name."""
        seen = {w.pod_name: virtual_pod(w) for w in self.all_waiting()}
        for name, pod in self.executors().items():
            if is_stopped(pod):
                seen.pop(name, None)
            else:
                seen[name] = self._shown(pod)
        driver = self.driver_object()
        if driver is not None:
            seen[driver["metadata"]["name"]] = self._shown(driver)
        return seen

    def _shown(self, pod: Object) -> Object:
        return shown(pod, self._index.reports.get(pod["metadata"].get("uid", "")))

    def _pods(self) -> list[Object]:
        return [pod for pod in self._index.pods_of_run(self._run) if is_of_run(pod, self._identity)]


def spark_name(pod: Object) -> str:
    """The name under which Spark knows a pod: a claimed pre-initialized executor keeps that of its virtual pod."""
    meta = pod["metadata"]
    names, run_name = meta.get("labels", {}), meta.get("annotations", {}).get(labels.JOB_RUN_NAME, "")
    if labels.POOL not in names or names.get(labels.COMPONENT) != labels.EXECUTOR_ROLE or not run_name:
        return str(meta["name"])
    attempt, executor_id = int(names[labels.ATTEMPT]), names[labels.SPARK_EXEC_ID]
    return ids.executor_pod_name(run_name, names[labels.JOB_RUN_UID], attempt, executor_id)


def shown(pod: Object, report: WorkerReport | None) -> Object:
    """A real pod as Spark sees it: without what is Ember's own, and ended as soon as its launcher says so."""
    meta = {field: pod["metadata"][field] for field in _META if field in pod["metadata"]}
    meta["name"] = spark_name(pod)
    meta.setdefault("uid", virtual_uid(meta["namespace"], meta["name"]))
    meta.setdefault("resourceVersion", "0")
    spec = pod.get("spec", {})
    containers = [{"name": container["name"]} for container in spec.get("containers", [])]
    status = pod.get("status", {})
    if report is not None and report.event == "ended" and status.get("phase") not in ("Succeeded", "Failed"):
        status = _ended(status, report, containers[0]["name"] if containers else labels.EXECUTOR_CONTAINER)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"nodeName": spec.get("nodeName", ""), "containers": containers},
        "status": status,
    }


def virtual_pod(request: ExecutorRequest) -> Object:
    """The Pending pod that stands for an executor which waits."""
    names = {
        **request.labels,
        labels.SPARK_APP: request.app_id,
        labels.SPARK_ROLE: labels.EXECUTOR_ROLE,
        labels.SPARK_EXEC_ID: request.executor_id,
        labels.SPARK_RESOURCE_PROFILE: request.resource_profile_id,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": request.pod_name,
            "namespace": request.namespace,
            "uid": virtual_uid(request.namespace, request.pod_name),
            "resourceVersion": "0",
            "creationTimestamp": _timestamp(request.asked_at),
            "labels": names,
        },
        "spec": {"containers": [{"name": labels.EXECUTOR_CONTAINER}]},
        "status": {"phase": "Pending"},
    }


def virtual_uid(namespace: str, pod_name: str) -> str:
    """The UID of a pod that does not exist yet; the name holds a hash of the run's UID, so it is as unique as that."""
    return str(uuid.uuid5(_NAMESPACE, f"{namespace}/{pod_name}"))


def _ended(status: Object, report: WorkerReport, container: str) -> Object:
    """The status that the kubelet will report in a second or two."""
    code = 0 if report.exit_code is None else report.exit_code
    finished = {"exitCode": code, "reason": "Completed" if code == 0 else "Error", "finishedAt": _timestamp(report.at)}
    first: dict[str, Any] = next(iter(status.get("containerStatuses", [])), {"name": container})
    if "terminated" in first.get("state", {}):
        finished = first["state"]["terminated"]  # the kubelet knows more: an exit by the kernel's hand, for one
    return {
        **status,
        "phase": "Succeeded" if finished.get("exitCode") == 0 else "Failed",
        "containerStatuses": [{**first, "ready": False, "state": {"terminated": finished}}],
    }


def _timestamp(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
