"""What builds and pushes images: buildah, which needs no daemon, or the Docker engine that kind runs in."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, TextIO

from local import console, rootfs
from local.errors import LocalError
from local.paths import cache_dir
from local.shell import attempt, run

_SHOWN = 90
_LONG_SECONDS = 2.0
# Buildah: `[2/4] STEP 3/4: COPY ...` and, at the end, `COMMIT`; BuildKit: `#12 [release 3/9] COPY ...`.
_INSTRUCTION = re.compile(r"^(?:\[\S+\] )?(?:STEP \S+: |(?=COMMIT ))(.+)|^#\d+ \[[^]]+\] (.+)")
_LAST_LINES = 15
_builds: set["subprocess.Popen[str]"] = set()


@dataclass(frozen=True)
class Order:
    """What both engines have to be told of a build."""

    containerfile: Path
    context: Path
    tag: str
    arguments: Mapping[str, str]
    secrets: Mapping[str, Path]

    def options(self) -> list[str]:
        """Return it as options, which are the same for both."""
        given = [f"--build-arg={name}={value}" for name, value in self.arguments.items()]
        given += [f"--secret=id={name},src={path}" for name, path in self.secrets.items()]
        return [*given, f"--file={self.containerfile}", f"--tag={self.tag}", str(self.context)]


class Engine(Protocol):
    """A way to build images."""

    def prepare(self, base: str) -> None:
        """Make ready for builds upon a base image; no other build is going on."""

    def has(self, tag: str) -> bool:
        """Return whether an image is built."""

    def tags(self, name: str) -> list[str]:
        """Return the tags of an image."""

    def build(self, name: str, order: Order) -> None:
        """Build an image, each instruction a layer that is kept."""

    def remove(self, tag: str) -> None:
        """Remove an image, with the layers that no other one needs."""

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
        """Clear away what interrupted builds have left, and make the base image by mmdebstrap."""
        run([*self._command, "rm", "--all"])
        if self.has(base):
            return
        context = self._home / "base"
        with console.step(f"base image {base.partition('/')[2]}"):
            rootfs.make(context)
            run([*self._command, "bud", self._policy, "--isolation=chroot", "--tag", base, str(context)])
            (context / rootfs.ARCHIVE).unlink()

    def has(self, tag: str) -> bool:
        """Return whether an image is built."""
        return attempt([*self._command, "inspect", "--type=image", "--format={{.FromImageID}}", tag]).returncode == 0

    def tags(self, name: str) -> list[str]:
        """Return the tags of an image."""
        lines = run([*self._command, "images", "--noheading", "--format={{.Name}}:{{.Tag}}"]).split()
        # Buildah says `localhost/` before names without a registry.
        return [line.removeprefix("localhost/") for line in lines if line.startswith(f"localhost/{name}:")]

    def build(self, name: str, order: Order) -> None:
        """Build an image, each instruction a layer that is kept."""
        kept = ["--isolation=chroot", "--layers", "--pull-never"]
        _follow(name, [*self._command, "bud", self._policy, *kept, *order.options()])

    def remove(self, tag: str) -> None:
        """Remove an image, with the layers that no other one needs."""
        run([*self._command, "rmi", tag])

    def push(self, tag: str, target: str) -> None:
        """Push an image; it only goes to this machine's registry, so what counts is the time."""
        # Buildah 1.28 takes no notice of --disable-compression.
        fast = ["--compression-format=zstd", "--compression-level=1"]
        run([*self._command, "push", self._policy, "--tls-verify=false", *fast, tag, f"docker://{target}"])


class Docker:
    """The Docker engine with BuildKit. It has not been run on the machines this was developed on."""

    def prepare(self, base: str) -> None:
        """Do nothing: the engine pulls the base image that the Containerfile names."""

    def has(self, tag: str) -> bool:
        """Return whether an image is built."""
        return attempt(["docker", "image", "inspect", tag]).returncode == 0

    def tags(self, name: str) -> list[str]:
        """Return the tags of an image."""
        return run(["docker", "image", "ls", "--format={{.Repository}}:{{.Tag}}", name]).split()

    def build(self, name: str, order: Order) -> None:
        """Build an image, each instruction a layer that is kept."""
        _follow(name, ["docker", "build", "--progress=plain", *order.options()])

    def remove(self, tag: str) -> None:
        """Remove an image, with the layers that no other one needs."""
        run(["docker", "image", "rm", tag])

    def push(self, tag: str, target: str) -> None:
        """Push an image to a registry without TLS."""
        run(["docker", "tag", tag, target])
        run(["docker", "push", "--quiet", target])
        run(["docker", "image", "rm", target])


@contextlib.contextmanager
def stopping() -> Iterator[None]:
    """End the builds that are going on when this ends by an interruption, or something else fails."""
    try:
        yield
    except BaseException:
        for process in list(_builds):
            os.killpg(process.pid, signal.SIGTERM)
        raise


def _follow(name: str, command: Sequence[str]) -> None:
    """Run a build: say how long its longer instructions took, keep all in a file, show the end if the build fails."""
    log = cache_dir() / "images" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # A group of its own, to be ended as a whole: buildah leaves its children behind.
        start_new_session=True,
    )
    _builds.add(process)
    with log.open("w") as file:
        last = _tell(name, process.stdout or (), file)
    _builds.discard(process)
    if process.wait():
        raise LocalError(f"Image {name} was not built (all of it: {log}):\n{last}")


def _tell(name: str, lines: Iterable[str], log: TextIO, clock: Callable[[], float] = time.monotonic) -> str:
    """Say what takes long while it happens; return the last lines."""
    last: deque[str] = deque(maxlen=_LAST_LINES)
    instruction, started = "", clock()
    for line in lines:
        log.write(line)
        log.flush()
        last.append(line.rstrip())
        if found := _INSTRUCTION.search(line):
            took = clock() - started
            if took >= _LONG_SECONDS:
                console.say(f"{took:6.1f} s    {name}: {instruction}")
            instruction, started = " ".join((found[1] or found[2]).split())[:_SHOWN], clock()
    return "\n".join(last)
