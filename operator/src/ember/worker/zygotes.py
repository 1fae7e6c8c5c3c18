"""The launcher's side of the Python zygote: its files in /run/ember, its start, its end."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from ember.worker.processes import Child, Supervisor
from ember.worker.settings import Settings, write_private

STUB = "driver-python"
# A little longer than the zygote itself waits for its jobs.
_END_SECONDS = 3.0


def start(
    settings: Settings, supervisor: Supervisor, env: Mapping[str, str], own_python: str, cores: str | None
) -> Child:
    """Start the zygote, and put the stub beside its socket which Spark takes for the driver's Python.

    `own_python` is the interpreter that the user asked for, if any: then the zygote imports nothing beforehand and
    only starts that interpreter. `cores` is the driver's number of cores, which Spark tells to numpy's library.
    """
    run, python = settings.paths.run, str(settings.paths.python)
    source = Path(__file__).with_name("stub.py").read_text()
    write_private(run / STUB, f"#!{python} -IS\n{source}")
    (run / STUB).chmod(0o700)
    write_private(run / "python", python)
    write_private(run / "interpreter", own_python)
    command = [python, "-m", "ember.worker.zygote", str(run / "zygote.sock"), "plain" if own_python else "warm"]
    # What Spark adds to the environment of its Python: an interpreter that began otherwise would not be used.
    added = {"PYTHONUNBUFFERED": "YES"} | ({"OMP_NUM_THREADS": cores} if cores else {})
    return supervisor.start(command, {**env, **added}, Path("/"))


def end(supervisor: Supervisor, zygote: Child, *, at_once: bool) -> None:
    """End the zygote and all of its jobs; unless `at_once`, a job whose JVM has gone may say its last words."""
    if at_once and zygote.process.stdin:
        with contextlib.suppress(BrokenPipeError):
            zygote.process.stdin.write(b"!")
    zygote.close_stdin()
    supervisor.wait(lambda: zygote.ended, _END_SECONDS)
