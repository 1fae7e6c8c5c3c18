"""Take a node away, whole or in pieces: after `down`, after a kill half way, after a reboot."""

import shutil
from pathlib import Path

from local import console
from local.errors import LocalError
from local.native import cgroups, network, store, sysctls, traces
from local.native.layout import HOST_DEVICE, NAMESPACE_FILE, Layout
from local.native.processes import Identity, ProcessTable, end, identify
from local.shell import attempt

# These write to disk what is kept; they are asked to end. The others' data goes with the cluster.
GENTLY = ("containerd", "registry")
OWN_NAMES = {
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "docker-registry",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubelet",
}
CONTAINER_LOGS = Path("/var/log/containers")


def exist(layout: Layout) -> bool:
    """Return whether anything of a node is there."""
    device = Path("/sys/class/net") / HOST_DEVICE
    return layout.state.exists() or NAMESPACE_FILE.exists() or device.exists() or bool(cgroups.processes())


def clean(layout: Layout) -> None:
    """Take everything away but the cache."""
    _end_processes(layout)
    _tidy_store(layout)
    _tidy_registry(layout)
    traces.unmount(layout.state)
    traces.unmount(layout.containerd_root)
    network.remove()
    cgroups.remove()
    sysctls.restore(layout.sysctls)
    _remove_container_logs(layout)
    traces.remove(layout.traces)
    traces.remove_tree(layout.state)


def _end_processes(layout: Layout) -> None:
    table = ProcessTable(layout.processes, layout.logs)
    # The kubelet and the control plane first: they would start again what is ended next.
    table.stop(set(table.known()) - set(GENTLY))
    cgroups.kill()
    table.stop(GENTLY, grace=5)
    # What the record does not hold: the shims of containers, and what a killed `up` had no time to record.
    end(_by_sight(layout))


def _by_sight(layout: Layout) -> list[Identity]:
    """Find processes that have one of our programs' names and one of this node's files as an argument."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    ours = [identify(pid) for pid in pids if is_ours(_arguments(pid), layout)]
    return [identity for identity in ours if identity]


def is_ours(arguments: list[str], layout: Layout) -> bool:
    """Return whether a command line is one of this node's."""
    return (
        bool(arguments)
        and Path(arguments[0]).name in OWN_NAMES
        and any(f"{layout.state}/" in argument for argument in arguments[1:])
    )


def _arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _tidy_store(layout: Layout) -> None:
    try:
        # Sandboxes and containers as the runtime interface remembers them; they are no more.
        shutil.rmtree(layout.containerd_root / "io.containerd.grpc.v1.cri", ignore_errors=True)
        store.forget_containers(layout)
    except LocalError as error:
        # The next kubelet removes them too, only later.
        console.say(f"The images' store could not be tidied up: {error}")


def _tidy_registry(layout: Layout) -> None:
    """Delete what no tag names any more: every changed image leaves its former layers."""
    config = layout.config / "registry.yaml"
    if config.exists() and (layout.registry / "docker").exists():
        attempt(["docker-registry", "garbage-collect", "--delete-untagged", config], timeout=60)


def _remove_container_logs(layout: Layout) -> None:
    """Remove the links that a kubelet makes in /var/log, wherever its logs are."""
    if not CONTAINER_LOGS.is_dir():
        return
    for link in CONTAINER_LOGS.iterdir():
        if link.is_symlink() and str(link.readlink()).startswith(f"{layout.state}/"):
            link.unlink()
