"""A driver and an executor, each in the real launcher, find each other through Spark's own Kubernetes backend."""

import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import worker_pod
from tests.support.pods_api import PodsApi, executor_part
from tests.support.worker_pod import Pod, driver, fake_broker

pytestmark = pytest.mark.spark

JOB = """
    import os, sys
    from pyspark import SparkContext
    sc = SparkContext.getOrCreate()
    import time
    began = time.time()
    print("squares", sc.parallelize([1, 2, 3], 2).map(lambda x: x * x).collect(), round(time.time() - began, 2))
    there = sc.parallelize([1], 1).map(lambda _: os.path.exists("extra.txt")).collect()
    print("files", os.path.exists("extra.txt"), there)
    def forked(_=None):
        return "ember.worker.zygote" in open("/proc/self/cmdline").read()
    print("forked", forked(), sc.parallelize([1], 1).map(forked).collect())
    print("pythons", sc.parallelize([1], 1).map(lambda _: sys.executable).collect() == [sys.executable])
"""


def kubernetes(url: str) -> dict[str, str]:
    """What Ember's plan sets for each driver, as far as Spark's start depends on it."""
    return {
        "spark.master": f"k8s://{url}",
        "spark.app.id": "00abc",
        "spark.submit.deployMode": "client",
        "spark.kubernetes.namespace": "ns",
        "spark.kubernetes.driver.pod.name": "pod-1",
        "spark.kubernetes.container.image": "x",
        "spark.kubernetes.executor.disableConfigMap": "true",
        "spark.executor.instances": "1",
        "spark.executor.cores": "1",
        "spark.executor.memory": "512m",
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
        "spark.scheduler.minRegisteredResourcesRatio": "0",
        "spark.odd": "spaces = and \\ ü",
    }


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[tuple[Pod, Pod]]:
    """A driver's and an executor's pod, each with a broker of its own."""
    java_args = worker_pod.java_args(tmp_path)
    with fake_broker(tmp_path / "broker-1") as first, fake_broker(tmp_path / "broker-2") as second:
        first.pods = PodsApi()
        driver_pod = Pod(tmp_path / "driver", first, java_args=java_args)
        executor_pod = Pod(tmp_path / "executor", second, role="executor", java_args=java_args)
        yield driver_pod, executor_pod
        driver_pod.kill()
        executor_pod.kill()


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_a_job_runs_on_its_executor(pods: tuple[Pod, Pod], tmp_path: Path, warm: bool) -> None:
    driver_pod, executor_pod = pods
    api = driver_pod.broker.pods
    assert api
    if warm:
        get_warm(*pods)
    api.away = 5  # Spark itself would ask four times
    (tmp_path / "job.py").write_text(textwrap.dedent(JOB))
    (tmp_path / "extra.txt").write_text("x")
    files = ("--files", str(tmp_path / "extra.txt"))
    driver_pod.broker.assign(**driver(*files, str(tmp_path / "job.py"), **kubernetes(driver_pod.broker.url)))
    if not warm:
        driver_pod.start()
    until(lambda: bool(api.posted), driver_pod)
    work = {"phase": "run", "run": {"id": "00abc"}, "secrets": {"spark-auth": "s3cret"}}
    executor_pod.broker.assign(**work, executor=executor_part(api.posted[0]))
    if not warm:
        executor_pod.start()
    driver_pod.wait()
    executor_pod.wait(30)
    assert driver_pod.code == 0, driver_pod.stderr + executor_pod.stderr
    assert "squares [1, 4, 9]" in driver_pod.stdout
    assert "files True [True]" in driver_pod.stdout
    assert "pythons True" in driver_pod.stdout
    assert f"forked True [{warm}]" in driver_pod.stdout
    assert api.looked == 0  # see ember.worker.ownpod
    # A warm-up asks with a token that no broker takes.
    assert api.tokens == {"Bearer t0ken", *(["Bearer rehearsal"] if warm else [])}
    assert executor_pod.code == 0, executor_pod.stderr
    assert executor_pod.ended["reason"] == "exit code 0"
    assert "s3cret" not in driver_pod.stderr + executor_pod.stderr


def get_warm(*pods: Pod) -> None:
    """One after the other: the machine is small."""
    for pod in pods:
        pod.warm = True
        pod.start().wait_ready()


SLOW = """
    import os, sys, time
    from pyspark import SparkContext
    sc = SparkContext.getOrCreate()
    def slow(_, folder=sys.argv[1]):
        open(folder + "/begun", "w").close()
        while not os.path.exists(folder + "/go"): time.sleep(0.05)
        return "whole"
    print(sc.parallelize([1], 1).map(slow).collect())
"""


def test_an_executor_whose_pod_is_deleted_ends_its_task_and_is_decommissioned(
    pods: tuple[Pod, Pod], tmp_path: Path
) -> None:
    driver_pod, executor_pod = pods
    api = driver_pod.broker.pods
    assert api
    (tmp_path / "job.py").write_text(textwrap.dedent(SLOW))
    properties = kubernetes(driver_pod.broker.url) | {"spark.decommission.enabled": "true"}
    driver_pod.broker.assign(**driver(str(tmp_path / "job.py"), str(tmp_path), **properties))
    driver_pod.start()
    until(lambda: bool(api.posted), driver_pod)
    work = {"phase": "run", "run": {"id": "00abc"}, "secrets": {"spark-auth": "s3cret"}}
    executor_pod.broker.assign(**work, executor=executor_part(api.posted[0]))
    executor_pod.start()
    until((tmp_path / "begun").exists, executor_pod)
    executor_pod.terminate()
    until(lambda: "Decommission executor" in executor_pod.stderr, executor_pod)
    (tmp_path / "go").touch()
    driver_pod.wait()
    executor_pod.wait(30)
    assert "['whole']" in driver_pod.stdout
    assert "Lost task" not in driver_pod.stderr
    assert executor_pod.ended["reason"] == "stopped: SIGTERM"


def until(seen: Callable[[], bool], pod: Pod) -> None:
    deadline = time.monotonic() + 300
    while not seen():
        assert time.monotonic() < deadline, pod.stderr
        time.sleep(0.02)


def test_an_executor_without_its_driver_fails(pods: tuple[Pod, Pod]) -> None:
    _, pod = pods
    part = {"driverUrl": "spark://CoarseGrainedScheduler@127.0.0.1:1", "executorId": "1", "cores": 1, "appId": "a"}
    pod.broker.assign(phase="run", secrets={}, executor={**part, "resourceProfileId": "0", "javaOptions": []})
    pod.start().wait()
    assert pod.code != 0
    assert pod.ended["exitCode"] == pod.code
