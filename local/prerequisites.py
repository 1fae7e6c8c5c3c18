"""What must be installed before anything is started: named, or installed where that is possible."""

import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import console, versions
from local.errors import LocalError
from local.programs.catalog import SOURCES
from local.shell import attempt, run

# What is used -> the Debian package that has it.
NODE_PACKAGES = {
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "catatonit": "catatonit",
    "nft": "nftables",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "socat": "socat",
    "docker-registry": "docker-registry",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "mount": "mount",
}
IMAGE_PACKAGES = {"buildah": "buildah", "mmdebstrap": "mmdebstrap"}

# Debian keeps administrators' programs in directories that a user's PATH may lack.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
POLICY = Path("/usr/sbin/policy-rc.d")


def find(program: str) -> str:
    """Return the path of an installed program."""
    found = shutil.which(program, path=SEARCH_PATH)
    if not found:
        raise LocalError(f"`{program}` is not installed.")
    return found


def check_root() -> None:
    """Refuse a user who can neither make namespaces nor mount, and another kernel than Linux."""
    if platform.system() != "Linux":
        raise LocalError("The native cluster needs Linux: install Docker and kind instead.")
    if os.geteuid() != 0:
        raise LocalError("The native cluster needs root: run the command with `sudo`, or install Docker and kind.")


def check_node() -> None:
    """See to everything that the native node needs."""
    check_root()
    _see_to_packages(NODE_PACKAGES | IMAGE_PACKAGES)


def check_go() -> None:
    """Refuse a Go that cannot build the programs."""
    wanted = versions.minimum_go()
    # Asked where a go.mod is: since 1.21, go changes to the toolchain that the go.mod names.
    said = attempt(["go", "env", "GOVERSION"], cwd=SOURCES)
    if said.returncode or not go_is_enough(said.stdout, wanted):
        have = said.stdout.strip() or "none"
        raise LocalError(
            f"Go {wanted} or newer is needed (found: {have}); install it as https://go.dev/doc/install says."
        )


def go_is_enough(found: str, wanted: str) -> bool:
    """Compare a version such as ``go1.26.8`` with the oldest that will do."""
    match = re.match(r"go(\d+)\.(\d+)", found)
    return bool(match) and tuple(map(int, match.groups())) >= tuple(map(int, wanted.split("."))) if match else False


def _see_to_packages(packages: dict[str, str]) -> None:
    missing = sorted({package for program, package in packages.items() if not shutil.which(program, path=SEARCH_PATH)})
    if not missing:
        return
    command = f"apt-get install -y {' '.join(missing)}"
    may_install = os.environ.get("EMBER_INSTALL_PREREQUISITES", "1") != "0"
    if not (may_install and shutil.which("apt-get", path=SEARCH_PATH)):
        raise LocalError(f"These are missing: {', '.join(missing)}; install them with `{command}`.")
    for package in missing:
        console.say(f"Installing the Debian package {package}.")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with _no_services():
        # The lists may be missing or too old on a fresh machine; an outdated one is no reason to fail here.
        attempt(["apt-get", "update", "-q"], env=env)
        run(["apt-get", "install", "-qy", "--no-install-recommends", *missing], env=env)


@contextmanager
def _no_services() -> Iterator[None]:
    """Keep packages from starting their services: the registry's would take a port and stay."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
