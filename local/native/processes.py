"""The node's processes: started so that they outlive the caller, and never mistaken for others."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Identity:
    """A process for certain: ids are used again, but not with the same start time in the same boot."""

    pid: int
    start: int
    boot: str

    def alive(self) -> bool:
        """Return whether this very process is running."""
        return identify(self.pid) == self


def start_time(stat: str) -> int | None:
    """Return the start time from the text of /proc/<pid>/stat; None for a zombie, which runs no more."""
    # The name is in brackets and may hold spaces and brackets itself: what counts comes after the last one.
    fields = stat.rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 and fields[0] not in "ZX" else None


def boot_id() -> str:
    """Return what tells this boot of the machine from others."""
    return BOOT_ID.read_text().strip()


def identify(pid: int) -> Identity | None:
    """Return the identity of the process that has this id now."""
    try:
        start = start_time(Path(f"/proc/{pid}/stat").read_text())
    except OSError:
        return None
    return Identity(pid, start, boot_id()) if start is not None else None


class ProcessTable:
    """The record of what was started, by name, in a file that survives the caller."""

    def __init__(self, path: Path, logs: Path) -> None:
        self._path, self._logs = path, logs

    def known(self) -> dict[str, Identity]:
        """Return the recorded processes, running or not."""
        try:
            return {name: Identity(**fields) for name, fields in json.loads(self._path.read_text()).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def alive(self) -> dict[str, Identity]:
        """Return the recorded processes that are running."""
        return {name: identity for name, identity in self.known().items() if identity.alive()}

    def log(self, name: str) -> Path:
        """Return where a process's output goes."""
        return self._logs / f"{name}.log"

    def start(self, name: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Identity:
        """Start a process in a session of its own and record it."""
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as log:
            # All three streams are redirected: an inherited pipe would keep the caller's caller waiting for ever.
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                cwd="/",
                start_new_session=True,
            )
        identity = identify(child.pid) or Identity(child.pid, 0, boot_id())
        self._write(self.known() | {name: identity})
        return identity

    def stop(self, names: Iterable[str], grace: float = 0.0) -> None:
        """End recorded processes; with a grace they are asked first."""
        chosen = [identity for name, identity in self.alive().items() if name in set(names)]
        end(chosen, grace)

    def _write(self, processes: Mapping[str, Identity]) -> None:
        partial = self._path.with_suffix(".partial")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps({name: asdict(identity) for name, identity in processes.items()}, indent=1))
        partial.rename(self._path)


def end(processes: Iterable[Identity], grace: float = 0.0) -> None:
    """End these processes and wait until they are gone."""
    remaining = list(processes)
    if grace:
        _signal(remaining, signal.SIGTERM)
        remaining = _await_end(remaining, grace)
    _signal(remaining, signal.SIGKILL)
    _await_end(remaining, 10.0)


def _signal(processes: Iterable[Identity], number: signal.Signals) -> None:
    for process in processes:
        if process.alive():
            try:
                os.kill(process.pid, number)
            except ProcessLookupError:
                continue


def _await_end(processes: list[Identity], seconds: float) -> list[Identity]:
    deadline = time.monotonic() + seconds
    while (processes := [process for process in processes if process.alive()]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return processes
