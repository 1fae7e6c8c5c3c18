"""What the broker wants of this pod: the first assignment, and later the order to stop."""

import threading
import time
from collections.abc import Callable
from functools import partial

from ember.worker import log
from ember.worker.assignment import IDLE, STOP, Assignment, AssignmentError
from ember.worker.channel import BackOff, Channel, ChannelError, RefusedError, persist
from ember.worker.processes import Supervisor

# A pod that nobody claims asks on; a broker that cannot be reached for this long ends it.
UNREACHABLE_SECONDS = 600.0
ENDED = 410


class NoAssignmentError(Exception):
    """The broker cannot be reached, or its answer makes no sense; the message says which."""


class Inbox:
    """Asks for the pod's assignment from now on, in the background: the main thread hears signals meanwhile."""

    def __init__(self, channel: Channel, supervisor: Supervisor) -> None:
        self._channel, self._supervisor = channel, supervisor
        self._found: list[Assignment | Exception] = []
        threading.Thread(target=self._ask, name="assignment", daemon=True).start()

    def first(self, gone: Callable[[], bool]) -> Assignment:
        """Wait for the assignment; raises NoAssignmentError, or StopRequested if there is to be none.

        `gone` tells whether the JVM that waits for it has ended: no run must get such a pod.
        """
        self._supervisor.wait(lambda: bool(self._found) or gone())
        if gone():
            raise NoAssignmentError("the JVM has ended while it waited for a run")
        work = self._found[0]
        if isinstance(work, Exception):
            raise NoAssignmentError(f"no assignment: {work}")
        return work

    def _ask(self) -> None:
        try:
            work = self._poll()
        except RefusedError as error:
            if error.status == ENDED:
                self._supervisor.request_stop("the operator has ended this pod")
                return
            self._found.append(error)
        except (ChannelError, AssignmentError, ValueError) as error:
            self._found.append(error)
        else:
            if work.phase == STOP:
                self._supervisor.request_stop(work.reason or "stopped by the operator")
                return
            self._found.append(work)
        self._supervisor.wake()

    def _poll(self) -> Assignment:
        known = 0
        while True:
            work = persist(partial(self._channel.assignment, known), UNREACHABLE_SECONDS)
            if work.phase != IDLE:
                return work
            known = work.revision


def watch(channel: Channel, supervisor: Supervisor, known: int) -> None:
    """Listen for the order to stop while the run goes on, in the background.

    A broker that is away or confused must not end a healthy run: only `stop` and 410 do.
    """
    threading.Thread(target=_watch, args=(channel, supervisor, known), name="watch", daemon=True).start()


def _watch(channel: Channel, supervisor: Supervisor, known: int) -> None:
    back_off, quiet = BackOff(), True
    while True:
        try:
            work = channel.assignment(known)
            known, quiet = work.revision, True
            back_off.reset()
            if work.phase == STOP:
                supervisor.request_stop(work.reason or "stopped by the operator")
                return
        except (ChannelError, RefusedError, AssignmentError, ValueError) as error:
            if isinstance(error, RefusedError) and error.status == ENDED:
                supervisor.request_stop("the operator has ended this pod")
                return
            if quiet:
                log.warning("the broker does not answer; the run goes on", error=str(error))
            quiet = False
            time.sleep(back_off.pause())
