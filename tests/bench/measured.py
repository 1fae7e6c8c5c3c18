"""What one start took, and what many took together."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Start:
    """Seconds from the request to three moments."""

    first_task: float
    """The first task was launched on an executor."""
    job_end: float
    """The application ended, by its event log."""
    end_known: float
    """Who asked could know that it had ended."""


MOMENTS = {
    "first_task": "first task launched",
    "job_end": "application ended",
    "end_known": "end known to who asked",
}


def from_events(asked: float, end_known: float, events: Sequence[dict[str, Any]]) -> Start:
    """Read the moments from a Spark event log; times are epoch seconds."""
    launches = [event["Task Info"]["Launch Time"] for event in events if event["Event"].endswith("TaskStart")]
    (ended,) = [event["Timestamp"] for event in events if event["Event"].endswith("ApplicationEnd")]
    return Start(min(launches) / 1000 - asked, ended / 1000 - asked, end_known - asked)


def table(columns: Mapping[str, Sequence[Start]]) -> str:
    """Return a Markdown table: median (least-most) of each moment, and each system's share of the last one's."""
    names = list(columns)
    lines = [f"| seconds until | {' | '.join(names)} | ratio |", f"|---|{'---|' * (len(names) + 1)}"]
    for moment, meaning in MOMENTS.items():
        values = [[getattr(start, moment) for start in columns[name]] for name in names]
        cells = [f"{median(v):.1f} ({min(v):.1f}-{max(v):.1f})" for v in values]
        shares = " / ".join(f"{median(own) / median(values[-1]):.2f}" for own in values[:-1])
        lines.append(f"| {meaning} | {' | '.join(cells)} | {shares} |")
    return "\n".join(lines)


def as_json(columns: Mapping[str, Sequence[Start]]) -> dict[str, list[dict[str, float]]]:
    """Return all that was measured, for a file."""
    return {name: [asdict(start) for start in starts] for name, starts in columns.items()}
