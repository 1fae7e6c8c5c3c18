"""What the platform's settings and the cluster's zones make of a worker's pod."""

import pytest

from tests.support.shards import World

ZONE = "topology.kubernetes.io/zone"


def test_a_cold_executor_prefers_its_drivers_zone() -> None:
    world = World().application().job_run(state="RUNNING").driver(running=True)
    assert "affinity" not in world.executor(number=1)._find("exec-1")["spec"]
    world._find("-driver")["metadata"]["labels"][ZONE] = "b"
    affinity = world.executor(number=2)._find("exec-2")["spec"]["affinity"]["nodeAffinity"]
    (term,) = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["preference"]["matchExpressions"] == [{"key": ZONE, "operator": "In", "values": ["b"]}]


def test_the_platforms_annotations_are_on_every_worker_and_override_none_of_embers() -> None:
    world = World(workers={"podAnnotations": {"a": "b", "ember-spark.io/worker": "nonsense"}})
    size = {"workerCount": 1, "workerConfiguration": {"cpu": "1 vCPU", "memory": "4 GB"}}
    world.application(initialCapacity={"DRIVER": size}).warm("driver")
    world.job_run(state="RUNNING").driver(running=True).executor(number=1)
    for pod in ("warm-driver-1", "-driver", "exec-1"):
        annotations = world._find(pod)["metadata"]["annotations"]
        assert annotations["a"] == "b"
        assert "cpu" in annotations["ember-spark.io/worker"]


@pytest.mark.parametrize(("asked", "requested"), [("full", "20Gi"), ("none", "0")])
def test_a_worker_may_fill_its_own_disk_and_no_more(asked: str, requested: str) -> None:
    world = World(workers={"diskRequest": asked}).application().job_run().driver()
    resources = world._find("-driver")["spec"]["containers"][0]["resources"]
    assert resources["limits"]["ephemeral-storage"] == "20Gi"
    assert resources["requests"]["ephemeral-storage"] == requested


def test_workers_run_where_their_image_can() -> None:
    world = World(workers={"nodeSelector": {"pool": "spark"}}).application().job_run().driver()
    assert world._find("-driver")["spec"]["nodeSelector"] == {
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "pool": "spark",
    }
