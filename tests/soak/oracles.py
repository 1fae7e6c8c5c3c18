"""What must hold at every moment of a history. Each oracle yields one sentence for each violation."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from local.kubectl import Object
from local.watch import Event
from tests.support.e2e.history import Amounts, reserved
from tests.support.e2e.run import ENDED

Oracle = Callable[[], Iterator[str]]
FIRST_TASK_SECONDS = 240.0
"""Far above what JVMs take on busy cores; who waits longer was forgotten (Spark itself asks again after 10 minutes)."""


def one_end(runs: Iterable[Event], ends: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """Each run has exactly one terminal state, one that it may have, and none after it; or it was deleted."""
    states: dict[str, list[str]] = defaultdict(list)
    deleted = set()
    for event in runs:
        state = event.object.get("status", {}).get("state", "")
        if state and (not states[event.name] or states[event.name][-1] != state):
            states[event.name].append(state)
        if event.kind == "DELETED":
            deleted.add(event.name)
    for name, may in ends.items():
        seen = states[name]
        final = [state for state in seen if state in ENDED]
        if len(final) > 1 or (final and seen[-1] != final[0]):
            yield f"{name} went on after its end: {' -> '.join(seen)}"
        elif not final and name not in deleted:
            yield f"{name} has not ended: {' -> '.join(seen)}"
        elif final and final[0] not in may:
            yield f"{name} ended as {final[0]}, which is none of {', '.join(sorted(may))}"


def begun_at_most_once(marks: Mapping[str, int], most: int = 1) -> Iterator[str]:
    """The entry point of a run was started at most maxAttempts times."""
    for name, count in marks.items():
        if count > most:
            yield f"the entry point of {name} was started {count} times"


def one_driver(pods: Iterable[Event]) -> Iterator[str]:
    """A run has never two live drivers."""
    live: dict[str, set[str]] = defaultdict(set)
    for event in pods:
        meta = event.object["metadata"]
        run = meta["labels"].get("ember-spark.io/job-run-uid")
        if run is None or meta["labels"].get("spark-role") != "driver":
            continue
        if event.kind == "DELETED" or _has_ended(event.object):
            live[run].discard(meta["uid"])
        else:
            live[run].add(meta["uid"])
        if len(live[run]) > 1:
            yield f"run {run} has {len(live[run])} drivers at once"


def capacity_holds(pods: Iterable[Event], application: str, maximum: Amounts) -> Iterator[str]:
    """The sum of an application's workers, pre-initialized ones included, is never above its maximum."""
    for amounts in reserved(pods, application):
        if any(used > most for used, most in zip(amounts, maximum, strict=True)):
            yield f"{amounts} are in use, {maximum} are the maximum (vCPU, MiB, GiB)"


def single_use(pods: Iterable[Event]) -> Iterator[str]:
    """A pod serves one run as one worker."""
    served: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for event in pods:
        meta = event.object["metadata"]
        run = meta["labels"].get("ember-spark.io/job-run-uid")
        if run is not None:
            served[meta["uid"]].add((run, meta["labels"].get("spark-exec-id", "driver")))
    for uid, runs in served.items():
        if len(runs) > 1:
            yield f"pod {uid} served {sorted(runs)}"


def nobody_is_forgotten(runs: Iterable[Event]) -> Iterator[str]:
    """A run whose driver works gets its first executor, whoever was killed meanwhile."""
    waited: dict[str, float] = {}
    for event in runs:
        status = event.object.get("status", {})
        first = status.get("startup", {}).get("firstTaskMilliseconds")
        if first is not None and "startedAt" in status:
            begun = datetime.fromisoformat(status["startedAt"]) - datetime.fromisoformat(status["createdAt"])
            waited[event.name] = first / 1000 - begun.total_seconds()
    for name, seconds in waited.items():
        if seconds > FIRST_TASK_SECONDS:
            yield f"{name} had its first task {seconds:.0f} s after its driver's start"


def nothing_left(pods: Iterable[Object]) -> Iterator[str]:
    """Once the runs have ended, no pod of theirs is there."""
    for pod in pods:
        if "ember-spark.io/job-run-uid" in pod["metadata"]["labels"]:
            yield f"{pod['metadata']['name']} is left over"


def _has_ended(pod: Object) -> bool:
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return any("terminated" in status["state"] for status in statuses)
