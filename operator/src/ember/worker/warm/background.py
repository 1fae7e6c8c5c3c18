"""Work in a thread of its own, while the main thread hears signals and reaps children."""

import threading
from collections.abc import Callable


class Background:
    """Runs a function; `failure` is what it has raised once it is done."""

    def __init__(self, work: Callable[[], None], wake: Callable[[], None]) -> None:
        self.done = False
        self.failure: Exception | None = None
        self._function, self._wake = work, wake
        threading.Thread(target=self._work, name="warm-up", daemon=True).start()

    def _work(self) -> None:
        try:
            self._function()
        except Exception as error:  # whatever it is: the main thread tells it and ends the pod
            self.failure = error
        finally:
            self.done = True
            self._wake()
