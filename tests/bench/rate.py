"""`make bench-rate`: how many runs a minute, when many are submitted at once, and what they take of the operator.

Their drivers do nothing, and no executor is asked for; each still starts a JVM and Python in a pod of its own.
"""

import argparse
import os
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from statistics import median

from local import console
from local.install import NAMESPACE, TENANT
from local.kubectl import Kubectl, Object
from tests.bench import performance
from tests.bench.measured import percentile
from tests.support.e2e.cluster import Cluster, installed
from tests.support.e2e.manifests import application, job_run
from tests.support.e2e.run import ENDED

APPLICATION = "bench-rate"
JOB = Path(__file__).parent / "jobs" / "nothing.py"
ALL_SECONDS = 900.0
METRICS_PORT = 8080


def main() -> int:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rate", description=__doc__)
    parser.add_argument("--runs", type=int, default=30, help="submitted at once")
    parser.add_argument("--record", action="store_true", help="write the section of docs/performance.md anew")
    chosen = parser.parse_args()
    cluster = Cluster(installed())
    cluster.store.put_object(Bucket="demo", Key="bench/nothing.py", Body=JOB.read_bytes())
    names = [f"{APPLICATION}-{number}" for number in range(chosen.runs)]
    cluster.forget(names)
    try:
        with cluster:
            text = _measure(cluster, names)
    finally:
        cluster.forget(names)
        cluster.kubectl.run("delete", "emrapplication", "-n", TENANT, APPLICATION, "--ignore-not-found", timeout=60)
    console.say(text)
    if chosen.record:
        performance.record("rate", _section(text, chosen.runs))
    return 0


def _measure(cluster: Cluster, names: list[str]) -> str:
    leader = cluster.leader()
    before = _cpu_seconds(cluster.kubectl, leader)
    runs = [job_run(name, "s3://demo/bench/nothing.py", application=APPLICATION, conf={}) for name in names]
    cluster.apply([application(APPLICATION, cpu=4 * len(names), memory=16 * len(names), disk=100 * len(names)), *runs])
    # Ended, with the end of every pod: only then has the operator done all its work for them.
    cluster.runs.until(lambda: _all_ended(_own(cluster, names)), ALL_SECONDS, "not all runs have ended")
    cluster.pods.until(lambda: not any(cluster.pods_of(name) for name in names), ALL_SECONDS, "pods are left")
    own = _own(cluster, names)
    bad = [run["metadata"]["name"] for run in own if run["status"]["state"] != "SUCCESS"]
    if bad or cluster.leader() != leader:
        raise RuntimeError(f"not a measurement: {', '.join(bad) or 'the leader changed'}")
    used = _cpu_seconds(cluster.kubectl, leader) - before
    asked = min(_moment(run["metadata"]["creationTimestamp"]) for run in own)
    ends = sorted(_moment(run["status"]["endedAt"]) - asked for run in own)
    return (
        f"{len(own) / ends[-1] * 60:.0f} runs per minute; the operator used {used / len(own):.2f} s of CPU for each; "
        f"from the first one's creation to the end of a run: median {median(ends):.0f} s, "
        f"95th percentile {percentile(ends, 95):.0f} s, last {ends[-1]:.0f} s"
    )


def _own(cluster: Cluster, names: Iterable[str]) -> list[Object]:
    return [cluster.runs.current.get(name, {}) for name in names]


def _all_ended(runs: Iterable[Object]) -> bool:
    return all(run.get("status", {}).get("state") in ENDED for run in runs)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _cpu_seconds(cluster: Kubectl, pod: str) -> float:
    """What the operator's process has used since its start, by its own metrics."""
    text = cluster.run("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:{METRICS_PORT}/proxy/metrics")
    (line,) = [line for line in text.splitlines() if line.startswith("process_cpu_seconds_total ")]
    return float(line.split()[1])


def _section(text: str, runs: int) -> str:
    return f"""## Many runs at once

{text}.

{runs} runs are submitted at once to an application without pre-initialized workers, which runs 15 at a time
(`maxConcurrentRuns` is not set), on a node with {os.cpu_count()} cores. The job is tests/bench/jobs/nothing.py: the
driver starts, with a JVM and Python in a pod of its own, and does nothing.

`.venv/bin/python -m tests.bench.rate --runs {runs} --record` has written this.
"""


if __name__ == "__main__":
    sys.exit(main())
