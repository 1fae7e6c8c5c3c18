"""In a forked child of the zygote: become the daemon from which Spark's executor forks its Python workers."""

import importlib
import os
import signal
import sys
from typing import Any

from ember.worker import threads
from ember.worker.job import Request, differs, enter, forget_ember, search_path, streams


def serves(request: Request) -> bool:
    """Whether a fork of this process is what Spark would have started."""
    return request.interpreter == sys.executable and not differs(request.env)


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
    daemon.manager()
