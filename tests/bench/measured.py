"""What one start took, and what many took together."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any

REST_SECONDS = 3.0
"""Before a clock starts: what has just been made ready is still being noted all over the cluster."""


@dataclass(frozen=True)
class Start:
    """Seconds; the first three from the request, the others as they say, and None where there is nothing to say."""

    first_task: float
    """Until the first task was launched on an executor."""
    job_end: float
    """Until the application ended, by its event log."""
    end_known: float
    """Until who asked could know that it had ended."""
    delivered: float | None = None
    """From the claim of a pre-initialized driver until it had its job."""
    freed: float | None = None
    """From the application's end until all of its pods were gone, and their capacity free."""
    refilled: float | None = None
    """From the claim until the pool was whole again."""
    from_creation: float | None = None
    """From the JobRun's creation, as a watch has seen it, until the first task was launched."""


MOMENTS = {
    "from_creation": "JobRun created -> first task launched",
    "first_task": "request -> first task launched",
    "job_end": "request -> application ended",
    "end_known": "request -> end known to who asked",
    "delivered": "claim -> driver has its job",
    "freed": "application ended -> pods gone",
    "refilled": "claim -> pool whole again",
}


def from_events(asked: float, end_known: float, events: Sequence[dict[str, Any]]) -> Start:
    """Read the moments from a Spark event log; times are epoch seconds."""
    launches = [event["Task Info"]["Launch Time"] for event in events if event["Event"].endswith("TaskStart")]
    return Start(min(launches) / 1000 - asked, ended_at(events) - asked, end_known - asked)


def ended_at(events: Sequence[dict[str, Any]]) -> float:
    """When the application ended, by its event log, in epoch seconds."""
    (ended,) = [event["Timestamp"] for event in events if event["Event"].endswith("ApplicationEnd")]
    return float(ended) / 1000


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile as it was measured, between the two nearest of them."""
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


def table(columns: Mapping[str, Sequence[Start]]) -> str:
    """Return a Markdown table of each moment: median, 95th percentile (least-most)."""
    lines = [f"| seconds | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for moment, meaning in MOMENTS.items():
        cells = [
            _cell([v for start in starts if (v := getattr(start, moment)) is not None]) for starts in columns.values()
        ]
        if any(cells):
            lines.append(f"| {meaning} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    digits = 2 if median(values) < 10 else 1
    middle, high, least, most = (
        f"{value:.{digits}f}" for value in (median(values), percentile(values, 95), min(values), max(values))
    )
    return f"{middle}, {high} ({least}-{most})"


def times_faster(ours: Sequence[Start], theirs: Sequence[Start], moment: str = "first_task") -> float:
    """How many times sooner than their first task a moment of ours comes, by the medians."""
    theirs_first = median(start.first_task for start in theirs)
    return theirs_first / median(float(getattr(start, moment)) for start in ours)


def as_json(columns: Mapping[str, Sequence[Start]]) -> dict[str, list[dict[str, float]]]:
    """Return all that was measured, for a file."""
    return {name: [asdict(start) for start in starts] for name, starts in columns.items()}
