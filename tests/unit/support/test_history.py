"""The capacity that a watch's history shows: the tests of the ceiling rest on it."""

import json
from typing import Any

from local.watch import Event
from tests.support.e2e.history import reserved, runs_at_once


def pod(kind: str, uid: str, *, terminated: bool = False, application: str = "a") -> Event:
    notes = {
        "ember-spark.io/application-name": application,
        "ember-spark.io/worker": json.dumps({"cpu": 1, "memoryMiB": 2048, "diskGiB": 20}),
    }
    statuses: list[dict[str, Any]] = [{"state": {"terminated": {}} if terminated else {"running": {}}}]
    seen = {"metadata": {"name": uid, "uid": uid, "annotations": notes}, "status": {"containerStatuses": statuses}}
    return Event(kind, seen, 0.0, 0.0)


def run(name: str, state: str) -> Event:
    seen: dict[str, Any] = {"metadata": {"name": name}, "status": {"state": state}}
    return Event("MODIFIED", seen, 0.0, 0.0)


def test_a_worker_counts_until_its_container_has_terminated_or_it_is_deleted() -> None:
    history = [pod("ADDED", "1"), pod("ADDED", "2"), pod("MODIFIED", "1", terminated=True), pod("DELETED", "2")]
    assert [cpu for cpu, _, _ in reserved(history, "a")] == [1, 2, 1, 0]


def test_other_applications_do_not_count() -> None:
    assert list(reserved([pod("ADDED", "1", application="b")], "a")) == []


def test_runs_at_once_are_those_that_are_running() -> None:
    history = [run("x", "RUNNING"), run("y", "RUNNING"), run("x", "SUCCESS"), run("z", "RUNNING"), run("o", "RUNNING")]
    assert runs_at_once(history, ["x", "y", "z"]) == 2
