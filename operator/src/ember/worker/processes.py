"""PID 1's duties: start children, reap everything that dies in the pod, turn signals and events into wake-ups."""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class StopRequested(Exception):  # noqa: N818 - not an error
    """Somebody wants this pod to end: the broker, or the kubelet by SIGTERM. The text is the reason."""

    @property
    def by_signal(self) -> bool:
        """Whether it is the pod that shall end (it is deleted, evicted, its node is drained), not only its run."""
        return str(self) in signal.Signals.__members__


@dataclass
class Child:
    """A process that the launcher started and wants to know the end of."""

    process: subprocess.Popen[bytes]
    status: int | None = None

    @property
    def ended(self) -> bool:
        """True once it was reaped."""
        return self.status is not None

    def signal(self, number: int) -> None:
        """Send a signal; harmless once it has ended."""
        # Only the reaper frees the id, and it runs in this thread: the id cannot belong to somebody else by now.
        if not self.ended:
            try:
                os.kill(self.process.pid, number)
            except ProcessLookupError:
                return

    def close_stdin(self) -> None:
        """End the child's standard input: both the gateway JVM and the zygote take that as `end now`."""
        if self.process.stdin:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                return


class Supervisor:
    """The main thread's waiting place. Everything that can happen wakes it by one byte in a pipe."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._children: dict[int, Child] = {}
        self._stop: str | None = None
        self._stop_taken = False

    @property
    def stopping(self) -> bool:
        """True once somebody has asked for the end."""
        return self._stop is not None

    def install(self) -> None:
        """Take SIGCHLD, SIGTERM and SIGINT. PID 1 gets no signal that it has no handler for."""
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _: self.request_stop(signal.Signals(received).name))

    def request_stop(self, reason: str) -> None:
        """Ask for the end, from any thread or a signal handler; the first reason stays."""
        self._stop = self._stop or reason
        self.wake()

    def wake(self) -> None:
        """Make the main thread look again, from any thread."""
        try:
            os.write(self._write, b"x")
        except BlockingIOError:
            return  # the pipe is full of wake-ups: one is enough

    def start(self, command: Sequence[str], env: Mapping[str, str], cwd: Path, output: Path | None = None) -> Child:
        """Start a child in its own process group, its standard input a pipe that we hold.

        It writes to the file `output`, if given, else to the pod's log.
        """
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(output.open("ab")) if output else None
            process = subprocess.Popen(
                list(command), env=dict(env), cwd=cwd, stdin=subprocess.PIPE, stdout=file, stderr=file, process_group=0
            )
        child = Child(process)
        self._children[process.pid] = child
        return child

    def wait(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until `done` or the timeout; True if done. Raises StopRequested, once, when the end is asked for."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self._reap()
            if done():
                return True
            if self._stop is not None and not self._stop_taken:
                self._stop_taken = True
                raise StopRequested(self._stop)
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            if select.select([self._read], [], [], left)[0]:
                self._drain()

    def finish(self) -> None:
        """From now on the end is under way: a stop that is asked for is not raised any more."""
        self._stop_taken = True

    def end(self, child: Child, grace: float) -> None:
        """SIGTERM, and after the grace time SIGKILL. The stop that led here is not raised again."""
        self._stop_taken = True
        child.signal(signal.SIGTERM)
        if not self.wait(lambda: child.ended, grace):
            child.signal(signal.SIGKILL)
            self.wait(lambda: child.ended, 10)

    def kill_the_rest(self) -> None:
        """Kill whatever is left in the pod, so that nothing writes to the log after the end mark."""
        self._stop_taken = True
        if os.getpid() == 1:
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                return
        for child in self._children.values():
            child.signal(signal.SIGKILL)
        self.wait(lambda: all(child.ended for child in self._children.values()), 5)

    def _drain(self) -> None:
        try:
            while os.read(self._read, 4096):
                pass
        except BlockingIOError:
            return

    def _reap(self) -> None:
        """Collect every dead child, also orphans that were handed to PID 1."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.get(pid)
            if child and not child.ended:
                child.status = child.process.returncode = os.waitstatus_to_exitcode(status)
