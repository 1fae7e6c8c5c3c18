"""containerd's store: images brought in without a registry, and containers of ended clusters taken out."""

import platform
from pathlib import Path

from local import archive
from local.native import components, configuration
from local.native.layout import Layout
from local.native.processes import ProcessTable
from local.native.waiting import wait_for
from local.prerequisites import find
from local.programs.catalog import catalog, executable
from local.shell import attempt, run

PAUSE = "ember.local/pause:1"


def coredns_reference() -> str:
    """Return the name of the DNS server's image: another program gets another name."""
    return f"ember.local/coredns:{catalog()['coredns'].key()}"


def import_own_images(layout: Layout) -> None:
    """Bring in the two images that a cluster cannot do without, unless an earlier cluster did."""
    present = set(ctr(layout, "images", "list", "--quiet").split())
    pause = archive.Image(PAUSE, ["/catatonit", "-P"], {"/catatonit": Path(find("catatonit"))})
    coredns = archive.Image(coredns_reference(), ["/coredns"], {"/coredns": executable("coredns")})
    for image in (pause, coredns):
        if image.reference not in present:
            path = layout.archives / f"{image.reference.replace('/', '_').replace(':', '_')}.tar"
            archive.write(image, path, platform.machine())
            load(layout, path)
            path.unlink()


def load(layout: Layout, path: Path) -> None:
    """Import an image archive, so that pods can use it without a pull."""
    ctr(layout, "images", "import", str(path))


def forget_containers(layout: Layout) -> None:
    """Remove the containers of an ended cluster, with their file systems; images stay.

    This needs a containerd that does not know about pods: the usual one would bring them back to its mind
    when it starts.
    """
    if not layout.containerd_root.exists() or not executable("containerd").exists():
        return
    table = ProcessTable(layout.state / "maintenance.json", layout.logs)
    config = layout.config / "containerd-maintenance.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(configuration.containerd_maintenance(layout))
    table.start("containerd-maintenance", components.containerd(layout, config.name))
    try:
        wait_for("containerd's store", lambda: answers(layout), table, seconds=30)
        if containers := ctr(layout, "containers", "list", "--quiet").split():
            ctr(layout, "containers", "delete", *containers)
        sandboxes = [line.split()[0] for line in ctr(layout, "sandboxes", "list").splitlines()[1:]]
        if sandboxes:
            # By force: nothing is left that could be stopped first.
            ctr(layout, "sandboxes", "remove", "--force", *sandboxes)
    finally:
        table.stop(table.known(), grace=5)


def answers(layout: Layout) -> bool:
    """Return whether containerd answers."""
    return attempt(_ctr(layout, "version"), timeout=5).returncode == 0


def ctr(layout: Layout, *arguments: str) -> str:
    """Run ctr among the images and containers of Kubernetes."""
    return run(_ctr(layout, *arguments), timeout=300)


def _ctr(layout: Layout, *arguments: str) -> list[str | Path]:
    return [executable("ctr"), "--address", layout.containerd_socket, "--namespace", "k8s.io", *arguments]
