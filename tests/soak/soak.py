"""`make soak`: many mixed runs on an application with a pool, faults at random moments, and every oracle afterwards.

The whole history of runs and pods is recorded by watches; tests/soak/oracles.py says what must hold in it.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from local import console
from local.errors import LocalError
from local.install import NAMESPACE, TENANT
from local.kubectl import Object
from tests.bench import performance
from tests.soak import oracles, schedule
from tests.soak.schedule import Action, Fault, Schedule
from tests.support.e2e.cluster import Cluster, installed
from tests.support.e2e.pool import Pool
from tests.support.e2e.run import ENDED

APPLICATION = "soak"
JOB = Path(__file__).parent / "jobs" / "soak.py"
RESULTS = Path(__file__).parents[2] / "build" / "bench" / "soak.json"
WARM = {"DRIVER": 2, "EXECUTOR": 1}
FIRST = "soak-starts-the-application"
# Beside the pool five workers: with more at once, two cores would never leave a worker the time to get warm.
MAXIMUM = (8, 32 * 1024, 320)
# A bound on progress: what a wave has brought is worked off by two cores.
DRAIN_SECONDS, ORPHAN_SECONDS = 900.0, 60.0
STEP_SECONDS = 0.2


class Soak:
    """One soak: carry out a schedule, and remember what was hit."""

    def __init__(self, cluster: Cluster, plan: Schedule, seed: int, pool: Pool) -> None:
        self.cluster, self._plan, self._pool = cluster, plan, pool
        self._chance = random.Random(seed)  # noqa: S311 - whom a fault hits
        self.folder = f"soak/{seed}-{int(time.time())}"
        self._pending: list[Fault] = []
        self._submitted, self._deleted = set[str](), set[str]()
        self.hit: Counter[str] = Counter()
        self._told = 0

    def run(self) -> None:
        """Carry out the schedule, wave after wave, each when the one before has ended and the pool is whole."""
        for wave in self._plan.waves:
            self._pool.is_whole()
            self._carry_out(wave)

    def _carry_out(self, wave: list[Action]) -> None:
        began, left = time.monotonic(), list(wave)
        while left or self._open():
            now = time.monotonic() - began
            while left and left[0].at <= now:
                self._do(left.pop(0))
            # Nobody to hit yet: whoever comes next, in this wave or in a later one.
            self._pending = [fault for fault in self._pending if not self._strike(fault)]
            self._tell()
            if now > wave[-1].at + DRAIN_SECONDS:
                raise TimeoutError(f"{self._open()} have not ended within {DRAIN_SECONDS:.0f} s")
            time.sleep(STEP_SECONDS)

    def _tell(self) -> None:
        """One line for every ten runs."""
        ended = len(self._submitted) - len(self._open())
        if ended >= self._told + 10:
            self._told = ended
            console.say(f"{ended} of {len(self._plan.kinds)} runs have ended; killed: {_counts(self.hit) or 'none'}")

    def _do(self, action: Action) -> None:
        if action.submit:
            kind = self._plan.kinds[action.submit]
            self._submitted.add(action.submit)
            marks = f"s3://demo/{self.folder}"
            self.cluster.apply([schedule.manifest(action.submit, kind, APPLICATION, marks)])
        elif action.delete:
            self._deleted.add(action.delete)
            names = ("delete", "jobrun", "-n", TENANT, action.delete, "--ignore-not-found", "--wait=false")
            self.cluster.kubectl.run(*names)
        else:
            self._pending.append(Fault(action.fault))

    def _strike(self, fault: Fault) -> bool:
        """Kill somebody; False if there is nobody (any more)."""
        found = sorted(self._victims(fault))
        if not found:
            return False
        namespace = NAMESPACE if fault is Fault.OPERATOR else TENANT
        victim = self._chance.choice(found)
        now = ("--grace-period=0", "--force", "--wait=false", "--ignore-not-found")
        if not self.cluster.kubectl.run("delete", "pod", "-n", namespace, victim, *now).strip():
            return False  # it was quicker
        self.hit[fault] += 1
        return True

    def _victims(self, fault: Fault) -> Iterator[str]:
        if fault is Fault.OPERATOR:
            yield from filter(None, [self.cluster.leader()])
            return
        for pod in self.own_pods():
            meta = pod["metadata"]
            claimed, executes = "ember-spark.io/job-run-uid" in meta["labels"], "spark-exec-id" in meta["labels"]
            if "deletionTimestamp" not in meta and (executes if fault is Fault.EXECUTOR else not claimed):
                yield meta["name"]

    def own_pods(self) -> list[Object]:
        """The pods of the application, as the watch has them."""
        notes = "ember-spark.io/application-name"
        found = self.cluster.pods.current.copy().values()
        return [pod for pod in found if pod["metadata"].get("annotations", {}).get(notes) == APPLICATION]

    def _open(self) -> list[str]:
        """The submitted runs that have not ended yet, or whose end the watch has not told yet."""
        current = self.cluster.runs.current.copy()
        return [name for name in sorted(self._submitted) if not self._ended(name, current.get(name))]

    def _ended(self, name: str, run: Object | None) -> bool:
        if run is None:
            return name in self._deleted
        return run.get("status", {}).get("state") in ENDED

    def marks(self) -> Counter[str]:
        """How often the entry point of each run has begun, by the marks in the store."""
        pages = self.cluster.store.get_paginator("list_objects_v2").paginate(Bucket="demo", Prefix=f"{self.folder}/")
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return Counter(key.removeprefix(f"{self.folder}/").partition("/")[0] for key in keys)


def main() -> int:
    """Run it, judge it, print and keep what was seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.soak", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=20, help="of all waves, beside what each waits for the last")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--record", action="store_true", help="write the section of docs/performance.md anew")
    chosen = parser.parse_args()
    console.say(f"seed {chosen.seed}: {chosen.runs} runs in {chosen.minutes:.0f} min")
    plan = schedule.make(chosen.seed, chosen.runs, chosen.minutes * 60)
    cluster = Cluster(installed())
    cluster.forget(plan.kinds)
    cluster.store.put_object(Bucket="demo", Key="soak/soak.py", Body=JOB.read_bytes())
    with cluster:
        # Two cores are busy most of the time: without reserved capacity hardly a worker would get warm.
        pool = Pool(cluster, APPLICATION, maximum=MAXIMUM, reserved=True).wants(WARM)
        soak = Soak(cluster, plan, chosen.seed, pool)
        try:
            first = f"s3://demo/{soak.folder}/{FIRST}"
            pool.submit(FIRST, schedule.SCRIPT, first, "exit", "0").succeeds()
            began = time.monotonic()
            soak.run()
            took = time.monotonic() - began
            wrong = list(_violations(soak, plan, pool))
        finally:
            cluster.forget(plan.kinds)
            pool.remove()
        text = _summary(cluster, soak, plan, took)
    console.say(text)
    for line in wrong:
        console.say(f"  WRONG: {line}")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"seed": chosen.seed, "summary": text, "wrong": wrong}, indent=1))
    if chosen.record and not wrong:
        performance.record("soak", _section(chosen.seed, text))
    return 1 if wrong else 0


def _violations(soak: Soak, plan: Schedule, pool: Pool) -> Iterator[str]:
    cluster, ended = soak.cluster, time.monotonic()
    ends = {name: kind.ends for name, kind in plan.kinds.items()}
    try:
        none = "pods of ended runs are left"
        cluster.pods.until(lambda: not [*oracles.nothing_left(soak.own_pods())], ORPHAN_SECONDS, none)
        console.say(f"the last pod of a run was gone {time.monotonic() - ended:.0f} s after the last end")
        pool.is_whole()
    except (TimeoutError, LocalError) as error:
        yield str(error)
    yield from oracles.nothing_left(soak.own_pods())
    runs, pods = list(cluster.runs.history), cluster.pod_history()
    yield from oracles.one_end(runs, ends)
    yield from oracles.begun_at_most_once(soak.marks())
    yield from oracles.one_driver(pods)
    yield from oracles.capacity_holds(pods, APPLICATION, MAXIMUM)
    yield from oracles.single_use(pods)
    yield from oracles.nobody_is_forgotten(runs)


def _summary(cluster: Cluster, soak: Soak, plan: Schedule, took: float) -> str:
    final: dict[str, str] = {}
    paths: dict[str, str] = {}
    for event in cluster.runs.history:
        status = event.object.get("status", {})
        if event.name in plan.kinds and status.get("state") in ENDED:
            final[event.name] = status["state"]
            paths[event.name] = status.get("startup", {}).get("driver", "none")
    states = Counter(final.get(name, "deleted before its end") for name in plan.kinds)
    drivers = Counter(paths.values())
    said = [
        f"{len(plan.kinds)} runs in {took / 60:.0f} min: {_counts(states)}",
        f"drivers: {_counts(drivers)}",
        f"killed: {_counts(soak.hit)}",
        f"{len(cluster.runs.history)} changes of runs and {len(cluster.pods.history)} of pods were looked at",
    ]
    return "; ".join(said)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items()))


def _section(seed: int, text: str) -> str:
    return f"""## A soak

{text}. The runs came in {schedule.WAVES} waves, each when the one before had ended and the pool was whole, as a queue
that is never empty leaves a pool nothing. Its workers have reserved capacity (`ember-spark.io/warm-capacity`): with the
default, 1m of CPU, hardly one would get warm beside cores that are busy all the time.

Over this history: every run had one terminal state, one that its kind may have; no entry point was started twice; no
run had two live drivers; none waited for its first task for more than {oracles.FIRST_TASK_SECONDS:.0f} s with its
driver running; the capacity in use, pre-initialized workers included, was never above the maximum of {MAXIMUM[0]} vCPU
and {MAXIMUM[1] // 1024} GB; no pod served twice; 60 s after the last end no pod of a run was left, and the pool was
back at its size.

`.venv/bin/python -m tests.soak.soak --seed {seed} --record` has written this: the same seed gives the same runs and the
same moments of the faults.
"""


if __name__ == "__main__":
    sys.exit(main())
