"""What the launcher tells the broker, in order, without holding up the run."""

import queue
import threading
import time
from functools import partial

from ember.worker import log
from ember.worker.channel import Channel, ChannelError, RefusedError, persist

# An operator that restarts is back within a minute; the end of a run must reach it.
ENDED_SECONDS = 120.0
STARTED_SECONDS = 30.0


class Reporter:
    """Sends reports from a thread of its own."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._queue: queue.SimpleQueue[dict[str, object] | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="reports", daemon=True)
        self._thread.start()

    def ready(self, marks: dict[str, float]) -> None:
        """Say that this worker is warm and waits for its run."""
        self._queue.put({"event": "ready", "marks": dict(marks)})

    def started(self, marks: dict[str, float]) -> None:
        """Say that the run's own code begins now."""
        self._queue.put({"event": "started", "marks": dict(marks)})

    def ended(self, exit_code: int, reason: str, marks: dict[str, float]) -> None:
        """Say how it ended, and wait until the broker has heard it, or for the bound."""
        self._closing.set()
        self._queue.put({"event": "ended", "exitCode": exit_code, "reason": reason, "marks": dict(marks)})
        self._queue.put(None)
        self._thread.join(ENDED_SECONDS + 15)

    def _work(self) -> None:
        while (event := self._queue.get()) is not None:
            last = event["event"] == "ended"
            bound, sleep = (ENDED_SECONDS, time.sleep) if last else (STARTED_SECONDS, self._sleep_unless_closing)
            try:
                persist(partial(self._channel.report, event), bound, sleep=sleep)
            except (ChannelError, RefusedError) as error:
                # After the end mark nothing may be written to the log.
                if not self._closing.is_set():
                    log.warning("report was not delivered", event=event["event"], error=str(error))

    def _sleep_unless_closing(self, seconds: float) -> None:
        """The start need not be told any more once the end can be."""
        if self._closing.wait(seconds):
            raise ChannelError("the end came first")
