"""One JobRun of a test: verbs that wait for it and read what it left."""

import json
from typing import TYPE_CHECKING, Any

from local import results
from local.errors import LocalError
from local.install import TENANT
from local.kubectl import Object

if TYPE_CHECKING:
    from tests.support.e2e.cluster import Cluster

ENDED = ("SUCCESS", "FAILED", "CANCELLED")
# Many runs share two cores: a bound on progress, not on speed.
RUN_SECONDS = 900.0
LOG_SECONDS = 180.0


class Run:
    """A submitted run."""

    def __init__(self, cluster: "Cluster", name: str) -> None:
        self.cluster, self.name = cluster, name

    @property
    def object(self) -> Object:
        """The JobRun as it is now."""
        return self.cluster.runs.current.get(self.name, {})

    @property
    def status(self) -> Object:
        """Its status."""
        status: Object = self.object.get("status", {})
        return status

    @property
    def state(self) -> str:
        """Its state; empty until the operator has seen it."""
        return str(self.status.get("state", ""))

    @property
    def driver(self) -> str:
        """Name of the driver's pod."""
        return str(self.status.get("driverPod", ""))

    def reaches(self, *states: str, seconds: float = RUN_SECONDS) -> "Run":
        """Wait until the run is in one of these states; an end that is none of them fails the test."""

        def arrived() -> bool:
            assert self.state in states or self.state not in ENDED, self._ended_otherwise(states)
            return self.state in states

        self.cluster.runs.until(
            arrived, seconds, f"{self.name} is {self.state or 'not seen'}, not {' or '.join(states)}"
        )
        return self

    def succeeds(self) -> "Run":
        """Wait for SUCCESS."""
        return self.reaches("SUCCESS")

    def fails(self, reason: str, *words: str) -> "Run":
        """Wait for FAILED with this reason and these words in the details."""
        self.reaches("FAILED")
        assert self.condition("Complete")["reason"] == reason, self.status
        for word in words:
            assert word in self.status["stateDetails"], self.status["stateDetails"]
        return self

    def condition(self, kind: str) -> Object:
        """One of its conditions."""
        (found,) = [condition for condition in self.status["conditions"] if condition["type"] == kind]
        condition: Object = found
        return condition

    def states(self) -> list[str]:
        """The states it was seen in, in order."""
        seen: list[str] = []
        for event in self.cluster.runs.history:
            state = event.object.get("status", {}).get("state")
            if event.name == self.name and state and (not seen or seen[-1] != state):
                seen.append(state)
        return seen

    def executors(self) -> list[str]:
        """The executors whose container was seen to run."""
        found = set()
        for event in self.cluster.pod_history():
            meta = event.object["metadata"]
            if meta.get("annotations", {}).get("ember-spark.io/job-run-name") != self.name:
                continue
            began = any("waiting" not in c["state"] for c in event.object["status"].get("containerStatuses", []))
            if began and "spark-exec-id" in meta["labels"]:
                found.add(meta["labels"]["spark-exec-id"])
        return sorted(found, key=int)

    def log(self, worker: str = "SPARK_DRIVER", stream: str = "stdout") -> str:
        """A worker's whole log, from the store: it is whole once the worker's pod has been deleted."""
        self.is_cleaned_up()
        return results.read_log(self.cluster.store, f"{self.status['logUri'].rstrip('/')}/{worker}/{stream}.gz")

    def answer(self) -> Any:
        """The JSON on the last line that the job printed."""
        lines = self.log().splitlines()
        assert lines, "the job printed nothing"
        return json.loads(lines[-1])

    def is_cleaned_up(self) -> "Run":
        """Wait until all its pods are deleted, which happens when their logs are in the store."""
        self.reaches(*ENDED)

        def gone() -> bool:
            return not self.cluster.pods_of(self.name)

        self.cluster.pods.until(gone, LOG_SECONDS, f"the pods of {self.name} are not deleted")
        return self

    def event_log(self) -> list[Object]:
        """The events of Spark's event log."""
        return results.events(self.cluster.store, self.status["eventLogUri"])

    def describe(self) -> str:
        """Everything there is to say about it, for the report of a failed test."""
        parts = [json.dumps(self.status, indent=1), f"states: {self.states()}"]
        kubectl = self.cluster.kubectl
        for command in (
            ("events", "-n", TENANT, "--for", f"jobrun/{self.name}"),
            ("logs", "-n", TENANT, self.driver or "-", "--tail=40"),
        ):
            try:
                parts.append(f"$ kubectl {' '.join(command)}\n{kubectl.run(*command)}")
            except LocalError as error:
                parts.append(str(error))
        parts += [self._log_tail(stream) for stream in ("stdout", "stderr")]
        return "\n".join(parts)

    def _log_tail(self, stream: str, lines: int = 40) -> str:
        uri = f"{self.status.get('logUri', '').rstrip('/')}/SPARK_DRIVER/{stream}.gz"
        try:
            tail = results.read_log(self.cluster.store, uri).splitlines()[-lines:]
        except Exception as error:  # whatever keeps it from us, the test's own failure matters more
            tail = [f"{type(error).__name__}: {error}"]
        return "\n".join([f"end of the driver's {stream} ({uri})", *tail])

    def _ended_otherwise(self, states: tuple[str, ...]) -> str:
        return f"{self.name} ended as {self.state}, not {' or '.join(states)}: {self.status.get('stateDetails')}"
