"""The local cluster as tests see it: submit, watch, look inside."""

import json
import subprocess
from collections.abc import Iterable
from contextlib import ExitStack
from functools import cached_property
from typing import Any, Self

import yaml

from local import provider
from local.install import INSTALLED_MARK, NAMESPACE, TENANT
from local.kubectl import Kubectl, Object, program
from local.rollout import wait_until
from local.store import Store
from local.watch import Event, Watch, applications_path, pods_path, runs_path

CLEAN_SECONDS = 180.0
LEADER_SECONDS = 120.0


class Cluster:
    """A context manager: while it is open, every change of runs and pods is recorded."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.runs = self._stack.enter_context(Watch(self.kubectl, runs_path(TENANT)))
        self.pods = self._stack.enter_context(Watch(self.kubectl, pods_path(TENANT)))
        self.applications = self._stack.enter_context(Watch(self.kubectl, applications_path(TENANT)))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def store(self) -> Any:
        """A boto3 client of the demo's store."""
        return Store(self.kubectl).client

    def apply(self, manifests: Iterable[Object]) -> None:
        """Apply objects."""
        self.kubectl.apply(manifests)

    def forget(self, runs: Iterable[str]) -> None:
        """Delete JobRuns, and wait until they are gone."""
        names = [*runs]
        if names:
            self.kubectl.run("delete", "jobrun", "-n", TENANT, *names, "--ignore-not-found", timeout=CLEAN_SECONDS)

    def execute(self, pod: str, *command: str, stdin: str = "", seconds: float = 60) -> str:
        """Run a command in a pod."""
        return self.kubectl.run("exec", "-i", "-n", TENANT, pod, "--", *command, stdin=stdin, timeout=seconds)

    def file_of_image(self, image: str, path: str) -> bytes:
        """Read a file out of an image, through a pod."""
        name = "ember-e2e-reader"
        self.kubectl.run("delete", "pod", "-n", "default", name, "--ignore-not-found", "--grace-period=0", "--force")
        self.kubectl.run(
            "run", name, "-n", "default", f"--image={image}", "--restart=Never", "--command", "--", "sleep", "300"
        )
        try:
            self.kubectl.run(
                "wait", "-n", "default", "--for=condition=Ready", f"pod/{name}", "--timeout=180s", timeout=190
            )
            command = [program("kubectl"), "exec", "-n", "default", name, "--", "cat", path]
            done = subprocess.run(command, env=self.kubectl.environment, capture_output=True, check=True, timeout=60)
            return done.stdout
        finally:
            self.kubectl.run("delete", "pod", "-n", "default", name, "--wait=false", "--grace-period=0", "--force")

    def settings(self) -> Object:
        """The operator's settings, as installed."""
        found = self.kubectl.get("configmap", "ember-settings", NAMESPACE)
        assert found is not None
        settings: Object = yaml.safe_load(found["data"]["settings.yaml"])
        return settings

    def leader(self) -> str:
        """Name of the pod that leads now; empty while none does."""
        pods = self.kubectl.list("pods", NAMESPACE, "ember-spark.io/leader=true")
        alive = [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        return alive[0] if len(alive) == 1 else ""

    def has_another_leader_than(self, before: str) -> None:
        """Wait until another operator leads, and the broker's Service leads to it."""
        wait_until("a new leader", lambda: self.leader() not in ("", before), LEADER_SECONDS, self.kubectl, NAMESPACE)

    def pods_of(self, run: str) -> list[Object]:
        """The pods a run has now."""
        return [
            pod
            for pod in list(self.pods.current.values())
            if pod["metadata"].get("annotations", {}).get("ember-spark.io/job-run-name") == run
        ]

    def pod_history(self) -> list[Event]:
        """All changes of pods since the cluster was opened."""
        return list(self.pods.history)


def installed() -> Kubectl:
    """The cluster with Ember on it; a RuntimeError with one sentence if there is none."""
    target = provider.current()
    if not target.kubeconfig.exists() or not target.healthy():
        raise RuntimeError("there is no cluster: run `make install`")
    kubectl = Kubectl(target.kubeconfig)
    namespace = kubectl.get("namespace", NAMESPACE) or {}
    if not namespace.get("metadata", {}).get("annotations", {}).get(INSTALLED_MARK):
        raise RuntimeError("Ember is not on the cluster, or its installation failed: run `make install`")
    return kubectl


def rules_of(kubectl: Kubectl, account: str) -> list[Object]:
    """What a ServiceAccount of the tenant may do, as the API server says."""
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": TENANT}}
    who = f"--as=system:serviceaccount:{TENANT}:{account}"
    groups = [f"--as-group=system:serviceaccounts:{TENANT}", "--as-group=system:authenticated"]
    # Without validation: for that, kubectl would read what this account may not see.
    command = ("create", who, *groups, "--validate=false", "-f", "-", "-o", "json")
    answer = kubectl.run(*command, stdin=json.dumps(review))
    rules: list[Object] = json.loads(answer)["status"]["resourceRules"]
    return rules
