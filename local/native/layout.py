"""The node's names, addresses and files."""

from dataclasses import dataclass
from pathlib import Path

from local.paths import cache_dir, state_dir

NAME = "ember-local"
NAMESPACE = "ember"
NAMESPACE_FILE = Path("/run/netns") / NAMESPACE

HOST_DEVICE = "ember0"
"""The host's end of the cable between the host and the node."""
NODE_DEVICE = "eth0"
NODE_BRIDGE = "ember1"
POD_BRIDGE = "cni0"

NODE_NETWORK = "172.31.240.0/24"
NODE_ADDRESS = "172.31.240.1"
HOST_ADDRESS = "172.31.240.2"
SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
PODS = "10.244.0.0/16"
DOMAIN = "cluster.local"

API_PORT = 6443
API_URL = f"https://{NODE_ADDRESS}:{API_PORT}"
ETCD_URL = "http://127.0.0.1:2379"
ETCD_PEER_URL = "http://127.0.0.1:2380"
REGISTRY = f"{NODE_ADDRESS}:5000"

CGROUP = "/ember"
"""The cgroup of all pods, so that what runs in it is known to be ours."""


@dataclass(frozen=True)
class Layout:
    """Where the node's files are: `state` goes when it goes, `cache` stays."""

    state: Path
    cache: Path

    @property
    def lock(self) -> Path:
        """What one `up` or `down` at a time holds; not in `state`, which goes while it is held."""
        return self.cache.with_suffix(".lock")

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.state / "pki"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, which users are given."""
        return self.state / "kubeconfig"

    @property
    def kubeconfigs(self) -> Path:
        """The components' kubeconfigs."""
        return self.state / "kubeconfigs"

    @property
    def config(self) -> Path:
        """The components' configuration files."""
        return self.state / "config"

    @property
    def logs(self) -> Path:
        """What the components print."""
        return self.state / "logs"

    @property
    def pod_logs(self) -> Path:
        """What containers print."""
        return self.logs / "pods"

    @property
    def processes(self) -> Path:
        """The record of the started processes."""
        return self.state / "processes.json"

    @property
    def sysctls(self) -> Path:
        """The kernel's settings as they were before."""
        return self.state / "sysctls.json"

    @property
    def traces(self) -> Path:
        """Which directories elsewhere were not there before."""
        return self.state / "traces.json"

    @property
    def kubelet(self) -> Path:
        """The kubelet's own directory, with the pods' volumes."""
        return self.state / "kubelet"

    @property
    def cni(self) -> Path:
        """Network configuration and address assignments."""
        return self.state / "cni"

    @property
    def containerd_state(self) -> Path:
        """What containerd knows about running containers."""
        return self.state / "containerd"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd answers."""
        return self.state / "containerd.sock"

    @property
    def containerd_root(self) -> Path:
        """Pulled and unpacked images: kept, because unpacking a Spark image takes half a minute."""
        return self.cache / "containerd"

    @property
    def registry(self) -> Path:
        """The registry's storage: kept, so that images need not be pushed again."""
        return self.cache / "registry"

    @property
    def archives(self) -> Path:
        """Image archives on their way into containerd."""
        return self.cache / "archives"


def layout() -> Layout:
    """Return the layout for the directories that the environment chooses."""
    return Layout(state_dir(), cache_dir() / "node")
