"""Run a program and wait for it; a failure becomes one error that names it."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.errors import LocalError


def run(
    command: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
) -> str:
    """Run a command to its end and return what it printed."""
    done = attempt(command, stdin=stdin, env=env, cwd=cwd, timeout=timeout)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-5:]
        raise LocalError(f"`{' '.join(map(str, command))}` failed ({done.returncode}): {' / '.join(said)}")
    return done.stdout


def attempt(
    command: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command that may fail; the caller looks at the outcome."""
    try:
        return subprocess.run(
            list(command),
            input=stdin if stdin is not None else "",
            env=env,
            cwd=cwd,
            timeout=timeout,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(list(command), 127, "", f"{command[0]}: not found")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(list(command), 124, "", f"no answer in {timeout} s")
