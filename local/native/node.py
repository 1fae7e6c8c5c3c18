"""The native provider: brings the node up and down, and says how it is."""

import json
import shutil
import time
from pathlib import Path

from local import console, prerequisites
from local.lock import locked
from local.native import (
    certificates,
    cgroups,
    components,
    configuration,
    kubeconfigs,
    leftovers,
    network,
    store,
    sysctls,
    traces,
)
from local.native.layout import NAME, REGISTRY, Layout, layout
from local.native.processes import ProcessTable
from local.native.waiting import wait_for
from local.programs.build import ensure
from local.shell import attempt, run

LOCK = Path("/run/ember-local.lock")
ADDONS = Path(__file__).parent / "addons.yaml"
PROCESSES = (
    "etcd",
    "registry",
    "containerd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
)


class NativeNode:
    """One node of plain processes on this machine."""

    name = "native"
    registry = REGISTRY

    def __init__(self, files: Layout | None = None) -> None:
        self._files = files or layout()
        self._table = ProcessTable(self._files.processes, self._files.logs)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self._files.kubeconfig

    def up(self) -> None:
        """Start the cluster, unless it runs."""
        prerequisites.check_node()
        with locked(LOCK, "another `up` or `down`"):
            if self.healthy():
                console.say(f"The cluster {NAME} is up.")
                return
            prerequisites.check_go()
            ensure()
            if leftovers.exist(self._files):
                with console.step("took away what an earlier cluster left"):
                    leftovers.clean(self._files)
            started = time.monotonic()
            self._start()
            console.say(f"{time.monotonic() - started:6.1f} s  in all: the cluster {NAME} is up")

    def down(self, purge: bool = False) -> None:
        """Stop the cluster and take everything away but the cache; with `purge` the images' cache too."""
        prerequisites.check_root()
        with locked(LOCK, "another `up` or `down`"):
            if leftovers.exist(self._files):
                with console.step("took the cluster away"):
                    leftovers.clean(self._files)
            else:
                console.say("There is no cluster.")
            if purge:
                with console.step("deleted the cached images"):
                    shutil.rmtree(self._files.cache, ignore_errors=True)

    def healthy(self) -> bool:
        """Return whether all processes run and the node is ready."""
        return set(self._table.alive()) >= set(PROCESSES) and self._node_ready()

    def status(self) -> dict[str, str]:
        """Return what there is to say about each part."""
        alive = self._table.alive()
        parts = {name: f"running ({alive[name].pid})" if name in alive else "not running" for name in PROCESSES}
        return parts | {"node": "ready" if len(alive) >= len(PROCESSES) and self._node_ready() else "not ready"}

    def load_image(self, archive: Path) -> None:
        """Make an image archive's image usable by pods without a registry."""
        store.load(self._files, archive)

    def _start(self) -> None:
        files = self._files
        files.state.mkdir(parents=True)
        sysctls.save(files.sysctls)
        traces.save(files.traces)
        with console.step("network, certificates, configuration"):
            sysctls.allow_forwarding()
            network.create()
            cgroups.create()
            kubeconfigs.issue(files, certificates.issue(files.pki))
            configuration.write(files, store.PAUSE, prerequisites.find("runc"))
        with console.step("API server ready"):
            self._launch("etcd", components.etcd(files))
            self._launch("kube-apiserver", components.api_server(files))
            self._launch("registry", components.registry(files, prerequisites.find("docker-registry")))
            self._launch("containerd", components.containerd(files))
            wait_for("containerd", lambda: store.answers(files), self._table)
            store.import_own_images(files)
            wait_for("the API server", self._api_ready, self._table)
        with console.step("node ready"):
            self._launch("kubelet", components.kubelet(files))
            self._launch("kube-controller-manager", components.controller_manager(files))
            self._launch("kube-scheduler", components.scheduler(files))
            self._launch("kube-proxy", components.proxy(files))
            addons = ADDONS.read_text().replace("@COREDNS@", store.coredns_reference())
            run(components.kubectl(files, "apply", "--server-side", "-f", "-"), stdin=addons)
            wait_for("the node", self._node_ready, self._table)
        with console.step("cluster DNS and service accounts ready"):
            wait_for("the cluster's DNS", self._dns_ready, self._table)
            wait_for("the default service account", self._service_account_exists, self._table)

    def _launch(self, name: str, command: components.Command) -> None:
        self._table.start(name, [*network.INSIDE, *command], env=components.environment())

    def _ask(self, *arguments: str) -> str:
        answer = attempt(components.kubectl(self._files, "--request-timeout=2s", *arguments), timeout=10)
        return answer.stdout.strip() if answer.returncode == 0 else ""

    def _api_ready(self) -> bool:
        return self._ask("get", "--raw=/readyz") == "ok"

    def _node_ready(self) -> bool:
        conditions = self._ask("get", "node", NAME, "-o", "jsonpath={.status.conditions}")
        return any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in json.loads(conditions or "[]")
        )

    def _dns_ready(self) -> bool:
        return (
            self._ask("-n", "kube-system", "get", "deployment", "coredns", "-o", "jsonpath={.status.readyReplicas}")
            == "1"
        )

    def _service_account_exists(self) -> bool:
        return bool(self._ask("get", "serviceaccount", "default", "-o", "name"))
