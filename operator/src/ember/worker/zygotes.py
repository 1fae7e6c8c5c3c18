"""The launcher's side of the Python zygote: its files in /run/ember, its start, its end."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from ember.worker.processes import Child, Supervisor
from ember.worker.settings import Settings, write_private

STUB = "driver-python"
# The setting that lets executors take their Python workers from a zygote, and do without where there is none.
DAEMON_MODULE = ("spark.python.daemon.module", "ember.worker.pydaemon")
SOCKET_VARIABLE = "EMBER_PYTHON_ZYGOTE"  # as in pydaemon, which imports nothing
# A little longer than the zygote itself waits for its jobs.
_END_SECONDS = 3.0


def start(settings: Settings, supervisor: Supervisor, env: Mapping[str, str], kind: str, threads: str | None) -> Child:
    """Start the zygote, and put the stub beside its socket which Spark takes for the driver's Python.

    `kind` says what it imports beforehand: `plain` nothing, `warm` what a cold job would, `driver` and `executor` also
    what jobs commonly use. `threads` is the number of threads that numpy's library shall have.
    """
    run, python = settings.paths.run, str(settings.paths.python)
    source = Path(__file__).with_name("stub.py").read_text()
    write_private(run / STUB, f"#!{python} -IS\n{source}")
    (run / STUB).chmod(0o700)
    write_private(run / "python", python)
    command = [python, "-m", "ember.worker.zygote", str(socket_path(settings)), kind]
    # What Spark adds to the environment of its Python: an interpreter that began otherwise would not be used.
    added = {"PYTHONUNBUFFERED": "YES"} | ({"OMP_NUM_THREADS": threads} if threads else {})
    return supervisor.start(command, {**env, **added}, Path("/"))


def socket_path(settings: Settings) -> Path:
    """Where the zygote listens."""
    return settings.paths.run / "zygote.sock"


def use_interpreter(settings: Settings, own_python: str) -> None:
    """Tell the stub which interpreter the user asked for, if any: the zygote then only starts that one."""
    write_private(settings.paths.run / "interpreter", own_python)


def end(supervisor: Supervisor, zygote: Child, *, at_once: bool) -> None:
    """End the zygote and all of its jobs; unless `at_once`, a job whose JVM has gone may say its last words."""
    if at_once and zygote.process.stdin:
        with contextlib.suppress(BrokenPipeError):
            zygote.process.stdin.write(b"!")
    zygote.close_stdin()
    supervisor.wait(lambda: zygote.ended, _END_SECONDS)
