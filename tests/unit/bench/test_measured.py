"""What the benchmark of starts reads from event logs, and how it shows it."""

from pathlib import Path
from typing import Any

import pytest

from tests.bench import performance
from tests.bench.curves import Curve, failures, surplus, wanted_executors
from tests.bench.measured import Start, from_events, percentile, table, times_faster

EVENTS: list[dict[str, Any]] = [
    {"Event": "SparkListenerTaskStart", "Task Info": {"Launch Time": 104_500}},
    {"Event": "SparkListenerTaskStart", "Task Info": {"Launch Time": 103_500}},
    {"Event": "SparkListenerApplicationEnd", "Timestamp": 109_000},
]


def test_moments_are_counted_from_the_request() -> None:
    assert from_events(100.0, 110.0, EVENTS) == Start(first_task=3.5, job_end=9.0, end_known=10.0)


def test_the_table_shows_median_and_tail_and_leaves_out_what_nobody_has() -> None:
    ours = [Start(1, 2, 3, refilled=20), Start(2, 2, 3, refilled=21), Start(9, 2, 3, refilled=22)]
    theirs = [Start(44, 8, 6)]
    lines = table({"ours": ours, "theirs": theirs}).splitlines()
    assert lines[2] == "| request -> first task launched | 2.00, 8.30 (1.00-9.00) | 44.0, 44.0 (44.0-44.0) |"
    assert lines[-1] == "| claim -> pool whole again | 21.0, 21.9 (20.0-22.0) |  |"
    assert not any("pods gone" in line for line in lines)
    assert times_faster(ours, theirs) == 22
    assert percentile([5.0], 95) == 5.0


def test_executors_are_wanted_for_tasks_that_run_or_wait() -> None:
    events: list[dict[str, Any]] = [
        {
            "Event": "SparkListenerStageSubmitted",
            "Stage Info": {"Stage ID": 0, "Stage Attempt ID": 0, "Submission Time": 10_000, "Number of Tasks": 3},
        },
        *(
            {
                "Event": "SparkListenerTaskEnd",
                "Stage ID": 0,
                "Task Info": {"Finish Time": at},
                "Task End Reason": {"Reason": "Success"},
            }
            for at in (12_000, 12_000, 14_000)
        ),
    ]
    wanted = wanted_executors(events, most=2)
    assert wanted == Curve(((10.0, 2), (12.0, 1), (14.0, 0)))
    assert wanted.integral() == 6
    given = Curve.of_changes([(10.0, 2), (13.0, -1), (15.0, -1)])
    assert surplus(given, wanted) == 2  # one second of the second executor, and one at the end
    assert failures(events) == []


def test_lost_blocks_are_seen() -> None:
    events: list[dict[str, Any]] = [
        {"Event": "SparkListenerTaskEnd", "Stage ID": 3, "Task Info": {}, "Task End Reason": {"Reason": "FetchFailed"}},
        {"Event": "SparkListenerStageSubmitted", "Stage Info": {"Stage ID": 2, "Stage Attempt ID": 1}},
    ]
    assert failures(events) == ["task of stage 3: FetchFailed", "stage 2 was computed again"]


def test_a_section_is_replaced_and_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "performance.md"
    monkeypatch.setattr(performance, "PAGE", page)
    performance.record("a", "first")
    performance.record("b", "other")
    performance.record("a", r"second \1")
    text = page.read_text()
    assert "first" not in text
    assert text.index(r"second \1") < text.index("other")
