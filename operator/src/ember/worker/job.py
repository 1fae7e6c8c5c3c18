"""In a forked child of the zygote: become the interpreter that Spark meant to start, and run the script in it."""

import builtins
import contextlib
import importlib.machinery
import io
import os
import signal
import sys
import time
import types
from dataclasses import dataclass
from pathlib import Path

from ember.worker import preloaded, threads

# Taken when the zygote starts, before the script's own settings come: what its interpreter was started with.
_BASE_ENVIRONMENT = dict(os.environ)
_NOT_BASE = {"", str(Path.cwd()), *_BASE_ENVIRONMENT.get("PYTHONPATH", "").split(os.pathsep)}
_BASE_PATH = [entry for entry in sys.path if entry not in _NOT_BASE]
# Variables that an interpreter, the C library, numpy or Arrow reads once, at its start.
_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "OMP_", "OPENBLAS_", "MKL_", "ARROW_")
# What Spark tells its Python workers in variables of such names.
_SPARKS_OWN = ("PYTHON_WORKER_", "PYTHON_UDF_", "PYTHON_FAULTHANDLER_", "PYTHON_UNIX_", "PYTHON_DAEMON_")
# Those of them which we can follow afterwards.
_FOLLOWED = ("PYTHONPATH", "PYTHONUNBUFFERED", threads.VARIABLE)


@dataclass(frozen=True)
class Request:
    """What Spark wanted to start."""

    kind: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    interpreter: str
    descriptors: tuple[int, ...] = ()


def run(request: Request) -> None:
    """Run the job in this process; returns or raises SystemExit just as the script did."""
    _take_over(request)
    script = request.argv[0]
    if request.interpreter or differs(request.env) or _shadows(script, request.env):
        program = request.interpreter or sys.executable
        os.execvpe(program, [program, *request.argv], request.env)  # noqa: S606 - the user's own Python, no shell
    threads.follow(request.env)
    forget_ember()
    streams()
    sys.argv = list(request.argv)
    sys.orig_argv = [sys.executable, *request.argv]
    sys.path[:] = search_path(str(Path(script).resolve().parent), request.env)
    _execute(script)


def _take_over(request: Request) -> None:
    """Process group, signals, directory, environment and standard input of a fresh process."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYSPARK_REMOTE_INIT_CONF_LEN" in request.env and request.descriptors:
        # Spark Connect mode sends its settings this way.
        os.dup2(request.descriptors[0], 0)
    else:
        # Spark would leave an open pipe that never says anything: a script that reads gets an end instead of a hang.
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
    # Standard output and error stay those of the container: Spark's pipe through the JVM loses the last lines
    # when the JVM ends first, and mixes both streams.
    enter(request)


def enter(request: Request) -> None:
    """Directory and environment of the process that Spark meant to start."""
    for descriptor in request.descriptors:
        os.close(descriptor)
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.env)
    time.tzset()


def forget_ember() -> None:
    """Hide our own modules: a job may have some of the same name."""
    for name in [name for name in sys.modules if name == "ember" or name.startswith("ember.")]:
        del sys.modules[name]


def differs(env: dict[str, str]) -> bool:
    """True if an interpreter started with this environment would not be what the zygote is."""

    def at_start(source: dict[str, str]) -> dict[str, str]:
        read = {key: value for key, value in source.items() if key.startswith(_AT_START) and key not in _FOLLOWED}
        return {key: value for key, value in read.items() if not key.startswith(_SPARKS_OWN)}

    return at_start(env) != at_start(_BASE_ENVIRONMENT)


def _shadows(script: str, env: dict[str, str]) -> bool:
    """True if the job brings a module of its own under a name that the zygote has imported already."""
    loaded = {name.partition(".")[0] for name in sys.modules} - {"__main__", "ember"}
    loaded |= {"sitecustomize", "usercustomize", *preloaded.hidden()}
    spark = str(Path(env.get("SPARK_HOME", "/opt/spark"), "python"))
    entries = [str(Path(script).resolve().parent), *env.get("PYTHONPATH", "").split(os.pathsep)]
    known = [*_BASE_PATH, *_BASE_ENVIRONMENT.get("PYTHONPATH", "").split(os.pathsep)]
    return any(
        not loaded.isdisjoint(_modules_in(entry))
        for entry in entries
        if entry and entry not in known and not entry.startswith(spark)
    )


def _modules_in(entry: str) -> set[str]:
    """The top-level names that could be imported from a folder or an archive."""
    if Path(entry).is_dir():
        names = [path.name for path in Path(entry).iterdir()]
    else:
        import zipfile

        try:
            with zipfile.ZipFile(entry) as archive:
                names = [name.partition("/")[0] for name in archive.namelist()]
        except (OSError, zipfile.BadZipFile):
            return set()
    return {name.partition(".")[0] for name in names}


def search_path(first: str, env: dict[str, str]) -> list[str]:
    """What sys.path would be: the script's folder, PYTHONPATH, the rest; each once."""
    wanted = env.get("PYTHONPATH", "")
    entries = [first]
    entries += [str(Path(entry).absolute()) for entry in wanted.split(os.pathsep)] if wanted else []
    return list(dict.fromkeys([*entries, *_BASE_PATH]))


def streams() -> None:
    """Open the standard streams anew, unbuffered as Spark asks for (PYTHONUNBUFFERED)."""
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, f"__{name}__")
        buffering = 0 if descriptor and unbuffered else -1
        raw = open(descriptor, "wb" if descriptor else "rb", buffering, closefd=False)  # noqa: SIM115 - lives on
        stream = io.TextIOWrapper(
            raw, encoding=old.encoding, errors=old.errors, line_buffering=descriptor == 2, write_through=unbuffered
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _execute(script: str) -> None:
    """Run the file as the main module. SystemExit passes through to the interpreter, which knows what to make of it."""
    module = types.ModuleType("__main__")
    loader = importlib.machinery.SourceFileLoader("__main__", script)
    module.__dict__.update(__file__=script, __loader__=loader, __builtins__=builtins, __cached__=None)
    sys.modules["__main__"] = module
    try:
        code = compile(Path(script).read_bytes(), script, "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - running the user's script is this module's purpose
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        _report(error)
        sys.exit(1)


def _report(error: BaseException) -> None:
    """Show an uncaught exception as the interpreter would, without the frames of this file."""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    with contextlib.suppress(BrokenPipeError):
        sys.excepthook(type(error), error.with_traceback(trace), trace)
