"""The components' configuration files, as text."""

import json
import resource
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from local.native.layout import (
    CGROUP,
    DNS_SERVICE,
    DOMAIN,
    NODE_ADDRESS,
    POD_BRIDGE,
    PODS,
    REGISTRY,
    Layout,
)

RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


def write(layout: Layout, pause: str, runc: str) -> None:
    """Write all of them."""
    files = {
        layout.config / "containerd.toml": containerd(layout, pause, runc),
        layout.config / "certs.d" / REGISTRY / "hosts.toml": hosts(),
        layout.config / "registry.yaml": _json(registry(layout)),
        layout.config / "kubelet.yaml": _json(kubelet(layout)),
        layout.config / "proxy.yaml": _json(proxy(layout)),
        layout.cni / "config" / "10-ember.conflist": _json(cni(layout)),
    }
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def containerd(layout: Layout, pause: str, runc: str) -> str:
    """Configure containerd; the three settings at the runtime's top let it work without CAP_SYS_RESOURCE."""
    return f"""version = 4
imports = []
root = "{layout.containerd_root}"
state = "{layout.containerd_state}"
{_sockets(layout)}[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{pause}"
  [plugins.'io.containerd.cri.v1.images'.registry]
    config_path = "{layout.config / "certs.d"}"
[plugins.'io.containerd.cri.v1.runtime']
  tolerate_missing_hugetlb_controller = true
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "{layout.cni / "config"}"
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = "{runc}"
        Root = "{layout.state / "runc"}"
        SystemdCgroup = false
[plugins.'io.containerd.internal.v1.opt']
  path = "{layout.state / "opt"}"
[plugins.'io.containerd.nri.v1.nri']
  disable = true
"""


def containerd_maintenance(layout: Layout) -> str:
    """Configure a containerd that only tends its store: it neither knows nor serves pods."""
    return f"""version = 4
imports = []
root = "{layout.containerd_root}"
state = "{layout.containerd_state}"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
  "io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
{_sockets(layout)}"""


def _sockets(layout: Layout) -> str:
    return f"""[plugins.'io.containerd.server.v1.grpc']
  address = "{layout.containerd_socket}"
[plugins.'io.containerd.server.v1.ttrpc']
  address = "{layout.containerd_socket}.ttrpc"
"""


def hosts() -> str:
    """Let containerd reach the node's registry without TLS."""
    return f'server = "http://{REGISTRY}"\n[host."http://{REGISTRY}"]\n  capabilities = ["pull", "resolve"]\n'


def registry(layout: Layout) -> dict[str, Any]:
    """Configure the registry."""
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(layout.registry)}, "delete": {"enabled": True}},
        "http": {"addr": REGISTRY},
    }


def kubelet(layout: Layout) -> dict[str, Any]:
    """Configure the kubelet: many small pods, on whatever disk and cgroups the machine has."""
    certificates = layout.pki
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(certificates / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(certificates / "kubelet.crt"),
        "tlsPrivateKeyFile": str(certificates / "kubelet.key"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": CGROUP,
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": DOMAIN,
        "resolvConf": str(resolver(RESOLVERS)),
        "healthzBindAddress": "127.0.0.1",
        "volumePluginDir": str(layout.kubelet / "plugins"),
        "podLogsDir": str(layout.pod_logs),
        # The disk is the user's: it being full is no reason to evict or to delete cached images.
        "evictionHard": {"nodefs.available": "0%", "imagefs.available": "0%", "nodefs.inodesFree": "0%"},
        "imageGCHighThresholdPercent": 100,
        "maxOpenFiles": min(1_000_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
        "maxPods": 250,
        # Tens of pods start at once: neither pulls nor events are to be held back.
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "makeIPTablesUtilChains": False,
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
    }


def proxy(layout: Layout) -> dict[str, Any]:
    """Configure kube-proxy; it leaves the machine's connection tracking limits alone."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": PODS,
        "clientConnection": {"kubeconfig": str(layout.kubeconfigs / "proxy")},
        "bindAddress": NODE_ADDRESS,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "conntrack": {"maxPerCore": 0, "min": 0},
    }


def cni(layout: Layout) -> dict[str, Any]:
    """Configure the pods' network: one bridge, with the addresses kept among the node's files."""
    addresses = {
        "type": "host-local",
        "dataDir": str(layout.cni / "addresses"),
        "ranges": [[{"subnet": PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": POD_BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": addresses,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "ember", "plugins": [bridge, ports]}


def resolver(candidates: Iterable[Path]) -> Path:
    """Return the first resolv.conf that is of use in another network namespace: not one that names loopback."""
    paths = list(candidates)
    for path in paths:
        servers = nameservers(path.read_text()) if path.exists() else []
        if servers and not any(server.startswith("127.") or server == "::1" for server in servers):
            return path
    return paths[0]


def nameservers(text: str) -> list[str]:
    """Return the servers that a resolv.conf names."""
    lines = (line.split() for line in text.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


def _json(content: dict[str, Any]) -> str:
    # JSON is YAML too.
    return json.dumps(content, indent=1) + "\n"
