"""Runs on pre-initialized workers. They come last: where other runs want the cores, idle workers get none."""

from collections import defaultdict
from collections.abc import Iterator

import pytest

from local.install import NAMESPACE, TENANT
from local.rollout import ready
from tests.e2e.talks import DEPENDENCIES
from tests.support.e2e.cluster import Cluster
from tests.support.e2e.manifests import QUICK
from tests.support.e2e.pool import Pool
from tests.support.e2e.run import Run
from tests.support.e2e.talk import Talk

PROPERTIES = (
    "--name conform --conf spark.own=mine --conf spark.sql.shuffle.partitions=3 "
    "--conf spark.driver.extraJavaOptions=-Down=x"
)
# What a JVM takes only when it starts.
COLD = "--driver-class-path /opt/spark/examples/jars/* --conf spark.executor.extraJavaOptions=-Xss2m"
TWO = "--conf spark.dynamicAllocation.initialExecutors=2 --conf spark.dynamicAllocation.maxExecutors=2"


@pytest.fixture(scope="module")
def pool(cluster: Cluster) -> Iterator[Pool]:
    """An application whose pool is whole."""
    pool = Pool(cluster, "e2e-warm").wants({"DRIVER": 1, "EXECUTOR": 2})
    try:
        pool.submit("warm-starts-it", "leave.py", "0").succeeds()
        yield pool.is_whole()
    finally:
        pool.remove()


def test_a_run_takes_pre_initialized_workers_and_others_take_their_place(pool: Pool) -> None:
    before = pool.is_whole().idle_pods()
    run = pool.submit("warm-words", "s3://demo/scripts/wordcount.py", "s3://demo/input/", "s3://demo/output/e2e-warm/")
    startup = run.succeeds().is_cleaned_up().status["startup"]
    assert (startup["driver"], startup["warmExecutors"], startup["coldExecutors"]) == ("WARM", 1, 0)
    assert startup["firstTaskMilliseconds"] > 0
    assert run.status["driverPod"] in before
    assert len(pool.is_whole().idle_pods() - before) == 2


def test_what_a_running_jvm_cannot_take_goes_cold_and_says_why(pool: Pool) -> None:
    run = pool.is_whole().submit("warm-not", "leave.py", "0", parameters=_conf(QUICK))
    startup = run.succeeds().status["startup"]
    assert startup["driver"] == "COLD"
    assert "extraJavaOptions" in startup["reason"]


def test_a_job_sees_and_does_the_same_warm_and_cold(cluster: Cluster, pool: Pool) -> None:
    pool.is_whole()
    outcomes = []
    for path, more in (("warm", ""), ("cold", COLD)):
        arguments = (f"s3://demo/output/e2e-conform-{path}/", "two words", "", "ü $(id)")
        parameters = f"{DEPENDENCIES} {PROPERTIES} {more}"
        run = pool.submit(f"conform-{path}", "conform.py", *arguments, parameters=parameters)
        run.fails("DriverFailed", "exit code 3")
        startup = run.status["startup"]
        assert startup["driver"] == path.upper()
        assert startup[f"{path}Executors"] >= 1
        outcomes.append((run.log().splitlines(), "last words to stderr" in run.log(stream="stderr")))
    assert outcomes[0] == outcomes[1]


def test_a_warm_run_goes_on_when_the_operator_is_replaced(cluster: Cluster, pool: Pool) -> None:
    pool.is_whole()
    talk = Talk(pool.submit("warm-talk", "talk.py", parameters=TWO))
    assert talk.ask("sum", numbers=1000, slices=4) == 499500
    assert talk.run.status["startup"]["driver"] == "WARM"
    before = cluster.leader()
    cluster.kubectl.run("delete", "pod", "-n", NAMESPACE, before, "--grace-period=0", "--force", timeout=90)
    assert talk.ask("sum", numbers=2000, slices=4) == 1999000
    cluster.has_another_leader_than(before)
    lost = _executors(cluster, talk.run)
    for pod in lost:
        cluster.kubectl.run("delete", "pod", "-n", TENANT, pod, "--grace-period=0", "--force")
    # Executors that are asked for now are the new leader's.
    assert talk.ask("sum", numbers=3000, slices=4) == 4498500
    assert not set(_executors(cluster, talk.run)) & set(lost)
    assert talk.ends().answer() == "ended"


def test_a_worker_serves_one_run_in_its_life(cluster: Cluster, pool: Pool) -> None:
    served = defaultdict(set)
    for event in cluster.pod_history():
        meta = event.object["metadata"]
        if run := meta["labels"].get("ember-spark.io/job-run-uid"):
            served[meta["uid"]].add((run, meta["labels"].get("spark-exec-id")))
    assert served
    assert [runs for runs in served.values() if len(runs) > 1] == []


def test_the_pool_follows_a_change_of_the_specification(pool: Pool) -> None:
    before = pool.is_whole().idle_pods()
    pool.wants({"DRIVER": 1, "EXECUTOR": 1}).is_whole()
    pool.cluster.pods.until(lambda: len(pool.idle_pods()) == 2, 180, "the worker that is too many does not go")
    assert pool.idle_pods() < before


def _conf(settings: dict[str, str]) -> str:
    return " ".join(f"--conf {key}={value}" for key, value in settings.items())


def _executors(cluster: Cluster, run: Run) -> list[str]:
    """Names of the executors' pods that are there and ready."""
    return [
        pod["metadata"]["name"]
        for pod in cluster.pods_of(run.name)
        if "spark-exec-id" in pod["metadata"]["labels"] and ready(pod) and "deletionTimestamp" not in pod["metadata"]
    ]
