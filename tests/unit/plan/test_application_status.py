"""How often the status of an application is written, and what is announced of it."""

from ember.plan.actions import Announce, SetApplicationStatus
from tests.support.shards import World

DRIVERS = {"DRIVER": {"workerCount": 2, "workerConfiguration": {"cpu": "1 vCPU", "memory": "4 GB"}}}


def shown(seen: World) -> World:
    """The application has the status now that it was to get."""
    status = seen.actions(SetApplicationStatus)[0].status
    return seen.application(maximum=None, initialCapacity=DRIVERS, status=status)


def warming() -> World:
    seen = World().application(maximum=None, initialCapacity=DRIVERS)
    return shown(seen.warm("driver", 1, ready=False).warm("driver", 2, ready=False))


def test_what_only_counts_waits_a_second() -> None:
    seen = warming().report("warm-driver-1", "ready")
    assert seen.actions(SetApplicationStatus) == []
    assert seen.plan().look_again_in == 1.0
    assert seen.later(1).actions(SetApplicationStatus)[0].status["initialCapacity"]["DRIVER"]["idle"] == 1


def test_a_condition_that_others_wait_for_does_not() -> None:
    seen = warming().report("warm-driver-1", "ready").report("warm-driver-2", "ready")
    assert seen.actions(SetApplicationStatus)[0].status["initialCapacity"]["DRIVER"]["idle"] == 2


def test_a_slip_in_the_specification_is_announced_once() -> None:
    world = World().application("CREATING", releaseLabel="spark-9.9")
    (told,) = world.actions(Announce)
    assert (told.type, told.reason) == ("Warning", "InvalidSpec")
    assert "spark-9.9" in told.message
    status = world.actions(SetApplicationStatus)[0].status
    assert World().application(status=status, releaseLabel="spark-9.9").actions(Announce) == []
