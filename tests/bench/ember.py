"""Ember's side: a JobRun, applied by kubectl."""

import time
from typing import Any

from local import results
from local.install import TENANT
from local.kubectl import Kubectl
from local.rollout import ready
from local.watch import Watch, pods_path, runs_path
from tests.bench.measured import Start, from_events
from tests.support.e2e.manifests import application, job_run

RUN_SECONDS = 180.0
WARM_SECONDS = 300.0
SIZE = {"workerConfiguration": {"cpu": "1 vCPU", "memory": "4 GB"}}


class Ember:
    """Submits runs as JobRuns."""

    def __init__(self, cluster: Kubectl, store: Any, conf: dict[str, str], arguments: list[str]) -> None:
        self._cluster, self._store = cluster, store
        self._conf, self._arguments = conf, arguments

    application = "bench"

    def prepare(self) -> None:
        """Make the application, without any pre-initialized worker."""
        self._cluster.apply([application(self.application, cpu=2, memory=8)])

    def rest(self) -> None:
        """Wait until a run finds what it shall find."""

    def start(self, number: int) -> Start:
        """Submit one run; the clock starts before kubectl does."""
        self.rest()
        name = f"{self.application}-{number}"
        self._cluster.run("delete", "jobrun", "-n", TENANT, name, "--ignore-not-found", timeout=60)
        entry_point, *arguments = self._arguments
        manifest = job_run(name, entry_point, arguments, application=self.application, conf=self._conf)
        with Watch(self._cluster, runs_path(TENANT)) as runs, Watch(self._cluster, pods_path(TENANT)) as pods:

            def ended() -> dict[str, Any] | None:
                status: dict[str, Any] = runs.current.get(name, {}).get("status", {})
                return status if status.get("state") in ("SUCCESS", "FAILED", "CANCELLED") else None

            asked = time.time()
            self._cluster.apply([manifest])
            status = runs.until(ended, RUN_SECONDS, f"{name} has not ended")
            end_known = time.time()
            if status["state"] != "SUCCESS":
                raise RuntimeError(f"{name} ended as {status['state']}: {status.get('stateDetails')}")
            # The next run shall find the machine at rest.
            pods.until(lambda: not _pods_of(pods, name), RUN_SECONDS, f"the pods of {name} are not deleted")
        return from_events(asked, end_known, results.events(self._store, status["eventLogUri"]))


class WarmEmber(Ember):
    """Submits runs to an application with one pre-initialized driver and executor."""

    application = "bench-warm"

    def prepare(self) -> None:
        """Make the application, and a run that starts it."""
        manifest = application(self.application, cpu=8, memory=40)
        manifest["spec"]["initialCapacity"] = {kind: {"workerCount": 1, **SIZE} for kind in ("DRIVER", "EXECUTOR")}
        self._cluster.apply([manifest])

    def rest(self) -> None:
        """Wait until the pool is whole, unless the application has not been started by a first run."""
        with Watch(self._cluster, pods_path(TENANT)) as pods:
            own = [p for p in pods.current.values() if _is_idle(p, self.application)]
            if own:
                pods.until(lambda: self._ready(pods) >= 2, WARM_SECONDS, "the pool does not get ready")

    def remove(self) -> None:
        """Take the pool away: the cluster's CPU is for others."""
        self._cluster.run("delete", "emrapplication", "-n", TENANT, self.application, timeout=60)

    def _ready(self, pods: Watch) -> int:
        return sum(_is_idle(p, self.application) and ready(p) for p in pods.current.values())


def _is_idle(pod: dict[str, Any], name: str) -> bool:
    meta = pod["metadata"]
    mine = meta.get("annotations", {}).get("ember-spark.io/application-name") == name
    return mine and "ember-spark.io/job-run" not in meta["labels"] and "deletionTimestamp" not in meta


def _pods_of(pods: Watch, run: str) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in pods.current.values()
        if pod["metadata"].get("annotations", {}).get("ember-spark.io/job-run-name") == run
    ]
