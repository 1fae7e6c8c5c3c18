"""An application with pre-initialized workers, as its tests see it."""

from collections.abc import Mapping

from local.install import TENANT
from local.kubectl import Object
from tests.support.e2e.cluster import Cluster
from tests.support.e2e.history import Amounts
from tests.support.e2e.manifests import application, job_run
from tests.support.e2e.run import Run

# Idle workers get what is left over of two cores.
POOL_SECONDS = 600.0


class Pool:
    """The application, and the runs that are submitted to it one after the other."""

    def __init__(
        self, cluster: Cluster, name: str, maximum: Amounts = (12, 48 * 1024, 400), *, reserved: bool = False
    ) -> None:
        self.cluster, self.name, self._maximum, self._reserved = cluster, name, maximum, reserved
        self._submitted: list[str] = []

    def wants(self, warm: Mapping[str, int]) -> "Pool":
        """Apply the application with so many workers of each type."""
        cpu, memory, disk = self._maximum
        manifest = application(self.name, cpu=cpu, memory=memory // 1024, disk=disk, warm=warm)
        if self._reserved:
            manifest["metadata"]["annotations"] = {"ember-spark.io/warm-capacity": "reserved"}
        self.cluster.apply([manifest])
        return self

    def submit(self, name: str, entry_point: str, *arguments: str, parameters: str = "", **conf: str) -> Run:
        """Submit a run that may be warm, unless its settings say otherwise."""
        settings = {key.replace("_", "."): value for key, value in conf.items()}
        manifest = job_run(name, entry_point, arguments, application=self.name, conf=settings, parameters=parameters)
        self.cluster.forget([name])
        self.cluster.apply([manifest])
        self._submitted.append(name)
        return Run(self.cluster, name)

    @property
    def status(self) -> Object:
        """The application's status."""
        status: Object = self.cluster.applications.current.get(self.name, {}).get("status", {})
        return status

    def is_whole(self) -> "Pool":
        """Wait until everything that is wanted is ready."""

        def whole() -> bool:
            applied = self.cluster.applications.current.get(self.name, {}).get("spec", {}).get("initialCapacity", {})
            counts = self.status.get("initialCapacity", {})
            return bool(applied) and all(
                counts.get(kind, {}).get("idle") == wanted["workerCount"] for kind, wanted in applied.items()
            )

        self.cluster.applications.until(whole, POOL_SECONDS, f"the pool of {self.name} is not whole: {self.status}")
        return self

    def idle_pods(self) -> set[str]:
        """Names of the pre-initialized pods that no run has claimed."""
        found = self.cluster.pods.current.copy().values()
        return {
            pod["metadata"]["name"]
            for pod in found
            if pod["metadata"].get("annotations", {}).get("ember-spark.io/application-name") == self.name
            and "ember-spark.io/pool" in pod["metadata"]["labels"]
            and "ember-spark.io/job-run" not in pod["metadata"]["labels"]
        }

    def remove(self) -> None:
        """Take it away with its runs."""
        self.cluster.forget(self._submitted)
        self.cluster.kubectl.run(
            "delete", "emrapplication", "-n", TENANT, self.name, "--ignore-not-found", timeout=POOL_SECONDS
        )
