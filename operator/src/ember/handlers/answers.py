"""What the broker answers workers and log agents with, read from the same picture that plans are made from."""

import json
from typing import Any

from ember.handlers.gather import Gatherer
from ember.kube.index import Object, run_of_pod
from ember.model import labels
from ember.plan import ids, logs
from ember.plan.assignment import driver_assignment
from ember.plan.view import ApplicationView, RunView


class Answers:
    """Pure look-ups; a pod that serves no run, or an earlier one of the same name, has nothing to do."""

    def __init__(self, gatherer: Gatherer) -> None:
        self._gatherer = gatherer

    def assignment_of(self, pod: Object) -> dict[str, Any] | None:
        """The assignment of a worker, without its secrets; None while it has none."""
        found = self._run(pod)
        if found is None:
            return None
        run, application = found
        attempt = int(pod["metadata"]["labels"][labels.ATTEMPT])
        who = {
            "namespace": run.key[0],
            "name": run.key[1],
            "id": ids.external_id(run.uid),
            "attempt": attempt,
            "applicationId": ids.external_id(application.uid),
        }
        if pod["metadata"]["labels"][labels.COMPONENT] != labels.DRIVER:
            notes = pod["metadata"]["annotations"]
            return {"run": who, "jvmOptions": [], "executor": json.loads(notes[labels.EXECUTOR])}
        if run.spec is None or run.plan is None:
            return None
        prefix = next(iter(self._prefixes(run, application)), None)
        name = pod["metadata"]["name"]
        part = driver_assignment(run.object, run.spec, run.plan, self._gatherer.settings, name, prefix)
        return {"run": who, **part}

    def destinations_of(self, pod: Object) -> list[str]:
        """The prefixes under which a worker's logs are kept."""
        found = self._run(pod)
        if found is None:
            return []
        return logs.worker_prefixes(self._prefixes(*found), self._gatherer.worker(pod))

    def _run(self, pod: Object) -> tuple[RunView, ApplicationView] | None:
        key = run_of_pod(pod)
        found = self._gatherer.run(key) if key is not None else None
        same = found is not None and found[0].uid == pod["metadata"]["labels"].get(labels.JOB_RUN_UID)
        return found if same else None

    def _prefixes(self, run: RunView, application: ApplicationView) -> list[str]:
        return logs.prefixes(run, application, self._gatherer.settings)
