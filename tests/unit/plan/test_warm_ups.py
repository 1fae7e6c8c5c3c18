"""Warm-ups that fail, and how long one takes."""

from ember.plan.actions import CreateWarm, DeleteWorker, SetApplicationStatus
from ember.plan.warmups import back_off
from tests.support.shards import World

SIZE = {"cpu": "1 vCPU", "memory": "4 GB"}


def world(state: str = "STARTED", drivers: int = 1, executors: int = 0, memory: str = "4 GB") -> World:
    counts = {"DRIVER": drivers, "EXECUTOR": executors}
    entries = {k: {"workerCount": n, "workerConfiguration": SIZE | {"memory": memory}} for k, n in counts.items() if n}
    return World().application(state, maximum=8, initialCapacity=entries)


def test_failed_warm_ups_are_repeated_later_and_later() -> None:
    assert [back_off(n) for n in (0, 1, 2, 3, 20)] == [0.0, 5.0, 10.0, 20.0, 300.0]


def test_a_failed_warm_up_goes_and_its_successor_comes_after_a_pause() -> None:
    seen = world(drivers=1, executors=0).warm("driver", exit_code=1, ready=False)
    assert [a.key[1] for a in seen.actions(DeleteWorker)] == ["warm-driver-1"]
    assert seen.actions(CreateWarm) == []
    assert len(seen.later(6).actions(CreateWarm)) == 1


def test_a_warm_up_that_says_itself_that_it_failed_counts_as_one() -> None:
    seen = world(drivers=1, executors=0).warm("driver", ready=False)
    seen.report("warm-driver-1", "ended", 1, "the warm-up failed: no room")
    assert seen.actions(CreateWarm) == []
    assert seen.shard().warm_ups.failed == 1
    assert len(seen.later(6).actions(CreateWarm)) == 1


def test_pods_that_are_refused_count_as_one_failed_warm_up() -> None:
    seen = world("STARTING", drivers=2, executors=0)
    for action in seen.actions(CreateWarm):
        seen.gatherer.warm_up_refused(action.pod, "exceeded quota", seen.now)
    assert seen.shard().warm_ups.failed == 1
    assert seen.actions(CreateWarm) == []
    assert seen.plan().look_again_in is not None, "no pod will ever tell that the pause is over"
    status = next(a.status for a in seen.actions(SetApplicationStatus))
    assert "exceeded quota" in str(status["conditions"])
    assert len(seen.later(6).actions(CreateWarm)) == 2


def test_a_warm_up_that_never_ends_is_given_up() -> None:
    seen = world(drivers=1, executors=0).warm("driver", ready=False)
    assert seen.actions(DeleteWorker) == []
    assert len(seen.later(901).actions(DeleteWorker)) == 1


def test_the_estimate_follows_the_application_s_own_warm_ups() -> None:
    seen = world("STARTING", drivers=2, executors=0).warm("driver", 1, ready=False).later(100)
    seen.report("warm-driver-1", "ready")
    details = seen.actions(SetApplicationStatus)[0].status["stateDetails"]
    assert details == "1/2 pre-initialized workers are ready, about 100 s left"


def test_failures_of_one_template_hold_back_no_other() -> None:
    seen = world(drivers=1, executors=1).warm("driver", exit_code=1, ready=False)
    made = [a.pod["metadata"]["labels"]["app.kubernetes.io/component"] for a in seen.actions(CreateWarm)]
    assert made == ["executor"]
    seen.warm("executor", ready=True)
    assert "WarmUpFailing" in str(seen.actions(SetApplicationStatus)[0].status), (
        "the executor's success mends no driver"
    )


def test_a_corrected_specification_is_tried_at_once() -> None:
    seen = world(memory="4 GB").warm("driver", exit_code=1, ready=False)
    assert seen.actions(CreateWarm) == []
    mended = {"DRIVER": {"workerCount": 1, "workerConfiguration": SIZE | {"memory": "5 GB"}}}
    assert len(seen.application("STARTED", maximum=8, initialCapacity=mended).actions(CreateWarm)) == 1
    assert "WarmUpFailing" not in str(seen.actions(SetApplicationStatus)[0].status)
