"""How each process of the node is started."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.native.layout import (
    API_PORT,
    DOMAIN,
    ETCD_PEER_URL,
    ETCD_URL,
    NAME,
    NODE_ADDRESS,
    SERVICES,
    Layout,
)
from local.programs.catalog import executable

Command = list[str | Path]


def _flags(values: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items()]


def etcd(layout: Layout) -> Command:
    """Start etcd; its data lives as long as the cluster, so nothing is gained by waiting for the disk."""
    values = {
        "data-dir": layout.state / "etcd",
        "unsafe-no-fsync": "true",
        "listen-client-urls": ETCD_URL,
        "advertise-client-urls": ETCD_URL,
        "listen-peer-urls": ETCD_PEER_URL,
        "initial-advertise-peer-urls": ETCD_PEER_URL,
        "initial-cluster": f"default={ETCD_PEER_URL}",
        "log-level": "warn",
    }
    return [executable("etcd"), *_flags(values)]


def registry(layout: Layout, program: str) -> Command:
    """Start the registry that images are pushed to."""
    return [program, "serve", layout.config / "registry.yaml"]


def containerd(layout: Layout, config: str = "containerd.toml") -> Command:
    """Start containerd."""
    return [executable("containerd"), "--config", layout.config / config, "--log-level", "warn"]


def api_server(layout: Layout) -> Command:
    """Start the API server, with Pod Security admission and the aggregation layer as in any cluster."""
    pki = layout.pki
    values = {
        "advertise-address": NODE_ADDRESS,
        "bind-address": NODE_ADDRESS,
        "secure-port": API_PORT,
        "etcd-servers": ETCD_URL,
        "service-cluster-ip-range": SERVICES,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "client-ca-file": pki / "ca.crt",
        "tls-cert-file": pki / "apiserver.crt",
        "tls-private-key-file": pki / "apiserver.key",
        "kubelet-client-certificate": pki / "apiserver-kubelet-client.crt",
        "kubelet-client-key": pki / "apiserver-kubelet-client.key",
        "kubelet-certificate-authority": pki / "ca.crt",
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-issuer": f"https://kubernetes.default.svc.{DOMAIN}",
        "service-account-key-file": pki / "sa.pub",
        "service-account-signing-key-file": pki / "sa.key",
        "requestheader-client-ca-file": pki / "front-proxy-ca.crt",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "proxy-client-cert-file": pki / "front-proxy-client.crt",
        "proxy-client-key-file": pki / "front-proxy-client.key",
    }
    return [executable("kube-apiserver"), *_flags(values)]


def _controller(layout: Layout, program: str, more: Mapping[str, object]) -> Command:
    kubeconfig = layout.kubeconfigs / program.removeprefix("kube-")
    values = {
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "bind-address": "127.0.0.1",
        # There is one of each: an election would only delay it.
        "leader-elect": "false",
        # The usual limits are for many nodes on one API server: they would delay every start by seconds.
        "kube-api-qps": 500,
        "kube-api-burst": 1000,
    }
    return [executable(program), *_flags(values | dict(more))]


def controller_manager(layout: Layout) -> Command:
    """Start the controllers."""
    pki = layout.pki
    more = {
        "client-ca-file": pki / "ca.crt",
        "root-ca-file": pki / "ca.crt",
        "cluster-signing-cert-file": pki / "ca.crt",
        "cluster-signing-key-file": pki / "ca.key",
        "service-account-private-key-file": pki / "sa.key",
        "use-service-account-credentials": "true",
        "allocate-node-cidrs": "false",
        "flex-volume-plugin-dir": layout.kubelet / "plugins",
        "service-cluster-ip-range": SERVICES,
    }
    return _controller(layout, "kube-controller-manager", more)


def scheduler(layout: Layout) -> Command:
    """Start the scheduler."""
    return _controller(layout, "kube-scheduler", {})


def kubelet(layout: Layout) -> Command:
    """Start the kubelet."""
    values = {
        "config": layout.config / "kubelet.yaml",
        "kubeconfig": layout.kubeconfigs / "kubelet",
        "root-dir": layout.kubelet,
        "hostname-override": NAME,
        "node-ip": NODE_ADDRESS,
    }
    return [executable("kubelet"), *_flags(values)]


def proxy(layout: Layout) -> Command:
    """Start kube-proxy."""
    return [executable("kube-proxy"), f"--config={layout.config / 'proxy.yaml'}", f"--hostname-override={NAME}"]


def kubectl(layout: Layout, *arguments: str) -> Sequence[str | Path]:
    """Return a kubectl command as the administrator."""
    return [executable("kubectl"), f"--kubeconfig={layout.kubeconfig}", *arguments]


def environment() -> dict[str, str]:
    """Return the environment of all processes: short, so that nothing of the caller's shell gets into it."""
    # The shims are found by containerd, and runc and the network plugins' helpers by them, on this path.
    path = os.pathsep.join([str(executable("containerd").parent), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin"])
    return {"PATH": f"{path}:/usr/bin:/sbin:/bin", "HOME": "/root"}
