"""Marks: how many seconds after the process began something happened."""

import time
from pathlib import Path


class Marks:
    """Named moments of this process's life."""

    def __init__(self) -> None:
        self._began = _process_start()
        self.seconds: dict[str, float] = {}

    def set(self, name: str) -> None:
        """Note that `name` happened now."""
        self.seconds[name] = round(time.clock_gettime(time.CLOCK_BOOTTIME) - self._began, 3)


def _process_start() -> float:
    """When the kernel started this process, on the boot-time clock: the interpreter's own start is counted too."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    try:
        # The name in parentheses may contain anything; the 22nd field is the start in clock ticks.
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return now
    began = ticks / 100
    return began if 0 <= now - began < 3600 else now
