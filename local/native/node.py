"""The native provider: brings the node up and down, and says how it is."""

import shutil
import time
from pathlib import Path

from local import console, prerequisites
from local.errors import LocalError
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
from local.native.api import Api
from local.native.layout import NAME, REGISTRY, Layout, layout
from local.native.processes import ProcessTable
from local.native.waiting import wait_for
from local.programs.build import ensure
from local.shell import run

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
        self._api = Api(self._files)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self._files.kubeconfig

    @property
    def pod_logs(self) -> Path:
        """Where the kubelet keeps the logs of containers."""
        return self._files.pod_logs

    def prepare(self) -> None:
        """See to Debian's packages, Go and rights."""
        prerequisites.check_node()
        prerequisites.check_go()

    def up(self) -> None:
        """Start the cluster, unless it runs."""
        prerequisites.check_node()
        with locked(self._files.lock, "another `up` or `down`"):
            if self._runs():
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
        with locked(self._files.lock, "another `up` or `down`"):
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
        return set(self._table.alive()) >= set(PROCESSES) and self._api.node_ready()

    def _runs(self) -> bool:
        """Wait for the node if all processes run: a busy machine is no reason to start anew and lose everything."""
        alive = self._table.alive()
        if not set(alive) >= set(PROCESSES):
            if ended := set(self._table.known()) - set(alive):
                console.say(f"These have ended, so the cluster is started anew: {', '.join(sorted(ended))}.")
            return False
        try:
            wait_for("the node", self._api.node_ready, self._table)
        except LocalError as error:
            console.say(f"The cluster is started anew: {error}")
            return False
        return True

    def status(self) -> dict[str, str]:
        """Return what there is to say about each part."""
        alive = self._table.alive()
        parts = {name: f"running ({alive[name].pid})" if name in alive else "not running" for name in PROCESSES}
        return parts | {"node": "ready" if len(alive) >= len(PROCESSES) and self._api.node_ready() else "not ready"}

    def load_image(self, archive: Path) -> None:
        """Make an image archive's image usable by pods without a registry."""
        store.load(self._files, archive)

    def _start(self) -> None:
        files = self._files
        files.state.mkdir(parents=True)
        sysctls.save(files.sysctls)
        traces.save(files.traces)
        with console.step("network, certificates, configuration"):
            sysctls.prepare()
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
            wait_for("the API server", self._api.ready, self._table)
        with console.step("node ready"):
            self._launch("kubelet", components.kubelet(files))
            self._launch("kube-controller-manager", components.controller_manager(files))
            self._launch("kube-scheduler", components.scheduler(files))
            self._launch("kube-proxy", components.proxy(files))
            addons = ADDONS.read_text().replace("@COREDNS@", store.coredns_reference())
            # Its cache of the API's contents would otherwise be left in the user's home.
            env = components.environment() | {"KUBECACHEDIR": str(files.state / "kubectl")}
            run(components.kubectl(files, "apply", "--server-side", "-f", "-"), stdin=addons, env=env)
            wait_for("the node", self._api.node_ready, self._table)
        with console.step("cluster DNS and service accounts ready"):
            wait_for("the cluster's DNS", self._api.dns_ready, self._table)
            wait_for("the default service account", self._api.takes_pods, self._table)

    def _launch(self, name: str, command: components.Command) -> None:
        cgroups.take(self._table.start(name, [*network.INSIDE, *command], env=components.environment()).pid)
