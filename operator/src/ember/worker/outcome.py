"""How a run ended: the exit code, and one short sentence for people."""

import signal
from dataclasses import dataclass
from pathlib import Path

_CGROUP_FILES = (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))


@dataclass(frozen=True)
class Outcome:
    """What the process will end with, and why."""

    exit_code: int
    reason: str


def of_status(status: int | None, hint: str = "") -> Outcome:
    """Turn a child's status (negative: killed by that signal; None: never seen to end) into an outcome."""
    note = f" ({hint})" if hint else ""
    if status is None:
        return Outcome(137, f"did not end when told to{note}")
    if status < 0:
        return Outcome(128 - status, f"killed by signal {-status}{_name(-status)}{note}")
    return Outcome(status, f"exit code {status}{note if status else ''}")


def of_main(failure: str, status: int | None, hint: str = "") -> Outcome:
    """The outcome of a JVM with this status, whose main has thrown `failure` (a stack trace) or nothing.

    A JVM whose main throws ends with 1; the gateway in which ours runs ends with 0 all the same.
    """
    outcome = of_status(status, hint)
    if not failure or outcome.exit_code:
        return outcome
    exception = failure.partition("\n")[0].removeprefix('Exception in thread "main" ')
    return Outcome(1, f"exit code 1 ({exception[:300]})")


def _name(number: int) -> str:
    try:
        return f" {signal.Signals(number).name}"
    except ValueError:
        return ""


def memory_hint(out_of_memory: Path) -> str:
    """What the JVM or the kernel say about memory: it is the most frequent reason, and the least visible one."""
    if out_of_memory.exists():
        return "java.lang.OutOfMemoryError"
    for path in _CGROUP_FILES:
        if _kills(path):
            return "OOMKilled: a process was killed at the container's memory limit"
    return ""


def _kills(path: Path) -> int:
    try:
        pairs = dict(line.split(maxsplit=1) for line in path.read_text().splitlines())
        return int(pairs.get("oom_kill", "0"))
    except (OSError, ValueError):
        return 0
