"""What the benchmark of starts reads from event logs, and how it shows it."""

from pathlib import Path
from typing import Any

import pytest

from tests.bench import performance
from tests.bench.measured import Start, from_events, table

EVENTS: list[dict[str, Any]] = [
    {"Event": "SparkListenerTaskStart", "Task Info": {"Launch Time": 104_500}},
    {"Event": "SparkListenerTaskStart", "Task Info": {"Launch Time": 103_500}},
    {"Event": "SparkListenerApplicationEnd", "Timestamp": 109_000},
]


def test_moments_are_counted_from_the_request() -> None:
    assert from_events(100.0, 110.0, EVENTS) == Start(first_task=3.5, job_end=9.0, end_known=10.0)


def test_the_table_compares_medians() -> None:
    ours = [Start(1, 2, 3), Start(2, 2, 3), Start(9, 2, 3)]
    theirs = [Start(4, 8, 6)]
    lines = table({"ours": ours, "theirs": theirs}).splitlines()
    assert lines[2] == "| first task launched | 2.0 (1.0-9.0) | 4.0 (4.0-4.0) | 0.50 |"


def test_a_section_is_replaced_and_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "performance.md"
    monkeypatch.setattr(performance, "PAGE", page)
    performance.record("a", "first")
    performance.record("b", "other")
    performance.record("a", r"second \1")
    text = page.read_text()
    assert "first" not in text
    assert text.index(r"second \1") < text.index("other")
