"""What builds and pushes images: buildah, which needs no daemon, or the Docker engine that kind runs in."""

import json
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

from local import console, rootfs
from local.errors import LocalError
from local.paths import cache_dir
from local.shell import attempt, run

_SHOWN = 100
_LAST_LINES = 15


class Engine(Protocol):
    """A way to build images."""

    def prepare(self, base: str) -> None:
        """Have the base image."""

    def has(self, tag: str) -> bool:
        """Return whether an image is built."""

    def build(
        self,
        name: str,
        containerfile: Path,
        context: Path,
        tag: str,
        arguments: Mapping[str, str],
        secrets: Mapping[str, Path],
    ) -> None:
        """Build an image."""

    def push(self, tag: str, target: str) -> None:
        """Push an image to a registry without TLS."""


class Buildah:
    """Buildah with a storage of its own in the cache; needs root."""

    def __init__(self) -> None:
        self._home = cache_dir() / "images"

    @cached_property
    def _command(self) -> list[str]:
        self._home.mkdir(parents=True, exist_ok=True)
        command = ["buildah", "--root", str(self._home / "storage"), "--runroot", str(self._home / "run")]
        # Overlay mounts do not work everywhere (not on an overlay, say); copies always do.
        overlay = attempt([*command, "--storage-driver", "overlay", "info"]).returncode == 0
        return [*command, "--storage-driver", "overlay" if overlay else "vfs"]

    @cached_property
    def _policy(self) -> str:
        path = self._home / "policy.json"
        path.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
        return f"--signature-policy={path}"

    def prepare(self, base: str) -> None:
        """Make the base image by mmdebstrap."""
        if self.has(base):
            return
        context = self._home / "base"
        with console.step(f"base image: Debian {rootfs.SUITE}"):
            rootfs.make(context)
            run([*self._command, "bud", self._policy, "--isolation=chroot", "--tag", base, str(context)])
            (context / rootfs.ARCHIVE).unlink()

    def has(self, tag: str) -> bool:
        """Return whether an image is built."""
        return attempt([*self._command, "inspect", "--type=image", "--format={{.FromImageID}}", tag]).returncode == 0

    def build(
        self,
        name: str,
        containerfile: Path,
        context: Path,
        tag: str,
        arguments: Mapping[str, str],
        secrets: Mapping[str, Path],
    ) -> None:
        """Build an image, each instruction a layer that is kept."""
        command = [*self._command, "bud", self._policy, "--isolation=chroot", "--layers", "--pull-never"]
        command += options(containerfile, context, tag, arguments, secrets)
        _follow(name, command)

    def push(self, tag: str, target: str) -> None:
        """Push an image; layers are not compressed, as it only goes to this machine's registry."""
        command = [*self._command, "push", self._policy, "--tls-verify=false", "--disable-compression"]
        run([*command, tag, f"docker://{target}"])


class Docker:
    """The Docker engine with BuildKit. It has not been run on the machines this was developed on."""

    def prepare(self, base: str) -> None:
        """Do nothing: the engine pulls the base image that the Containerfile names."""

    def has(self, tag: str) -> bool:
        """Return whether an image is built."""
        return attempt(["docker", "image", "inspect", tag]).returncode == 0

    def build(
        self,
        name: str,
        containerfile: Path,
        context: Path,
        tag: str,
        arguments: Mapping[str, str],
        secrets: Mapping[str, Path],
    ) -> None:
        """Build an image."""
        _follow(
            name, ["docker", "build", "--progress=plain", *options(containerfile, context, tag, arguments, secrets)]
        )

    def push(self, tag: str, target: str) -> None:
        """Push an image."""
        run(["docker", "tag", tag, target])
        run(["docker", "push", "--quiet", target])


def options(
    containerfile: Path, context: Path, tag: str, arguments: Mapping[str, str], secrets: Mapping[str, Path]
) -> list[str]:
    """Return what `build` takes in both engines."""
    given = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    given += [f"--secret=id={name},src={path}" for name, path in secrets.items()]
    return [*given, f"--file={containerfile}", f"--tag={tag}", str(context)]


def _follow(name: str, command: Sequence[str]) -> None:
    """Run a build: say each instruction when it starts, keep the rest in a file, show its end if the build fails."""
    log = cache_dir() / "images" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    last: deque[str] = deque(maxlen=_LAST_LINES)
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    assert process.stdout is not None
    with log.open("w") as file:
        for line in process.stdout:
            file.write(line)
            file.flush()
            last.append(line.rstrip())
            if line.startswith(("STEP", "[", "trained")):
                console.say(f"         {name} at {time.monotonic() - started:.0f} s: {line.strip()[:_SHOWN]}")
    if process.wait():
        end = "\n".join(last)
        raise LocalError(f"Image {name} was not built (all of it: {log}):\n{end}")
