"""Step functions over time: how many executors were needed, and how many there were."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Changes = Iterable[tuple[float, int]]


@dataclass(frozen=True)
class Curve:
    """A step function: from each moment on, the value beside it; 0 before the first."""

    points: tuple[tuple[float, int], ...]

    @classmethod
    def of_changes(cls, changes: Changes) -> "Curve":
        """Add up changes (moment, how much more or less)."""
        value, points = 0, list[tuple[float, int]]()
        for moment, change in sorted(changes):
            value += change
            if points and points[-1][0] == moment:
                points.pop()
            points.append((moment, value))
        return cls(tuple(points))

    def at(self, moment: float) -> int:
        """The value at a moment."""
        return next((value for begin, value in reversed(self.points) if begin <= moment), 0)

    def at_most(self, most: int) -> "Curve":
        """The same, cut off at a number."""
        return Curve(tuple((moment, min(value, most)) for moment, value in self.points))

    def integral(self) -> float:
        """Value times seconds."""
        return sum(value * (end - begin) for (begin, value), (end, _) in pairwise(self.points))


def surplus(given: Curve, wanted: Curve) -> float:
    """Seconds times what was given and not wanted."""
    moments = sorted({moment for curve in (given, wanted) for moment, _ in curve.points})
    return sum(max(0, given.at(begin) - wanted.at(begin)) * (end - begin) for begin, end in pairwise(moments))


def wanted_executors(events: Sequence[dict[str, Any]], most: int) -> Curve:
    """How many executors of one core the stages could use: each task that runs or waits wants one, up to `most`.

    From Spark's event log; times are epoch seconds.
    """
    changes: list[tuple[float, int]] = []
    for event in events:
        if event["Event"] == "SparkListenerStageSubmitted":
            stage = event["Stage Info"]
            changes.append((stage["Submission Time"] / 1000, stage["Number of Tasks"]))
        elif event["Event"] == "SparkListenerTaskEnd":
            changes.append((event["Task Info"]["Finish Time"] / 1000, -1))
    return Curve.of_changes(changes).at_most(most)


def failures(events: Sequence[dict[str, Any]]) -> list[str]:
    """What went wrong with shuffle blocks: fetches that failed, stages that were computed again."""
    found = []
    for event in events:
        if event["Event"] == "SparkListenerTaskEnd" and event["Task End Reason"]["Reason"] != "Success":
            found.append(f"task of stage {event['Stage ID']}: {event['Task End Reason']['Reason']}")
        if event["Event"] == "SparkListenerStageSubmitted" and event["Stage Info"]["Stage Attempt ID"]:
            found.append(f"stage {event['Stage Info']['Stage ID']} was computed again")
    return found
