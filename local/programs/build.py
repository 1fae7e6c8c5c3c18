"""Build the programs that the cache lacks, with the time left shown.

All that share a go.mod are built by one call of Go, which compiles what they have in common once and keeps all cores
busy. What is built appears in the cache whole or not at all; Go's own cache lets an interrupted build resume.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from local import console
from local.errors import LocalError
from local.lock import locked
from local.paths import bin_dir, cache_dir
from local.programs.catalog import SOURCES, Program, catalog, go_s_name
from local.programs.progress import Progress

# Compilers live for seconds: to collect their garbage costs a third of a build. The bound is for the linker.
_ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOGC": "off", "GOMEMLIMIT": "1500MiB"}
_LAST_LINES = 5


def ensure(names: Iterable[str] | None = None) -> None:
    """Build what is missing of these programs (of all, without names) and link the user's tools."""
    wanted = [catalog()[name] for name in names] if names is not None else list(catalog().values())
    if any(not program.built() for program in wanted):
        with locked(cache_dir() / "programs" / ".lock", "another build of the programs"):
            if missing := [program for program in wanted if not program.built()]:
                _build_all(missing)
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


def _build_all(missing: Sequence[Program]) -> None:
    names = ", ".join(program.name for program in missing)
    console.say(f"Building {names} from source, once.")
    begun = time.monotonic()
    _remove_partial(cache_dir() / "programs")
    groups = [list(group) for _, group in groupby(missing, key=lambda program: program.modfile)]
    with console.step("Go modules downloaded"):
        totals = [len(_packages(group)) for group in groups]
    for group, total in zip(groups, totals, strict=True):
        _build(group, Progress(total))
    console.say(f"Programs built in {console.duration(time.monotonic() - begun)}.")


def _packages(group: Sequence[Program]) -> list[str]:
    """List all that the programs are made of; Go downloads it for that."""
    return [line for line in _go("list", group, "-deps") if " " not in line]


def _build(group: Sequence[Program], progress: Progress) -> None:
    """Build programs with the same versions; they appear in the cache together."""
    partial = Path(tempfile.mkdtemp(prefix=".building-", dir=cache_dir() / "programs"))
    variables = {name: value for program in group for name, value in program.variables.items()}
    flags = ["-s", "-w", *(f"-X {name}={value}" for name, value in variables.items())]
    try:
        for line in _go("build", group, "-v", "-trimpath", f"-ldflags={' '.join(flags)}", "-o", f"{partial}/"):
            progress.saw(line)
        for program in group:
            _keep(program, partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _keep(program: Program, built: Path) -> None:
    """Move a program's executables to where they belong."""
    target = built / f"{program.name}.whole"
    target.mkdir()
    for executable, package in program.packages.items():
        (built / go_s_name(package)).rename(target / executable)
    for link in program.links:
        (target / link).symlink_to(next(iter(program.packages)))
    target.rename(program.directory())


def _go(verb: str, group: Sequence[Program], *options: str) -> Iterator[str]:
    """Run a Go command over the programs' packages, and yield the lines that it prints."""
    packages = [package for program in group for package in program.packages.values()]
    child = subprocess.Popen(
        ["go", verb, f"-modfile={group[0].modfile}", "-buildvcs=false", *options, *packages],
        cwd=SOURCES,
        # Static executables: they run in images that hold nothing else.
        env=os.environ | _ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # A group of its own, to be ended with the compilers that it starts.
        start_new_session=True,
    )
    last: list[str] = []
    try:
        for line in child.stdout or ():
            last = [*last, line.rstrip()][-_LAST_LINES:]
            yield line.rstrip()
        if child.wait():
            raise LocalError(f"`go {verb}` of {', '.join(p.name for p in group)} failed: {' / '.join(last)}")
    finally:
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)
            child.wait()


def _remove_partial(directory: Path) -> None:
    """Remove what killed builds left; the lock makes sure that none is at work."""
    for path in directory.glob(".building-*"):
        shutil.rmtree(path, ignore_errors=True)
