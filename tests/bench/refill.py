"""`make bench-refill`: how much a job slows down while pre-initialized workers warm up beside it.

The job keeps every core of the node busy. It is timed in turn: alone, beside a refill of a pool whose idle workers ask
for 1m of CPU, and beside one whose workers ask for all of it (the annotation ember-spark.io/warm-capacity).
"""

import argparse
import os
import sys
from pathlib import Path
from statistics import median

from local import console, results
from local.install import TENANT, changed
from local.kubectl import Kubectl, Object
from local.rollout import ready
from local.store import Store
from local.watch import Watch, pods_path, runs_path
from tests.bench import performance
from tests.bench.ember import POOL, POOL_SECONDS, WarmEmber
from tests.support.e2e.cluster import installed
from tests.support.e2e.manifests import QUICK, job_run
from tests.support.e2e.run import ENDED

JOB = Path(__file__).parent / "jobs" / "busy.py"
SCRIPT = "s3://demo/bench/busy.py"
CORES = os.cpu_count() or 1
TASKS_PER_CORE, LOOPS = 6, 60_000_000
RUN_SECONDS = 600.0
GOAL = 0.10
IDLE_CPU = "1m"
OVERCOMMIT = 4
"""Instead of the local cluster's 20: idle workers cannot weigh less than 1m, so a job's must not weigh next to nothing.

With five workers of a whole vCPU, as a real cluster has them, this node would be full.
"""
ALONE, BESIDE, RESERVED = "alone", "beside a refill", "beside a refill with reserved capacity"


class Pool(WarmEmber):
    """An application whose idle workers can be made to go."""

    application = "bench-refill"

    def is_whole(self, *, reserved: bool) -> None:
        """Have a pool whose idle workers keep their CPU (or not), all of them ready."""
        note = f"ember-spark.io/warm-capacity={'reserved' if reserved else ''}"
        self.cluster.run("annotate", "--overwrite", "emrapplication", "-n", TENANT, self.application, note)

        def whole() -> bool:
            found = [pod for pod in pods.current.values() if self._is_idle(pod)]
            requests = [pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] for pod in found if ready(pod)]
            right = [cpu for cpu in requests if (cpu != IDLE_CPU) == reserved]
            return len(right) == len(found) == len(POOL)

        with Watch(self.cluster, pods_path(TENANT)) as pods:
            pods.until(whole, POOL_SECONDS, "the pool does not get whole")

    def _is_idle(self, pod: Object) -> bool:
        marks = pod["metadata"]["labels"]
        of_pool = marks.get("ember-spark.io/application") == self.application and "ember-spark.io/pool" in marks
        return of_pool and "ember-spark.io/job-run" not in marks

    def empty(self) -> None:
        """Kill all idle workers: they are made again at once."""
        names = self.idle_workers()
        self.cluster.run("delete", "pod", "-n", TENANT, *names, "--grace-period=0", "--force", "--wait=false")


def main() -> int:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.refill", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="measured runs of each")
    parser.add_argument("--record", action="store_true", help="write the section of docs/performance.md anew")
    chosen = parser.parse_args()
    cluster = installed()
    store = Store(cluster).client
    store.put_object(Bucket="demo", Key="bench/busy.py", Body=JOB.read_bytes())
    pool = Pool(cluster, store)
    seconds: dict[str, list[float]] = {ALONE: [], BESIDE: [], RESERVED: []}
    with changed(cluster, {"workers": {"cpuOvercommit": OVERCOMMIT}}):
        try:
            pool.prepare(["s3://demo/bench/busy.py", "1", "1"])
            for number in range(chosen.runs + 1):
                for case, measured in seconds.items():
                    pool.is_whole(reserved=case is RESERVED)
                    took = _measure(cluster, store, f"bench-refill-{number}", pool if case is not ALONE else None)
                    console.say(f"{case}: {took:.1f} s ({f'{number}/{chosen.runs}' if number else 'does not count'})")
                    if number:
                        measured.append(took)
        finally:
            pool.remove()
    slower = {case: median(measured) / median(seconds[ALONE]) - 1 for case, measured in seconds.items()}
    console.say(", ".join(f"{case} {more:+.1%}" for case, more in slower.items()))
    if chosen.record:
        performance.record("refill", _section(seconds, slower, chosen.runs))
    return 0 if slower[BESIDE] <= GOAL else 1


def _measure(cluster: Kubectl, store: object, name: str, pool: Pool | None) -> float:
    """Run the job on workers that are not of the pool; seconds from its first long task to its last one's end."""
    conf = {**QUICK, **{f"spark.dynamicAllocation.{which}Executors": str(CORES) for which in ("initial", "max")}}
    arguments = [str(CORES * TASKS_PER_CORE), str(LOOPS)]
    manifest = job_run(name, SCRIPT, arguments, application=Pool.application, conf=conf)
    cluster.run("delete", "jobrun", "-n", TENANT, name, "--ignore-not-found", timeout=60)
    with Watch(cluster, runs_path(TENANT)) as runs, Watch(cluster, pods_path(TENANT)) as pods:
        cluster.apply([manifest])
        pods.until(lambda: len(_executors(pods, name)) == CORES, RUN_SECONDS, "the executors do not start")
        if pool:
            pool.empty()
        runs.until(lambda: _state(runs, name) in ENDED, RUN_SECONDS, f"{name} has not ended")
        status = runs.current[name]["status"]
    if status["state"] != "SUCCESS":
        raise RuntimeError(f"{name} ended as {status['state']}: {status.get('stateDetails')}")
    tasks = [e for e in results.events(store, status["eventLogUri"]) if e["Event"] == "SparkListenerTaskEnd"]
    long = [task["Task Info"] for task in tasks if task["Stage ID"] == 1]
    return float(max(info["Finish Time"] for info in long) - min(info["Launch Time"] for info in long)) / 1000


def _executors(pods: Watch, run: str) -> list[Object]:
    return [
        pod
        for pod in pods.current.values()
        if pod["metadata"].get("annotations", {}).get("ember-spark.io/job-run-name") == run
        and "spark-exec-id" in pod["metadata"]["labels"]
        and ready(pod)
    ]


def _state(runs: Watch, name: str) -> str:
    return str(runs.current.get(name, {}).get("status", {}).get("state", ""))


def _section(seconds: dict[str, list[float]], slower: dict[str, float], runs: int) -> str:
    rows = "\n".join(
        f"| {case} | {median(measured):.1f} ({min(measured):.1f}-{max(measured):.1f}) | {slower[case]:+.1%} |"
        for case, measured in seconds.items()
    )
    return f"""## A refill beside a job

| the job runs | seconds: median (least-most) of {runs} | against alone |
|---|---|---|
{rows}

The job is tests/bench/jobs/busy.py: it keeps the {CORES} cores of the node busy by {CORES} executors. As it begins, a
pre-initialized driver and executor are killed, and the pool warms up others. By default they ask for 1m of CPU; with
the annotation `ember-spark.io/warm-capacity: reserved` they ask for as much as the job's workers.

The workers of a job ask for a quarter of their vCPU here (`workers.cpuOvercommit`), so that all have room on this node.
Where they ask for all of it, an idle worker's share beside them is a quarter of what it is here.

`.venv/bin/python -m tests.bench.refill --runs {runs} --record` has written this.
"""


if __name__ == "__main__":
    sys.exit(main())
