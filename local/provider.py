"""What a local cluster is to the rest of this repository, and which one there is on this machine."""

import os
import shutil
from pathlib import Path
from typing import Protocol

from local.errors import LocalError
from local.kind import KindCluster
from local.native.node import NativeNode
from local.shell import attempt


class Provider(Protocol):
    """A way to have a cluster on this machine."""

    @property
    def name(self) -> str:
        """What EMBER_PROVIDER calls it."""

    @property
    def registry(self) -> str:
        """`host:port` of the registry: images are pushed to it and pulled from it by this name, without TLS."""

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig; it exists while the cluster is up."""

    @property
    def pod_logs(self) -> Path:
        """Directory on the nodes where the kubelet keeps the logs of containers."""

    def prepare(self) -> None:
        """Install what it needs, or name what is missing; `up` does it too."""

    def up(self) -> None:
        """Start the cluster; nothing happens if it is up."""

    def down(self, purge: bool = False) -> None:
        """Take the cluster away; with `purge`, its cached images too."""

    def healthy(self) -> bool:
        """Return whether the cluster can be used."""

    def status(self) -> dict[str, str]:
        """Return each part with how it is."""

    def load_image(self, archive: Path) -> None:
        """Make the image of a docker archive usable by pods without the registry."""


def current() -> Provider:
    """Return the provider that EMBER_PROVIDER names, or the natural one here."""
    chosen = os.environ.get("EMBER_PROVIDER") or ("kind" if _has_kind() else "native")
    if chosen == "kind":
        return KindCluster()
    if chosen == "native":
        return NativeNode()
    raise LocalError(f"EMBER_PROVIDER is {chosen!r}; it can be `native` or `kind`.")


def _has_kind() -> bool:
    return bool(shutil.which("kind")) and attempt(["docker", "info"], timeout=10).returncode == 0
