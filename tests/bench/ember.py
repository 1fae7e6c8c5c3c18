"""Ember's side: a JobRun, applied by kubectl."""

import time
from typing import Any

from local import results
from local.install import TENANT
from local.kubectl import Kubectl
from local.watch import Watch, pods_path, runs_path
from tests.bench.measured import Start, from_events
from tests.support.e2e.manifests import application, job_run

RUN_SECONDS = 180.0
APPLICATION = "bench"


class Ember:
    """Submits runs as JobRuns."""

    def __init__(self, cluster: Kubectl, store: Any, conf: dict[str, str], arguments: list[str]) -> None:
        self._cluster, self._store = cluster, store
        self._conf, self._arguments = conf, arguments

    def prepare(self) -> None:
        """Make the application, without any pre-initialized worker."""
        self._cluster.apply([application(APPLICATION, cpu=2, memory=8)])

    def start(self, number: int) -> Start:
        """Submit one run; the clock starts before kubectl does."""
        name = f"bench-{number}"
        self._cluster.run("delete", "jobrun", "-n", TENANT, name, "--ignore-not-found", timeout=60)
        entry_point, *arguments = self._arguments
        manifest = job_run(name, entry_point, arguments, application=APPLICATION, conf=self._conf)
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


def _pods_of(pods: Watch, run: str) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in pods.current.values()
        if pod["metadata"].get("annotations", {}).get("ember-spark.io/job-run-name") == run
    ]
