"""Whether a run's logs are in the store, as its condition says."""

from typing import Any

from ember.kube.index import Kind
from ember.model import labels
from ember.plan.actions import DeleteWorker, SetRunStatus
from ember.plan.workers import STOP_TIMEOUT
from tests.support.shards import NAMESPACE, START, World


def said(world: World) -> tuple[str, str, str]:
    """The condition that the next plan writes, or that the run has when it writes nothing; empty for none."""
    written: list[dict[str, Any]] = [action.status for action in world.actions(SetRunStatus)]
    held = world.index.get(Kind.JOB_RUN, (NAMESPACE, "run-1"))
    assert held is not None
    conditions = {c["type"]: c for c in (written or [held["status"]])[0].get("conditions", [])}
    found = conditions.get("LogsUploaded", {})
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")


def keep(world: World) -> World:
    """The plan's status is written, and what it deletes is gone."""
    actions = world.plan().actions
    for action in actions:
        if isinstance(action, SetRunStatus):
            world.job_run(state=None, status=action.status)
        elif isinstance(action, DeleteWorker):
            world.index.remove(Kind.POD, action.key)
    return world


def running() -> World:
    """A run with a driver and an executor, whose logs are kept for a minute."""
    world = World(store={"managedLogUri": "s3://managed"}, logs={"giveUpMinutes": 1}).application()
    return keep(
        world.job_run(state="RUNNING", status={"startedAt": START})
        .driver(running=True)
        .executor(number=1, running=True)
    )


def test_logs_are_uploaded_when_those_of_all_workers_are_complete() -> None:
    world = running().report("exec-1", "ended", 0).report("-driver", "ended", 0)
    assert said(world) == ("", "", "")
    keep(world.uploaded("exec-1"))
    assert said(world) == ("", "", "")
    world.uploaded("-driver")
    assert said(world) == ("True", "Uploaded", "")
    assert said(keep(world)) == ("True", "Uploaded", "")


def test_what_the_store_says_is_passed_on_until_it_takes_them() -> None:
    world = running().report("exec-1", "ended", 0).uploaded("exec-1").report("-driver", "ended", 0)
    assert said(world.uploaded("-driver", "no such bucket")) == ("False", "UploadFailing", "no such bucket")
    assert said(keep(world).uploaded("-driver"))[:2] == ("True", "Uploaded")


def test_logs_that_were_given_up_while_it_ran_are_not_forgotten() -> None:
    world = running().report("exec-1", "ended", 0).uploaded("exec-1", "no such bucket")
    assert said(world)[0] == ""
    world.later(61)
    assert said(world)[:2] == ("False", "GivenUp")
    assert said(world)[2].endswith("were given up: no such bucket")
    keep(world).report("-driver", "ended", 0).uploaded("-driver")
    assert not world.shard().runs[0].executors
    assert said(world)[:2] == ("False", "GivenUp")


def test_what_became_of_the_logs_is_said_even_when_no_pod_is_left() -> None:
    world = running().report("-driver", "ended", 0)
    world.index.remove(Kind.POD, (NAMESPACE, world._find("exec-1")["metadata"]["name"]))
    keep(world)
    assert said(world) == ("", "", "")
    world.index.remove(Kind.POD, (NAMESPACE, world._find("-driver")["metadata"]["name"]))
    assert said(world)[:2] == ("Unknown", "DriverGone")
    assert not keep(world).shard().runs


def test_an_executor_that_does_not_hear_its_stop_takes_its_logs_along() -> None:
    world = running().executor(number=1, running=True, stop="RemovedBySpark")
    meta = world._find("exec-1")["metadata"]
    meta["annotations"][labels.STOPPED_AT] = START
    assert said(world)[0] == ""
    assert said(world.later(STOP_TIMEOUT + 1))[:2] == ("False", "GivenUp")


def test_an_operator_that_was_away_waits_for_what_the_agents_say() -> None:
    world = running().report("exec-1", "ended", 0).later(3600)
    world.gatherer.since = world.now
    assert said(world)[0] == ""
    assert world.actions(DeleteWorker) == []
    assert said(world.later(61))[:2] == ("False", "GivenUp")


def test_a_run_that_never_had_its_driver_running_has_no_logs_to_miss() -> None:
    world = World(store={"managedLogUri": "s3://managed"}).application()
    world.job_run(state="CANCELLING", status={"driverPod": "run-1-driver"})
    assert said(world) == ("", "", "")


def test_of_a_driver_that_is_gone_nobody_knows() -> None:
    world = running()
    world.index.remove(Kind.POD, (NAMESPACE, world._find("-driver")["metadata"]["name"]))
    assert said(world)[:2] == ("Unknown", "DriverGone")
