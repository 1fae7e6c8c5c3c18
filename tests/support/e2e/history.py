"""What a watch's history says about capacity."""

import json
from collections.abc import Iterable, Iterator

from local.kubectl import Object
from local.watch import Event

Amounts = tuple[int, int, int]


def reserved(history: Iterable[Event], application: str) -> Iterator[Amounts]:
    """Yield (vCPU, MiB, GiB) of an application's workers after each change.

    A worker counts from its creation until its container has terminated or its pod is deleted.
    """
    live: dict[str, Amounts] = {}
    for event in history:
        meta = event.object["metadata"]
        notes = meta.get("annotations", {})
        if notes.get("ember-spark.io/application-name") != application:
            continue
        if event.kind == "DELETED" or _terminated(event.object):
            live.pop(meta["uid"], None)
        else:
            worker = json.loads(notes["ember-spark.io/worker"])
            live[meta["uid"]] = (worker["cpu"], worker["memoryMiB"], worker["diskGiB"])
        yield tuple(map(sum, zip((0, 0, 0), *live.values(), strict=True)))  # type: ignore[misc]


def _terminated(pod: Object) -> bool:
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return any("terminated" in status["state"] for status in statuses)


def runs_at_once(history: Iterable[Event], runs: Iterable[str]) -> int:
    """How many of these runs were RUNNING at the same time, at most."""
    names, running, most = set(runs), set[str](), 0
    for event in history:
        if event.name in names:
            is_running = event.kind != "DELETED" and event.object.get("status", {}).get("state") == "RUNNING"
            (running.add if is_running else running.discard)(event.name)
            most = max(most, len(running))
    return most
