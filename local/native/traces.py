"""Directories that the node's programs make outside its own: removed again if they were not there before."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from local.errors import LocalError
from local.shell import attempt

# The kubelet, the network plugins, containerd and `ip netns` have these built in.
KNOWN = (
    Path("/var/lib/kubelet"),
    Path("/var/lib/cni"),
    Path("/var/log/containers"),
    Path("/run/containerd"),
    Path("/run/netns"),
)


def save(record: Path, known: Sequence[Path] = KNOWN) -> None:
    """Write down which of them are not there yet."""
    record.write_text(json.dumps([str(path) for path in known if not path.exists()]))


def remove(record: Path) -> None:
    """Remove those that were not there."""
    try:
        absent = json.loads(record.read_text())
    except (OSError, ValueError):
        return
    for path in map(Path, absent):
        # `ip netns` leaves its directory mounted on itself.
        attempt(["umount", path])
        remove_tree(path)


def remove_tree(directory: Path) -> None:
    """Delete a directory, if there is one, but nothing that is mounted in it."""
    if not directory.exists():
        return
    if left := mounts_below(directory, mount_table()):
        raise LocalError(f"{left[0]} is still mounted; unmount it and run `down` again.")
    shutil.rmtree(directory)


def unmount(directory: Path) -> None:
    """Unmount everything below a directory, whoever still uses it."""
    for point in mounts_below(directory, mount_table()):
        attempt(["umount", "--lazy", point])


def mount_table() -> str:
    """Return the mounts as the kernel lists them."""
    return Path("/proc/self/mounts").read_text()


def mounts_below(directory: Path, table: str) -> list[str]:
    """Return the mount points at and below a directory, the innermost first."""
    points = [line.split()[1].replace("\\040", " ") for line in table.splitlines()]
    return [point for point in reversed(points) if point == str(directory) or point.startswith(f"{directory}/")]
