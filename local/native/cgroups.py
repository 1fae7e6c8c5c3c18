"""The cgroup that holds all pods, and the node's daemons: made before them, emptied and removed after them."""

import contextlib
import os
import time
from pathlib import Path

from local.native.layout import CGROUP
from local.native.processes import Identity, end, identify

ROOT = Path("/sys/fs/cgroup")
SYSTEM = "system"
"""Where the daemons are, beside the kubelet's `kubepods`.

By themselves they would each weigh as much as all pods together, in a session of its own; here as on any node: all of
them as much as the pods of one CPU.
"""


def hierarchies(root: Path = ROOT) -> list[Path]:
    """Return where cgroups are made: one place with cgroup v2, one per controller with v1."""
    if (root / "cgroup.procs").exists():
        return [root]
    # v1 names some hierarchies twice, through symbolic links.
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink())


def create() -> None:
    """Make the cgroup; the kubelet insists that its root is there."""
    for hierarchy in hierarchies():
        group = hierarchy / CGROUP.lstrip("/")
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            # In v1 a new cpuset is empty, and nothing can run in it.
            if (group / setting).exists() and (hierarchy / setting).exists():
                (group / setting).write_text((hierarchy / setting).read_text())
        if _weighs(hierarchy):
            (group / SYSTEM).mkdir(exist_ok=True)


def take(pid: int) -> None:
    """Put a daemon, and what it will start, among the daemons."""
    for hierarchy in hierarchies():
        if _weighs(hierarchy):
            (hierarchy / CGROUP.lstrip("/") / SYSTEM / "cgroup.procs").write_text(str(pid))


def _weighs(hierarchy: Path) -> bool:
    """Whether CPU is shared out here."""
    return (hierarchy / "cgroup.controllers").exists() or (hierarchy / "cpu.shares").exists()


def processes() -> set[Identity]:
    """Return all processes of pods."""
    found = set()
    for group in _groups():
        if group.name == SYSTEM:
            continue
        try:
            pids = (group / "cgroup.procs").read_text().split()
        except OSError:  # removed meanwhile, or a threaded group
            continue
        found |= {identity for pid in pids if (identity := identify(int(pid)))}
    return found


def kill() -> None:
    """End everything in it, also what is started meanwhile."""
    for _ in range(5):
        if not (running := processes()):
            return
        end(running)


def remove() -> None:
    """Remove it with all below; the kernel needs a moment after the last process has ended."""
    deadline = time.monotonic() + 5
    while (groups := _groups()) and time.monotonic() < deadline:
        for group in reversed(groups):
            with contextlib.suppress(OSError):
                group.rmdir()


def _groups() -> list[Path]:
    tops = [hierarchy / CGROUP.lstrip("/") for hierarchy in hierarchies()]
    return [Path(directory) for top in tops for directory, _, _ in os.walk(top)]
