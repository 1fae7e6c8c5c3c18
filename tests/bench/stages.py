"""`make bench-stages`: executors over time beside what the stages of a job can use.

The job is tests/bench/jobs/stages.py: a wide stage, a narrow one, a wide one, a skewed one.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from local import console, results
from local.install import TENANT
from local.kubectl import Kubectl, Object
from local.store import Store
from local.watch import Event, Watch, applications_path, pods_path, runs_path
from tests.bench import performance, pictures
from tests.bench.curves import Curve, failures, surplus, wanted_executors
from tests.support.e2e.manifests import application, job_run
from tests.support.e2e.run import ENDED

APPLICATION = "bench-stages"
JOB = Path(__file__).parent / "jobs" / "stages.py"
PICTURE = performance.PAGE.parent / "images" / "stages.png"
RESULTS = Path(__file__).parents[2] / "build" / "bench" / "stages.json"
WARM, MOST = 3, 4
SECONDS, TASKS = 8, 16
RUN_SECONDS, POOL_SECONDS = 600.0, 300.0
GOAL = 0.15


def main() -> int:
    """Measure, draw, print, and keep."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stages", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write the section of docs/performance.md anew")
    chosen = parser.parse_args()
    cluster = installed_cluster()
    store = Store(cluster).client
    store.put_object(Bucket="demo", Key="bench/stages.py", Body=JOB.read_bytes())
    try:
        _start_application(cluster)
        status, pods = _run(cluster)
        events = results.events(store, status["eventLogUri"])
    finally:
        cluster.run("delete", "emrapplication", "-n", TENANT, APPLICATION, "--ignore-not-found", timeout=60)
    wanted, given = wanted_executors(events, MOST), given_executors(pods)
    wrong, ideal, extra = failures(events), wanted.integral(), surplus(given, wanted)
    text = (
        f"{extra:.0f} surplus executor-seconds beside {ideal:.0f} of the ideal: {extra / ideal:.1%}"
        f" (goal: {GOAL:.0%}); failed tasks and stages computed again: {len(wrong)}"
    )
    console.say(text)
    for line in wrong:
        console.say(f"  {line}")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"wanted": wanted.points, "given": given.points, "wrong": wrong}, indent=1))
    pictures.stages(wanted, given, _stages(events), PICTURE if chosen.record else RESULTS.with_suffix(".png"))
    if chosen.record:
        performance.record("stages", _section(text))
    return 1 if wrong or status["state"] != "SUCCESS" else 0


def installed_cluster() -> Kubectl:
    """The cluster with Ember on it."""
    from tests.support.e2e.cluster import installed

    return installed()


def _start_application(cluster: Kubectl) -> None:
    """Make the application and wait until its pool is whole."""
    manifest = application(APPLICATION, cpu=16, memory=64)
    size = {"workerConfiguration": {"cpu": "1 vCPU", "memory": "2 GB"}}
    manifest["spec"]["initialCapacity"] = {
        "DRIVER": {"workerCount": 1, **size},
        "EXECUTOR": {"workerCount": WARM, **size},
    }
    starter = job_run(f"{APPLICATION}-starter", "s3://demo/bench/stages.py", ["0", "1"], application=APPLICATION)
    cluster.run("delete", "jobrun", "-n", TENANT, f"{APPLICATION}-starter", "--ignore-not-found", timeout=60)
    with Watch(cluster, applications_path(TENANT)) as applications, Watch(cluster, runs_path(TENANT)) as runs:
        cluster.apply([manifest, starter])
        runs.until(lambda: _state(runs, starter) in ENDED, RUN_SECONDS, "the first run has not ended")

        def whole() -> bool:
            stocks = applications.current[APPLICATION].get("status", {}).get("initialCapacity", {}).values()
            return bool(stocks) and all(one.get("idle", 0) >= one["wanted"] for one in stocks)

        applications.until(whole, POOL_SECONDS, "the pool does not get whole")


def _run(cluster: Kubectl) -> tuple[Object, list[Event]]:
    """Run the job; returns its status, and what its pods went through."""
    conf = {"spark.dynamicAllocation.maxExecutors": str(MOST), "spark.dynamicAllocation.initialExecutors": str(WARM)}
    name, job = f"{APPLICATION}-1", "s3://demo/bench/stages.py"
    manifest = job_run(name, job, [str(SECONDS), str(TASKS)], application=APPLICATION, conf=conf)
    cluster.run("delete", "jobrun", "-n", TENANT, name, "--ignore-not-found", timeout=60)
    with Watch(cluster, pods_path(TENANT)) as pods, Watch(cluster, runs_path(TENANT)) as runs:
        cluster.apply([manifest])
        runs.until(lambda: _state(runs, manifest) in ENDED, RUN_SECONDS, f"{name} has not ended")
        pods.until(lambda: not _of_run(pods.current.values(), name), RUN_SECONDS, "its pods are not deleted")
        own = [event for event in pods.history if _of_run([event.object], name)]
        return runs.current[name]["status"], own


def _state(runs: Watch, manifest: Object) -> str:
    return str(runs.current.get(manifest["metadata"]["name"], {}).get("status", {}).get("state", ""))


def _of_run(pods: Iterable[Object], run: str) -> list[Object]:
    return [pod for pod in pods if pod["metadata"].get("annotations", {}).get("ember-spark.io/job-run-name") == run]


def given_executors(history: Iterable[Event]) -> Curve:
    """The executors that a run held: from the claim (or the creation) of a pod until its process ended."""
    begun: dict[str, float] = {}
    ended: dict[str, float] = {}
    for event in history:
        meta = event.object["metadata"]
        if meta["labels"].get("spark-role") != "executor":
            continue
        claimed = meta["annotations"].get("ember-spark.io/claimed-at") or meta["creationTimestamp"]
        begun.setdefault(meta["uid"], datetime.fromisoformat(claimed).timestamp())
        states = [status["state"] for status in event.object["status"].get("containerStatuses", [])]
        if event.kind == "DELETED" or any("terminated" in state for state in states):
            ended.setdefault(meta["uid"], event.wall)
    return Curve.of_changes([*((moment, 1) for moment in begun.values()), *((moment, -1) for moment in ended.values())])


def _stages(events: list[Object]) -> list[tuple[float, float]]:
    """When each stage began and ended."""
    done = [event["Stage Info"] for event in events if event["Event"] == "SparkListenerStageCompleted"]
    return [(stage["Submission Time"] / 1000, stage["Completion Time"] / 1000) for stage in done]


def _section(text: str) -> str:
    return f"""## Executors follow the stages

![Executors wanted and given over time](images/stages.png)

{text}. The ideal is one executor for each task that runs or waits, up to {MOST}; an executor is given from its claim
(or the creation of its pod) until its process has ended. {WARM} executors are pre-initialized, further ones start cold.

The job is tests/bench/jobs/stages.py with {TASKS} tasks of {SECONDS} s in its wide stages; its answer is checked.
`.venv/bin/python -m tests.bench.stages --record` has written this.
"""


if __name__ == "__main__":
    sys.exit(main())
