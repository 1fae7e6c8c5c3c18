"""`make bench-start`: from the request to the first task, Ember's two paths beside plain spark-submit, interleaved.

The machine is small and noisy: compare the columns of one table, not tables.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from local import console
from local.store import Store
from tests.bench import performance
from tests.bench.ember import Ember, WarmEmber
from tests.bench.measured import Start, as_json, table
from tests.bench.plain import Plain
from tests.support.e2e.cluster import Cluster, installed
from tests.support.e2e.manifests import SMALL

RESULTS = Path(__file__).parents[2] / "build" / "bench" / "start.json"
NAMES = ("Ember, warm", "Ember, cold", "plain spark-submit")
SIZES = {name: value for name, value in SMALL.items() if "dynamicAllocation" not in name}


def main() -> int:
    """Measure, print, and keep."""
    chosen = _parser().parse_args()
    warm, ember, plain = _systems()
    for system in (warm, ember, plain):
        system.prepare()
    try:
        columns = _measure((warm.start, ember.start, plain.start), chosen.runs)
    finally:
        plain.remove()
        warm.remove()
    text = table(columns)
    console.say(f"\n{text}")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(as_json(columns), indent=1))
    console.say(f"\nAll figures: {RESULTS}")
    if chosen.record:
        performance.record("start", _section(text, chosen.runs))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.start", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="measured runs of each")
    parser.add_argument("--record", action="store_true", help="write the section of docs/performance.md anew")
    return parser


def _systems() -> tuple[WarmEmber, Ember, Plain]:
    cluster = installed()
    store = Store(cluster).client
    image = Cluster(cluster).settings()["releases"]["spark-4.1.2"]["image"]
    ember_job = ["s3://demo/scripts/wordcount.py", "s3://demo/input/", "s3://demo/output/bench-ember/"]
    plain_job = ["s3a://demo/scripts/wordcount.py", "s3a://demo/input/", "s3a://demo/output/bench-plain/"]
    none: dict[str, str] = {}
    own = (cluster, store, none, ember_job)
    return WarmEmber(*own), Ember(*own), Plain(cluster, store, image, SIZES, plain_job)


def _measure(systems: Sequence[Callable[[int], Start]], runs: int) -> dict[str, list[Start]]:
    """Run all in turn; the first of each finds files and images that nobody has read yet, and does not count."""
    columns: dict[str, list[Start]] = {name: [] for name in NAMES}
    for number in range(runs + 1):
        for name, measure in zip(NAMES, systems, strict=True):
            start = measure(number)
            note = "" if number else " (does not count)"
            console.say(f"{name}: first task {start.first_task:.1f} s, end known {start.end_known:.1f} s{note}")
            if number:
                columns[name].append(start)
    return columns


def _section(text: str, runs: int) -> str:
    """Return the section of docs/performance.md."""
    return f"""## From the request to the first task

{text}

Median (least-most) of {runs} runs each, in turn, on one node with {os.cpu_count()} cores ({platform.machine()}).
The job is examples/jobs/wordcount.py over S3A (MinIO in the same node), with a driver and an executor of 1 vCPU and
1 GB of heap each; the warm column's workers are pre-initialized ones of 4 GB, a fresh pair each time.
Ember's clock starts before `kubectl apply`, spark-submit's when spark-submit starts, inside a pod of the cluster.
Both use the same image. `make bench-start` repeats it.
"""


if __name__ == "__main__":
    sys.exit(main())
