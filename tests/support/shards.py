"""Factories of what a plan sees: applications, runs, workers, in the shape in which the API server gives them."""

import itertools
from datetime import UTC, datetime
from typing import Any

from ember.handlers.gather import Gatherer
from ember.kube.index import Index, Kind
from ember.model import labels
from ember.model.capacity import Capacity
from ember.model.settings import Settings
from ember.plan.actions import Action, Plan
from ember.plan.application import plan_shard
from ember.plan.facts import ExecutorRequest, UploadReport, WorkerReport
from ember.plan.pods import PodBuilder
from ember.plan.pool import stocks
from ember.plan.view import Shard

NAMESPACE, APPLICATION = "team-a", "analytics"
KEY = (NAMESPACE, APPLICATION)
SMALL = " ".join(f"--conf spark.{role}.{what}" for role in ("executor", "driver") for what in ("cores=1", "memory=2g"))
SMALL_WORKER = Capacity(cpu=1, memory_mib=3072, disk_gib=20)
START = "2026-11-21T10:00:00Z"
EPOCH = 1795255200.0  # START in seconds
_versions = itertools.count(1)


def settings(**changes: Any) -> Settings:
    """Settings with one release."""
    raw = {
        "namespaces": [NAMESPACE],
        "releaseNamespace": "ember-system",
        "releases": {"spark-4.1.2": {"image": "registry/spark:1", "sparkVersion": "4.1.2"}},
        "store": {"endpoint": "http://store:9000"},
    }
    return Settings.model_validate(raw | changes)


class World:
    """A cluster as the index holds it; each verb changes it, `plan()` says what Ember would do about it."""

    def __init__(self, **changes: Any) -> None:
        self.index, self.settings = Index(), settings(**changes)
        self.gatherer = Gatherer(self.index, self.settings, PodBuilder(self.settings, "CA"))
        self.now = self.gatherer.since = EPOCH

    def application(self, state: str | None = "STARTED", maximum: int | None = 6, **spec: Any) -> "World":
        """An application whose maximum holds `maximum` vCPU, and as much memory as small workers need for it."""
        ceiling = (
            {} if maximum is None else {"maximumCapacity": {"cpu": f"{maximum} vCPU", "memory": f"{maximum * 4} GB"}}
        )
        status = spec.pop("status", {"state": state} if state else {})
        body = {"type": "SPARK", "releaseLabel": "spark-4.1.2", **ceiling, **spec}
        self._put(Kind.APPLICATION, APPLICATION, body, status)
        return self

    def job_run(self, name: str = "run-1", state: str | None = "SUBMITTED", age: float = 0, **changes: Any) -> "World":
        """A run, by default one with small workers; `parameters`, `status` and further spec fields can be given."""
        submit: dict[str, Any] = {"entryPoint": "s3://demo/x.py", "entryPointArguments": changes.pop("arguments", [])}
        parameters = changes.pop("parameters", SMALL)
        if parameters:
            submit["sparkSubmitParameters"] = parameters
        status = ({"state": state} if state else {}) | changes.pop("status", {})
        body = {"applicationRef": {"name": APPLICATION}, "jobDriver": {"sparkSubmit": submit}, **changes}
        self._put(Kind.JOB_RUN, name, body, status, age=age)
        return self

    def driver(self, run: str = "run-1", **state: Any) -> "World":
        """The driver pod of a run, as Ember itself would make it; see `pod_state`."""
        view = next(r for r in self.shard().runs if r.key[1] == run)
        assert view.plan is not None
        pod = self.gatherer.pods.driver(view.object, APPLICATION, 1, view.plan, "registry/spark:1")
        self._pod(pod, **state)
        return self

    def executor(self, run: str = "run-1", number: int = 1, **state: Any) -> "World":
        """An executor pod of a run."""
        view = next(r for r in self.shard().runs if r.key[1] == run)
        assert view.plan is not None
        assert view.driver_object is not None
        request = self.request(run, number)
        self._pod(
            self.gatherer.pods.executor(request, view.driver_object, APPLICATION, view.plan, "registry/spark:1"),
            **state,
        )
        return self

    def warm(
        self, role: str = "driver", number: int = 1, *, ready: bool = True, kind: str = "", **state: Any
    ) -> "World":
        """A pre-initialized worker of the application's pool, as Ember itself would make it."""
        shard = self.shard()
        assert shard.application is not None
        own = [one.shape for one in stocks(shard) if one.shape.role == role]
        shape = next(shape for shape in own if shape.kind == (kind or shape.kind))
        obj, name = shard.application.object, f"warm-{role}-{number}"
        pod = self.gatherer.pods.warm(obj, shape, shard.image(), name, reserved=False)
        pod["metadata"]["labels"] |= state.pop("labels", {})
        self._pod(pod, **({"running": True} | state))
        return self.report(name, "ready") if ready else self

    def claimed(self, name: str, run: str = "run-1", at: float | None = None) -> "World":
        """A run has claimed a pre-initialized worker."""
        pod = self._find(name)
        meta = {**pod["metadata"], "resourceVersion": str(next(_versions))}
        meta["labels"] = meta["labels"] | {labels.JOB_RUN_UID: f"uid-{run}", labels.ATTEMPT: "1"}
        moment = datetime.fromtimestamp(self.now if at is None else at, UTC).isoformat()
        meta["annotations"] = meta["annotations"] | {labels.JOB_RUN_NAME: run, labels.CLAIMED_AT: moment}
        self.index.put(Kind.POD, {**pod, "metadata": meta})
        return self

    def waits_for(self, run: str, *numbers: int) -> "World":
        """The run's driver asks for these executors."""
        for number in numbers:
            self.index.add_waiting(self.request(run, number))
        return self

    def request(self, run: str, number: int) -> ExecutorRequest:
        """What a driver's POST says."""
        return ExecutorRequest(
            NAMESPACE,
            f"{run}-exec-{number}",
            run,
            f"uid-{run}",
            1,
            float(number),
            str(number),
            "spark://x",
            "app",
            "0",
            1,
        )

    def report(
        self,
        name: str,
        event: str,
        exit_code: int | None = None,
        reason: str = "",
        marks: dict[str, float] | None = None,
    ) -> "World":
        """What the launcher of a worker said; `name` is the end of the pod's name."""
        self.index.report(self._find(name), WorkerReport(event, self.now, exit_code, reason, marks or {}))
        return self

    def uploaded(self, name: str, error: str = "") -> "World":
        """The log agent said that a worker's logs are up."""
        self.index.uploaded(self._find(name), UploadReport(not error, self.now, error))
        return self

    def later(self, seconds: float) -> "World":
        """Time passes."""
        self.now += seconds
        return self

    def shard(self) -> Shard:
        """What a plan would see now."""
        return self.gatherer.shard(KEY, self.now)

    def plan(self) -> Plan:
        """What Ember would do now."""
        return plan_shard(self.shard())

    def actions(self, kind: type[Action]) -> list[Any]:
        """The actions of one kind that Ember would take now."""
        return [action for action in self.plan().actions if isinstance(action, kind)]

    def _find(self, ending: str) -> dict[str, Any]:
        return next(pod for pod in self.index.all(Kind.POD) if pod["metadata"]["name"].endswith(ending))

    def _put(self, kind: Kind, name: str, spec: dict[str, Any], status: dict[str, Any], age: float = 0) -> None:
        created = datetime.fromtimestamp(self.now - age, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        meta = {
            "namespace": NAMESPACE,
            "name": name,
            "uid": f"uid-{name}",
            "generation": 1,
            "creationTimestamp": created,
            "resourceVersion": str(next(_versions)),
        }
        self.index.put(kind, {"kind": kind.value, "metadata": meta, "spec": spec, "status": status})

    def _pod(self, pod: dict[str, Any], **state: Any) -> None:
        meta = pod["metadata"]
        meta |= {"uid": f"uid-{meta['name']}", "creationTimestamp": START, "resourceVersion": str(next(_versions))}
        meta["annotations"] |= {labels.STOP: state["stop"]} if state.get("stop") else {}
        pod["status"] = pod_status(**state)
        if state.get("scheduled", True):
            pod["spec"]["nodeName"] = "node1"
        self.index.put(Kind.POD, pod)


def pod_status(
    running: bool = False,
    exit_code: int | None = None,
    reason: str = "",
    waiting: str = "",
    pod_reason: str = "",
    **_: Any,
) -> dict[str, Any]:
    """A pod's status in the kubelet's words."""
    if pod_reason:
        return {"phase": "Failed", "reason": pod_reason, "message": "said the kubelet"}
    if exit_code is not None:
        ended = {"exitCode": exit_code, "reason": reason or "Completed", "finishedAt": START}
        return {
            "phase": "Succeeded" if exit_code == 0 else "Failed",
            "containerStatuses": [{"state": {"terminated": ended}}],
        }
    if running:
        return {"phase": "Running", "containerStatuses": [{"state": {"running": {"startedAt": START}}}]}
    if waiting:
        return {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": waiting, "message": "m"}}}]}
    return {"phase": "Pending"}
