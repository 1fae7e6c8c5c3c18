"""How long builds take: records of earlier ones, and the time that is left."""

import json
from collections.abc import Mapping
from pathlib import Path


def time_left(estimates: Mapping[str, float], running: Mapping[str, float]) -> float:
    """Estimate the seconds until everything in `estimates` is built.

    `estimates` holds what is not finished, by name, with the seconds each takes when it has the machine to
    itself; `running` the seconds that each running one has had. The running ones share the machine evenly.
    One that is past its estimate is taken to be nearly done, never to be done.
    """
    share = 1 / max(1, len(running))
    return sum(
        max(estimate - running.get(name, 0.0) * share, estimate * 0.05 if name in running else 0.0)
        for name, estimate in estimates.items()
    )


class Durations:
    """How long each program took the last time it was built from nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def known(self) -> dict[str, float]:
        """Return the recorded seconds by name; a damaged record counts as none."""
        try:
            return {str(name): float(seconds) for name, seconds in json.loads(self._path.read_text()).items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def record(self, name: str, seconds: float, estimate: float) -> None:
        """Keep a duration, unless Go's own cache made it too short to say anything about the next one."""
        if seconds < estimate / 4:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self.known() | {name: round(seconds, 1)}, indent=1, sort_keys=True) + "\n")
