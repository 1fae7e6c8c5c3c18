"""Ember's side: a JobRun, applied by kubectl."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from local import results
from local.install import TENANT
from local.kubectl import Kubectl, Object
from local.watch import Event, Watch, applications_path, pods_path, runs_path
from tests.bench.measured import REST_SECONDS, Start, ended_at, from_events
from tests.support.e2e.manifests import application, job_run

RUN_SECONDS = 180.0
POOL_SECONDS = 300.0
SIZE = {"workerConfiguration": {"cpu": "1 vCPU", "memory": "4 GB"}}
POOL = {kind: {"workerCount": 1, **SIZE} for kind in ("DRIVER", "EXECUTOR")}


class Ember:
    """Submits runs to an application that has no pre-initialized worker."""

    application = "bench"
    initial_capacity: dict[str, Any] | None = None

    def __init__(self, cluster: Kubectl, store: Any) -> None:
        self.cluster, self._store = cluster, store

    def prepare(self, job: list[str]) -> None:
        """Make the application, and start it by a run that does not count."""
        manifest = application(self.application, cpu=8, memory=40)
        if self.initial_capacity is not None:
            manifest["spec"]["initialCapacity"] = self.initial_capacity
        self.cluster.apply([manifest])
        self.start("first", job)

    def remove(self) -> None:
        """Take it away: the cluster's CPU is for others."""
        self.cluster.run("delete", "emrapplication", "-n", TENANT, self.application, "--ignore-not-found", timeout=60)

    def start(self, name: str, job: list[str], conf: dict[str, str] | None = None) -> Start:
        """Submit one run; the clock starts before kubectl does. The next run finds the machine at rest."""
        name = f"{self.application}-{name}"
        self.cluster.run("delete", "jobrun", "-n", TENANT, name, "--ignore-not-found", timeout=60)
        entry_point, *arguments = job
        manifest = job_run(name, entry_point, arguments, application=self.application, conf=conf or {})
        with (
            Watch(self.cluster, runs_path(TENANT)) as runs,
            Watch(self.cluster, pods_path(TENANT)) as pods,
            Watch(self.cluster, applications_path(TENANT)) as applications,
        ):
            applications.until(self._rests(applications), POOL_SECONDS, "the pool does not get whole")
            time.sleep(REST_SECONDS)
            asked = time.time()
            self.cluster.apply([manifest])
            status = runs.until(lambda: _ended(runs.current.get(name)), RUN_SECONDS, f"{name} has not ended")
            end_known = time.time()
            if status["state"] != "SUCCESS":
                raise RuntimeError(f"{name} ended as {status['state']}: {status.get('stateDetails')}")
            pods.until(lambda: not _pods_of(pods, name), RUN_SECONDS, f"the pods of {name} are not deleted")
            gone = time.time()
            applications.until(self._rests(applications), POOL_SECONDS, "the pool does not get whole")
            whole = time.time()
            events = results.events(self._store, status["eventLogUri"])
            created = next(event.wall for event in runs.history if event.kind == "ADDED" and event.name == name)
            start = from_events(asked, end_known, events)
            more = {"freed": gone - ended_at(events), "from_creation": asked + start.first_task - created}
            claimed = _claimed_at(pods.history, name)
            if claimed is not None:
                more |= {"delivered": self._assigned_at(status) - claimed, "refilled": whole - claimed}
        return replace(start, **more)

    def _rests(self, applications: Watch) -> Callable[[], bool]:
        """A test for whether the pool is whole; before its first run an application has none."""

        def rests() -> bool:
            status = applications.current.get(self.application, {}).get("status", {})
            stocks = status.get("initialCapacity", {}).values()
            return status.get("state") == "CREATED" or all(one.get("idle", 0) >= one["wanted"] for one in stocks)

        return rests

    def _assigned_at(self, status: Object) -> float:
        """When the driver's launcher had its job, by its own word."""
        said = results.read_log(self._store, f"{status['logUri']}SPARK_DRIVER/stderr.gz").splitlines()
        (line,) = [json.loads(line) for line in said if line.startswith("{") and '"assigned"' in line]
        return datetime.fromisoformat(line["ts"]).timestamp()


class WarmEmber(Ember):
    """Submits runs to an application with one pre-initialized driver and executor."""

    application = "bench-warm"
    initial_capacity = POOL

    def idle_workers(self) -> list[str]:
        """Names of the pre-initialized pods."""
        found = self.cluster.list("pods", TENANT, f"ember-spark.io/application={self.application},ember-spark.io/pool")
        return [pod["metadata"]["name"] for pod in found if "ember-spark.io/job-run" not in pod["metadata"]["labels"]]


def _ended(run: Object | None) -> Object | None:
    status: Object = (run or {}).get("status", {})
    return status if status.get("state") in ("SUCCESS", "FAILED", "CANCELLED") else None


def _pods_of(pods: Watch, run: str) -> list[str]:
    return [name for name, pod in pods.current.items() if _is_of(pod, run)]


def _is_of(pod: Object, run: str) -> bool:
    return bool(pod["metadata"].get("annotations", {}).get("ember-spark.io/job-run-name") == run)


def _claimed_at(history: list[Event], run: str) -> float | None:
    """When the run claimed its driver, by the annotation."""
    for event in history:
        meta = event.object["metadata"]
        notes = meta.get("annotations", {})
        if _is_of(event.object, run) and meta["labels"].get("spark-role") == "driver":
            claimed = notes.get("ember-spark.io/claimed-at")
            return datetime.fromisoformat(claimed).timestamp() if claimed else None
    return None
