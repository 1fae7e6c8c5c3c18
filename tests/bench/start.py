"""`make bench-start`: from the request to the first task, Ember's two paths beside plain spark-submit, interleaved.

The machine is small and noisy: compare the columns of one table, not tables.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from local import console
from local.kubectl import Kubectl
from local.store import Store
from tests.bench import idle, performance, pictures
from tests.bench.ember import Ember, WarmEmber
from tests.bench.measured import Start, as_json, percentile, table, times_faster
from tests.bench.plain import Plain
from tests.support.e2e.cluster import Cluster, installed
from tests.support.e2e.manifests import SMALL

RESULTS = Path(__file__).parents[2] / "build" / "bench" / "start.json"
PICTURE = performance.PAGE.parent / "images" / "start.png"
SIZES = {name: value for name, value in SMALL.items() if "dynamicAllocation" not in name}
TRIVIAL = ["s3://demo/bench/trivial.py"]
WORDCOUNT = ["s3://demo/scripts/wordcount.py", "s3://demo/input/"]
WARM, COLD = "Ember pre-initialized, word count", "Ember cold, word count"
WARM_TRIVIAL = "Ember pre-initialized, trivial job"
PLAIN = "plain spark-submit, word count"
COLD_EACH = 3
"""Only in each third turn is a cold start of Ember measured: it takes a while, and is beside the point."""

GOALS_PLAIN = 18.0
"""Seconds until plain spark-submit's first task, where the goals were set."""
GOALS = (
    (WARM_TRIVIAL, "from_creation", 50, "trivial job: created -> first task", 0.8),
    (WARM_TRIVIAL, "from_creation", 95, "the same, 95th percentile", 2.0),
    (WARM, "from_creation", 50, "word count: created -> first task", 1.0),
    (WARM, "from_creation", 95, "the same, 95th percentile", 2.0),
    (WARM, "end_known", 50, "word count: request -> end known", 4.0),
    (WARM_TRIVIAL, "refilled", 50, "trivial job: claim -> pool whole", 20.0),
    (WARM, "refilled", 50, "word count: claim -> pool whole", 20.0),
    (WARM, "delivered", 99, "word count: claim -> driver has its job, 99th percentile", 0.25),
)
"""Column, moment, percentile, its meaning, seconds."""

Measure = Callable[[int], Start]


def main() -> int:
    """Measure, print, and keep."""
    chosen = _parser().parse_args()
    cluster = installed()
    store = Store(cluster).client
    store.put_object(
        Bucket="demo", Key="bench/trivial.py", Body=(Path(__file__).parent / "jobs/trivial.py").read_bytes()
    )
    warm, cold, plain = WarmEmber(cluster, store), Ember(cluster, store), _plain(cluster, store)
    try:
        for system in (warm, cold):
            system.prepare(TRIVIAL)
        plain.prepare()
        used = idle.costs(cluster, warm.idle_workers())
        for columns in _measure(_columns(warm, cold, plain), chosen.runs):
            RESULTS.parent.mkdir(parents=True, exist_ok=True)
            RESULTS.write_text(json.dumps(as_json(columns), indent=1))
            if chosen.record:
                firsts = {name: [start.first_task for start in starts] for name, starts in columns.items()}
                pictures.starts(firsts, PICTURE)
                performance.record("start", _section(columns, used))
    finally:
        for part in (plain, warm, cold):
            part.remove()
    console.say(f"\n{table(columns)}\n{used}\n\nAll figures: {RESULTS}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.start", description=__doc__)
    parser.add_argument("--runs", type=int, default=30, help="measured runs of each")
    parser.add_argument("--record", action="store_true", help="write the section of docs/performance.md anew")
    return parser


def _plain(cluster: Kubectl, store: Any) -> Plain:
    image = Cluster(cluster).settings()["releases"]["spark-4.1.2"]["image"]
    job = [word.replace("s3://", "s3a://") for word in (*WORDCOUNT, "s3://demo/output/bench-plain/")]
    return Plain(cluster, store, image, SIZES, job)


def _columns(warm: Ember, cold: Ember, plain: Plain) -> dict[str, Measure]:
    count = [*WORDCOUNT, "s3://demo/output/bench-ember/"]
    return {
        WARM_TRIVIAL: lambda number: warm.start(f"trivial-{number}", TRIVIAL),
        WARM: lambda number: warm.start(f"wordcount-{number}", count),
        COLD: lambda number: cold.start(f"wordcount-{number}", count),
        PLAIN: plain.start,
    }


def _measure(systems: dict[str, Measure], runs: int) -> Iterator[dict[str, list[Start]]]:
    """Run all in turn, and yield what there is after each turn.

    The first of each finds files and images that nobody has read yet, and does not count.
    """
    columns: dict[str, list[Start]] = {name: [] for name in systems}
    for number in range(runs + 1):
        for name, measure in systems.items():
            if name is COLD and number and (number - 1) % COLD_EACH:
                continue
            start = measure(number)
            note = f"{number}/{runs}" if number else "does not count"
            console.say(f"{name}: first task {start.first_task:.2f} s, end known {start.end_known:.2f} s ({note})")
            if number:
                columns[name].append(start)
        if number:
            yield columns


def _section(columns: dict[str, list[Start]], used: str) -> str:
    """Return the section of docs/performance.md."""
    runs = len(columns[PLAIN])
    trivial, warm, cold = (times_faster(columns[name], columns[PLAIN]) for name in (WARM_TRIVIAL, WARM, COLD))
    plain = median(start.first_task for start in columns[PLAIN])
    created = times_faster(columns[WARM], columns[PLAIN], "from_creation")
    return f"""## From the request to the first task

![Seconds from the request to the first task](images/start.png)

{table(columns)}

Median, 95th percentile (least-most) of {runs} runs each, and {len(columns[COLD])} cold ones, in turn, on one node with
{os.cpu_count()} cores ({platform.machine()}). By the medians, from the request, the first task comes {warm:.1f} times
sooner than with plain spark-submit when workers are pre-initialized ({created:.1f} times, from the JobRun's creation;
the trivial job's {trivial:.1f} times, from the request), and {cold:.1f} times sooner when they are not.

The machine's speed differs between hours, and plain spark-submit's first task is a measure of it. The goals were set
where that took {GOALS_PLAIN:.0f} s; here it took {plain:.1f} s, {plain / GOALS_PLAIN:.1f} times as long. So each goal
is looked at twice: in seconds, and in seconds of a machine as quick as that one, by our part of plain spark-submit's.

{_goals(columns)}

The job is examples/jobs/wordcount.py over S3A (MinIO in the same node), the trivial one tests/bench/jobs/trivial.py; a
driver and an executor of 1 vCPU and 1 GB of heap each; the pre-initialized ones have 4 GB, a fresh pair each time.
Ember's clock starts before `kubectl apply`, spark-submit's when spark-submit starts, inside a pod of the cluster. All
use the same image; but spark-submit starts its JVM as Spark's own scripts do, without Ember's archive of classes and
its options for the JVM, which are a part of the cold start's gain. {used}

`.venv/bin/python -m tests.bench.start --runs {runs} --record` has written this.
"""


def _goals(columns: dict[str, list[Start]]) -> str:
    """Return a table of the goals: met in seconds, and beside plain spark-submit?"""
    slower = median(start.first_task for start in columns[PLAIN]) / GOALS_PLAIN
    lines = ["| | goal, s | measured, s | met | at the goals' speed, s | met |", "|---|---|---|---|---|---|"]
    for name, moment, percent, meaning, goal in GOALS:
        took = percentile([float(getattr(start, moment)) for start in columns[name]], percent)
        met, relative = ("yes" if value <= goal else "no" for value in (took, took / slower))
        lines.append(f"| {meaning} | {goal:g} | {took:.2f} | {met} | {took / slower:.2f} | {relative} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
