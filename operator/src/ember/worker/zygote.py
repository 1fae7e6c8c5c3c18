"""A Python process with pyspark imported, which forks for each job: `import pyspark` then costs the job nothing.

Runs as `python -m ember.worker.zygote <socket> plain|warm|driver|executor`. It has one thread. Its standard input is a
pipe from the launcher: the end of that pipe is the end of the zygote and of its jobs, at once if a byte comes before. A
request names a script (or asks for the daemon of an executor's Python workers), its arguments and its environment; the
answer is one byte when the job was forked, and four bytes with the exit code when it has ended.
"""

import ast
import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ember.worker import accumulators, job, ownpod, preloaded, pyworkers, roundtrips, threads
from ember.worker.job import Request

WARM_MODULES = ("pyspark", "pyspark.sql", "pyspark.sql.functions", "pyspark.sql.types", "pyspark.sql.classic.dataframe")
DAEMON_MODULES = (*WARM_MODULES, "pyspark.daemon")
# What is worth having ready, out of sight of a job that does not import it.
COMMON_MODULES = ("numpy", "pandas", "pyarrow", "pyspark.sql.pandas.serializers", "pyspark.sql.pandas.types")
_REQUEST_SECONDS = 10.0
# A job whose JVM has gone gets its exception within milliseconds; so long it may take to print it.
_GRACE_SECONDS = 2.0


@dataclass
class _Zygote:
    """The serving loop. `serve` returns a request in the forked child, and None in the zygote at its end."""

    listener: socket.socket
    selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)
    jobs: dict[int, socket.socket] = field(default_factory=dict)

    def serve(self) -> Request | None:
        wake_read, wake_write = socket.socketpair()
        wake_write.setblocking(False)
        signal.set_wakeup_fd(wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(wake_read, selectors.EVENT_READ)
        self.selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fd == 0:
                    self._end()
                    return None
                if key.fileobj is wake_read:
                    wake_read.recv(4096)
                    self._reap()
                elif key.fileobj is self.listener:
                    request = self._accept()
                    if request:
                        signal.set_wakeup_fd(-1)
                        wake_read.close()
                        wake_write.close()
                        return request
                else:
                    self._abandoned(key.fd)

    def _accept(self) -> Request | None:
        """Take one request and fork. In the child: the request. In the zygote: None."""
        connection, _ = self.listener.accept()
        connection.settimeout(_REQUEST_SECONDS)
        try:
            request = _receive(connection)
        except (OSError, ValueError, SyntaxError, TypeError):
            connection.close()
            return None
        if request.kind == "daemon" and not pyworkers.serves(request):
            _close(request.descriptors)
            connection.close()
            return None
        with warnings.catch_warnings():
            # numpy's library has threads, which it stops and starts around forks itself.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            connection.close()
            self._forget_all()
            return request
        _close(request.descriptors)
        self.jobs[pid] = connection
        self.selector.register(connection, selectors.EVENT_READ)
        with contextlib.suppress(OSError):
            connection.sendall(b"+")
        return None

    def _forget_all(self) -> None:
        """In the child: hold nothing of the zygote's open."""
        self.selector.close()
        self.listener.close()
        for connection in self.jobs.values():
            connection.close()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            connection = self.jobs.pop(pid, None)
            if connection:
                code = os.waitstatus_to_exitcode(status)
                with contextlib.suppress(KeyError):
                    self.selector.unregister(connection)
                with contextlib.suppress(OSError):
                    connection.sendall((code if code >= 0 else 128 - code).to_bytes(4, "big"))
                connection.close()

    def _abandoned(self, descriptor: int) -> None:
        """Whoever started the job has gone: end the job, as a signal to a plain Python would have."""
        for pid, connection in self.jobs.items():
            if connection.fileno() == descriptor:
                self.selector.unregister(connection)
                os.kill(pid, signal.SIGTERM)
                return

    def _end(self) -> None:
        """Let jobs speak their last words, then kill them. Each leads a process group: its children go with it."""
        grace = 0.0 if os.read(0, 1) else _GRACE_SECONDS
        deadline = time.monotonic() + grace
        while self.jobs and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.02)
        for pid in self.jobs:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def _close(descriptors: tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _receive(connection: socket.socket) -> Request:
    head, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
    length = int.from_bytes(head, "big")
    data = b""
    while len(data) < length:
        part = connection.recv(min(1 << 20, length - len(data)))
        if not part:
            raise ConnectionError("the request ended early")
        data += part
    return Request(**ast.literal_eval(data.decode()), descriptors=tuple(descriptors))


def _listen(path: Path) -> socket.socket:
    """Bind before the imports: a job that comes early waits for us instead of finding nobody."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(16)
    return listener


def _import(names: Sequence[str]) -> None:
    for name in names:
        # A missing part only means that the job imports it itself, or fails as it would have without us.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _warm(kind: str) -> None:
    _import(DAEMON_MODULES if kind == "executor" else WARM_MODULES)
    accumulators.look_more_often()
    roundtrips.ask_once()
    ownpod.do_without()
    if kind != "warm":
        common = preloaded.Preloaded()
        common.load(COMMON_MODULES)
        threads.remember()
        pyworkers.remember()
        common.hide()
    # What is here now never becomes garbage: collections in the jobs need not look at (and copy) these pages.
    gc.collect()
    gc.freeze()


def main() -> None:
    """Serve until the launcher goes. Only in a forked job does this run a script, and end as that script ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    zygote = _Zygote(_listen(Path(sys.argv[1])))
    if sys.argv[2] != "plain":
        _warm(sys.argv[2])
    request = zygote.serve()
    if request is None:
        # Nothing to tidy up; an interpreter's orderly end would cost the run's end 0.1 s.
        os._exit(0)
    (pyworkers.run if request.kind == "daemon" else job.run)(request)


if __name__ == "__main__":
    main()
