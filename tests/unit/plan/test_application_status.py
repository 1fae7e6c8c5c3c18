"""How often the status of an application is written."""

from ember.plan.actions import SetApplicationStatus
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
