"""Build the programs that the cache lacks, with the time left shown.

Two at a time: a Go build uses both cores while it compiles, but one while it links and none while it
downloads, and the other one fills those gaps. Each is built in a directory of its own that is renamed when
it is complete, so an interrupted build leaves nothing half made, and Go's cache lets the next one resume.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from local import console
from local.errors import LocalError
from local.lock import locked
from local.paths import bin_dir, cache_dir
from local.programs.catalog import Program, catalog
from local.programs.estimate import Durations, time_left

AT_ONCE = 2
REPORT_EVERY = 15.0


def ensure(names: Iterable[str] | None = None) -> None:
    """Build what is missing of these programs (of all, without names) and link the user's tools."""
    wanted = [catalog()[name] for name in names] if names is not None else list(catalog().values())
    if any(not program.built() for program in wanted):
        with locked(cache_dir() / "programs" / ".lock", "another build of the programs"):
            if missing := [program for program in wanted if not program.built()]:
                _Builds(missing).run()
    for tool in ("kubectl", "helm"):
        link_tool(tool)


def link_tool(name: str) -> None:
    """Point <cache>/bin/<name> at the built executable, if there is one."""
    for program in catalog().values():
        if name not in program.packages and name not in program.links:
            continue
        target, link = program.directory() / name, bin_dir() / name
        if not target.exists() or (link.is_symlink() and link.readlink() == target):
            return
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)


class _Builds:
    """The builds of one call, and what is said about them."""

    def __init__(self, programs: list[Program]) -> None:
        self._durations = Durations(cache_dir() / "programs" / "durations.json")
        known = self._durations.known()
        # The longest first: a long one that starts last would run alone at the end.
        self._programs = sorted(programs, key=lambda program: -program.seconds)
        self._estimates = {program.name: known.get(program.name, program.seconds) for program in programs}
        self._started: dict[str, float] = {}
        self._finished: set[str] = set()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._stopping = threading.Event()

    def run(self) -> None:
        """Build all, or stop all."""
        _remove_partial(cache_dir() / "programs")
        begun = time.monotonic()
        names = ", ".join(program.name for program in self._programs)
        console.say(f"Building {names} from source, once: about {console.duration(self._left())} on two cores.")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            futures = [pool.submit(self._build, program) for program in self._programs]
            try:
                self._watch(futures)
            except BaseException:
                self._stop()
                raise
        console.say(f"Programs built in {console.duration(time.monotonic() - begun)}.")

    def _watch(self, futures: list[Future[None]]) -> None:
        pending = set(futures)
        while pending:
            done, pending = wait(pending, timeout=REPORT_EVERY, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            if pending:
                self._report()

    def _report(self) -> None:
        now = time.monotonic()
        running = [f"{name} {console.duration(now - start)}" for name, start in self._running().items()]
        console.say(
            f"  {len(self._finished)} of {len(self._programs)} built; building {', '.join(running) or 'nothing yet'};"
            f" about {console.duration(self._left())} left"
        )

    def _running(self) -> dict[str, float]:
        return {name: start for name, start in self._started.copy().items() if name not in self._finished}

    def _left(self) -> float:
        now = time.monotonic()
        unfinished = {name: estimate for name, estimate in self._estimates.items() if name not in self._finished}
        return time_left(unfinished, {name: now - start for name, start in self._running().items()})

    def _build(self, program: Program) -> None:
        if self._stopping.is_set():
            return
        started = self._started[program.name] = time.monotonic()
        target = program.directory()
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{program.name}-", dir=target.parent))
        try:
            for executable, package in program.packages.items():
                self._compile(program, package, partial / executable)
            for link in program.links:
                (partial / link).symlink_to(next(iter(program.packages)))
            partial.chmod(0o755)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        seconds = time.monotonic() - started
        self._finished.add(program.name)
        self._durations.record(program.name, seconds, program.seconds)
        console.say(f"  {program.name} built in {console.duration(seconds)}")

    def _compile(self, program: Program, package: str, output: Path) -> None:
        command: list[str | Path] = [
            "go",
            "build",
            "-trimpath",
            "-buildvcs=false",
            "-ldflags",
            program.ldflags,
            "-o",
            output,
            package,
        ]
        # Static executables: they run in images that hold nothing else.
        env = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}
        child = subprocess.Popen(
            command,
            cwd=program.source,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._children.add(child)
        if self._stopping.is_set():  # too late to be among those that were stopped
            _end(child)
        _, errors = child.communicate()
        self._children.discard(child)
        if self._stopping.is_set():
            raise LocalError(f"building {program.name} was interrupted")
        if child.returncode:
            said = [line for line in errors.decode(errors="replace").splitlines() if "downloading" not in line]
            raise LocalError(f"building {program.name} failed: {' / '.join(said[-5:])}")

    def _stop(self) -> None:
        self._stopping.set()
        for child in list(self._children):
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a build with the compilers it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)


def _remove_partial(directory: Path) -> None:
    """Remove what killed builds left; the lock makes sure that none is at work."""
    for path in directory.glob(".*-*"):
        shutil.rmtree(path, ignore_errors=True)
