"""Each oracle of the soak sees what it is for, and is content with a history as it should be."""

from typing import Any

from local.watch import Event
from tests.soak import oracles, schedule

WELL = frozenset({"SUCCESS"})


def run(name: str, *states: str, deleted: bool = False) -> list[Event]:
    seen = [Event("MODIFIED", {"metadata": {"name": name}, "status": {"state": s}}, 0, 0) for s in states]
    return seen + ([Event("DELETED", seen[-1].object, 0, 0)] if deleted else [])


def pod(uid: str, run: str | None, *, role: str = "driver", kind: str = "MODIFIED", ended: bool = False) -> Event:
    marks = {"spark-role": role, **({"ember-spark.io/job-run-uid": run} if run else {})}
    statuses: list[dict[str, Any]] = [{"state": {"terminated": {}} if ended else {"running": {}}}]
    seen = {"metadata": {"name": uid, "uid": uid, "labels": marks}, "status": {"containerStatuses": statuses}}
    return Event(kind, seen, 0, 0)


def test_one_end() -> None:
    fine = [*run("a", "SUBMITTED", "RUNNING", "SUCCESS", "SUCCESS"), *run("b", "RUNNING", deleted=True)]
    assert [*oracles.one_end(fine, {"a": WELL, "b": WELL})] == []
    for states in (("SUCCESS", "FAILED"), ("SUCCESS", "RUNNING"), ("RUNNING",), ("FAILED",), ()):
        assert len([*oracles.one_end(run("a", *states), {"a": WELL})]) == 1, states


def test_begun_at_most_once() -> None:
    assert [*oracles.begun_at_most_once({"a": 1, "b": 0})] == []
    assert len([*oracles.begun_at_most_once({"a": 2})]) == 1


def test_one_driver() -> None:
    assert [*oracles.one_driver([pod("1", "r"), pod("1", "r", ended=True), pod("2", "r"), pod("3", "s")])] == []
    assert [*oracles.one_driver([pod("1", "r"), pod("1", "r", kind="DELETED"), pod("2", "r")])] == []
    assert [*oracles.one_driver([pod("1", None), pod("2", None), pod("3", "r", role="executor"), pod("4", "r")])] == []
    assert len([*oracles.one_driver([pod("1", "r"), pod("2", "r")])]) == 1


def test_single_use() -> None:
    assert [*oracles.single_use([pod("1", None), pod("1", "r"), pod("1", "r", ended=True), pod("2", "r")])] == []
    assert len([*oracles.single_use([pod("1", "r"), pod("1", "s")])]) == 1


def test_nobody_is_forgotten() -> None:
    times = {"createdAt": "2026-11-29T10:00:00Z", "startedAt": "2026-11-29T10:10:00Z"}

    def seen(milliseconds: int) -> list[Event]:
        status = times | {"startup": {"firstTaskMilliseconds": milliseconds}}
        return [*run("a", "RUNNING"), Event("MODIFIED", {"metadata": {"name": "a"}, "status": status}, 0, 0)]

    assert [*oracles.nobody_is_forgotten(seen(620_000))] == []
    assert len([*oracles.nobody_is_forgotten(seen(1_200_000))]) == 1


def test_nothing_left() -> None:
    assert [*oracles.nothing_left([pod("1", None).object])] == []
    assert len([*oracles.nothing_left([pod("1", "r").object])]) == 1


def test_a_seed_gives_the_same_schedule_and_every_run_once() -> None:
    made = schedule.make(7, 200, 1200.0)
    assert made == schedule.make(7, 200, 1200.0) != schedule.make(8, 200, 1200.0)
    actions = [action for wave in made.waves for action in wave]
    submitted = [action.submit for action in actions if action.submit]
    assert sorted(submitted) == sorted(made.kinds)
    assert len(submitted) == 200
    assert {action.delete for action in actions if action.delete} < set(submitted)
