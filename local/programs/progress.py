"""How far a build is, and how long it still takes."""

import time
from collections.abc import Callable

from local import console

REPORT_EVERY = 15.0
# What a package takes on two cores, and the links at the end: the estimate until the build has shown its own pace.
_SECONDS_EACH, _LINK_SECONDS = 0.11, 25.0
_SHOWN = 0.1


class Progress:
    """Counts the packages that `go build -v` names, and says from time to time how many they are."""

    def __init__(
        self, total: int, clock: Callable[[], float] = time.monotonic, say: Callable[[str], None] = console.say
    ) -> None:
        self._total, self._clock, self._say = total, clock, say
        self._begun = self._told = clock()
        self.done = 0

    def saw(self, line: str) -> None:
        """Take in a line of Go's output: the name of a package whose turn has come, or something else."""
        self.done += " " not in line
        now = self._clock()
        if now - self._told >= REPORT_EVERY:
            self._told = now
            left = console.duration(self.seconds_left())
            self._say(f"  {self.done} of {self._total} packages compiled; about {left} left")

    def seconds_left(self) -> float:
        """Estimate what is left, by the pace so far once there is one. What Go's cache has makes it too long."""
        share = self.done / max(1, self._total)
        spent = self._clock() - self._begun
        each = spent / self.done if share >= _SHOWN else _SECONDS_EACH
        return max(0, self._total - self.done) * each + _LINK_SECONDS
