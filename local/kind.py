"""The cluster in a Docker engine, by kind: for machines that have both and can pull images.

This follows kind's own documentation of a local registry. It has not been run on the machines this was
developed on, which have no Docker engine and reach no image registry.
"""

import json
import os
import shutil
from pathlib import Path

from local import console
from local.paths import bin_dir, cache_dir
from local.programs.build import ensure
from local.shell import attempt, run

CLUSTER = "ember-local"
REGISTRY_CONTAINER = "ember-registry"
REGISTRY_PORT = 5001
TOOLS = {"kubectl": "kubernetes", "helm": "helm"}
CONFIGURATION = """kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
containerdConfigPatches:
- |-
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
"""


class KindCluster:
    """A kind cluster with a registry beside it."""

    name = "kind"
    registry = f"localhost:{REGISTRY_PORT}"

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig of its own: the one in the home directory is left alone."""
        return cache_dir() / "kind.kubeconfig"

    @property
    def pod_logs(self) -> Path:
        """Where the kubelet keeps the logs of containers, in kind's nodes."""
        return Path("/var/log/pods")

    def prepare(self) -> None:
        """Do nothing: Docker and kind are there, or another provider would have been chosen."""

    def up(self) -> None:
        """Create the registry and the cluster, as far as they are missing."""
        if self.healthy():
            console.say(f"The cluster {CLUSTER} is up.")
            return
        # Where there is a kind there mostly are these too; building them takes minutes.
        ensure([program for tool, program in TOOLS.items() if not shutil.which(tool)])
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        with console.step("registry"):
            self._start_registry()
        with console.step("kind cluster"):
            create = ["kind", "create", "cluster", "--name", CLUSTER, "--config", "-", "--wait", "120s"]
            run([*create, "--kubeconfig", self.kubeconfig], stdin=CONFIGURATION)
        self._connect_registry()

    def down(self, purge: bool = False) -> None:
        """Delete the cluster; with `purge`, the registry with its images too."""
        run(["kind", "delete", "cluster", "--name", CLUSTER, "--kubeconfig", self.kubeconfig])
        self.kubeconfig.unlink(missing_ok=True)
        if purge:
            attempt(["docker", "rm", "--force", "--volumes", REGISTRY_CONTAINER])

    def healthy(self) -> bool:
        """Return whether the cluster is there and answers."""
        return self.kubeconfig.exists() and self.status()["API server"] == "ready"

    def status(self) -> dict[str, str]:
        """Return how the API server and the registry are."""
        kubectl = shutil.which("kubectl", path=f"{os.environ.get('PATH', '')}{os.pathsep}{bin_dir()}") or "kubectl"
        answer = attempt([kubectl, f"--kubeconfig={self.kubeconfig}", "get", "--raw=/readyz"], timeout=10)
        running = attempt(["docker", "inspect", "-f", "{{.State.Running}}", REGISTRY_CONTAINER]).stdout.strip()
        return {
            "API server": "ready" if answer.stdout.strip() == "ok" else "not ready",
            "registry": "running" if running == "true" else "not running",
        }

    def load_image(self, archive: Path) -> None:
        """Copy an image archive to the node."""
        run(["kind", "load", "image-archive", str(archive), "--name", CLUSTER])

    def _start_registry(self) -> None:
        if attempt(["docker", "start", REGISTRY_CONTAINER]).returncode:
            publish = f"127.0.0.1:{REGISTRY_PORT}:5000"
            run(["docker", "run", "-d", "--restart=always", "-p", publish, "--name", REGISTRY_CONTAINER, "registry:2"])

    def _connect_registry(self) -> None:
        """Let the nodes find the registry under the name it has on the host."""
        hosts = f'[host."http://{REGISTRY_CONTAINER}:5000"]\n'
        directory = f"/etc/containerd/certs.d/{self.registry}"
        for node in run(["kind", "get", "nodes", "--name", CLUSTER]).split():
            run(["docker", "exec", node, "mkdir", "-p", directory])
            run(["docker", "exec", "-i", node, "cp", "/dev/stdin", f"{directory}/hosts.toml"], stdin=hosts)
        networks = run(["docker", "inspect", "-f", "{{json .NetworkSettings.Networks}}", REGISTRY_CONTAINER])
        if "kind" not in json.loads(networks):
            run(["docker", "network", "connect", "kind", REGISTRY_CONTAINER])
