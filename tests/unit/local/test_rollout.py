"""When a workload counts as rolled out, and when a pod is given up."""

from typing import Any

from local.rollout import hopeless, rolled_out


def deployment(*, generation: int = 1, **status: int) -> dict[str, Any]:
    seen = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, **status}
    return {"kind": "Deployment", "metadata": {"generation": generation}, "spec": {"replicas": 1}, "status": seen}


def daemon_set(**status: int) -> dict[str, Any]:
    seen = {"observedGeneration": 1, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1}
    return {"kind": "DaemonSet", "metadata": {"generation": 1}, "spec": {}, "status": seen | status}


def waiting(reason: str, *, component: str = "operator", second: int = 0) -> dict[str, Any]:
    labels = {"app.kubernetes.io/component": component}
    meta = {"name": "p", "labels": labels, "creationTimestamp": f"2026-11-21T10:00:{second:02}Z"}
    return {
        "metadata": meta,
        "status": {"containerStatuses": [{"state": {"waiting": {"reason": reason, "message": "m"}}}]},
    }


def test_a_deployment_is_rolled_out_when_all_its_pods_are_new_and_available() -> None:
    assert rolled_out(deployment())
    assert not rolled_out(None)
    assert not rolled_out(deployment(generation=2))
    assert not rolled_out(deployment(replicas=2))
    assert not rolled_out(deployment(updatedReplicas=0))
    assert not rolled_out(deployment(availableReplicas=0))


def test_a_daemon_set_is_rolled_out_on_all_of_its_nodes() -> None:
    assert rolled_out(daemon_set())
    assert not rolled_out(daemon_set(updatedNumberScheduled=0))
    assert not rolled_out(daemon_set(desiredNumberScheduled=0, updatedNumberScheduled=0, numberAvailable=0))


def test_a_pod_that_waits_for_what_will_come_is_not_given_up() -> None:
    stuck = waiting("CrashLoopBackOff", component="logagent")
    assert hopeless([waiting("ContainerCreating")]) == ""
    assert hopeless([waiting("ContainerCreating"), stuck]) == "pod p: CrashLoopBackOff: m"


def test_a_pod_that_is_being_replaced_says_nothing() -> None:
    assert hopeless([waiting("ContainerCreating", second=1), waiting("CrashLoopBackOff", second=0)]) == ""
    assert hopeless([waiting("CrashLoopBackOff", second=1), waiting("ContainerCreating", second=0)])
