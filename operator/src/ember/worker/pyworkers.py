"""In a forked child of the zygote: become the daemon from which Spark's executor forks its Python workers."""

import importlib
import os
import signal
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ember.worker import threads
from ember.worker.job import Request, differs, enter, forget_ember, search_path, streams

_random: list[ModuleType] = []


def remember() -> None:
    """In the zygote, after its imports: note the part of numpy that draws random numbers."""
    if "numpy.random.mtrand" in sys.modules:
        _random.append(sys.modules["numpy.random.mtrand"])


def with_own_seed(main: Callable[..., object]) -> Callable[..., object]:
    """A worker's main whose numbers are its own: numpy seeds itself once, as it is imported, and forks would agree."""
    seeded: set[int] = set()

    def worker_main(*arguments: object) -> object:
        if os.getpid() not in seeded:  # later tasks of this worker go on, as they would without us
            seeded.add(os.getpid())
            for module in _random:
                module.seed()
        return main(*arguments)

    return worker_main


def serves(request: Request) -> bool:
    """Whether a fork of this process is what Spark would have started."""
    # A limit of its memory counts what is mapped, and the imports of this process are: it would get less than it asks.
    limited = "PYSPARK_EXECUTOR_MEMORY_MB" in request.env
    return request.interpreter == sys.executable and not limited and not differs(request.env)


def run(request: Request) -> None:
    """Be the daemon; ends in SystemExit."""
    for target, descriptor in enumerate(request.descriptors):
        os.dup2(descriptor, target)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    enter(request)
    threads.follow(request.env)
    forget_ember()
    streams()
    sys.argv = ["pyspark.daemon", *request.argv]
    # `python -m` puts the working directory first.
    sys.path[:] = search_path(request.cwd, request.env)
    daemon: Any = importlib.import_module("pyspark.daemon")
    if request.argv and request.argv[0].startswith("pyspark"):
        # Spark has several kinds of workers, each with its own module.
        daemon.worker_main = importlib.import_module(request.argv[0]).main
    daemon.worker_main = with_own_seed(daemon.worker_main)
    daemon.manager()
