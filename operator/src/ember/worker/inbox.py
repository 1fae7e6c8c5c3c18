"""What the broker wants of this pod: the first assignment, and later the order to stop."""

import threading
import time
from functools import partial

from ember.worker import log
from ember.worker.assignment import IDLE, STOP, Assignment, AssignmentError
from ember.worker.channel import BackOff, Channel, ChannelError, RefusedError, persist
from ember.worker.processes import StopRequested, Supervisor

# A pod that nobody claims asks on; a broker that cannot be reached for this long ends it.
UNREACHABLE_SECONDS = 600.0
ENDED = 410


class NoAssignmentError(Exception):
    """The broker cannot be reached, or its answer makes no sense; the message says which."""


def first(channel: Channel, supervisor: Supervisor) -> Assignment:
    """Wait for the pod's assignment; raises NoAssignmentError, or StopRequested if there is to be none."""
    found: list[Assignment | Exception] = []

    def poll() -> None:
        try:
            found.append(_poll(channel))
        except (ChannelError, RefusedError, AssignmentError, ValueError) as error:
            found.append(error)
        supervisor.wake()

    # In a thread: the main thread hears signals and reaps children meanwhile.
    threading.Thread(target=poll, name="assignment", daemon=True).start()
    supervisor.wait(lambda: bool(found))
    work = found[0]
    if isinstance(work, RefusedError) and work.status == ENDED:
        raise StopRequested("the operator has ended this pod")
    if isinstance(work, Exception):
        raise NoAssignmentError(f"no assignment: {work}")
    if work.phase == STOP:
        raise StopRequested(work.reason or "stopped by the operator")
    return work


def _poll(channel: Channel) -> Assignment:
    known = 0
    while True:
        work = persist(partial(channel.assignment, known), UNREACHABLE_SECONDS)
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
