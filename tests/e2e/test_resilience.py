"""What may fail while a run goes on."""

import pytest

from local.install import NAMESPACE, TENANT
from local.rollout import ready
from tests.e2e.talks import STEADY
from tests.support.e2e.cluster import Cluster
from tests.support.e2e.run import Run
from tests.support.e2e.talk import Talk

submits = pytest.mark.submits


@submits(STEADY)
def test_a_lost_executor_is_replaced(cluster: Cluster, talk: Talk) -> None:
    assert talk.ask("sum", numbers=1000, slices=4) == 499500
    lost = executors(cluster, talk.run)[0]
    cluster.kubectl.run("delete", "pod", "-n", TENANT, lost, "--grace-period=0", "--force")
    assert talk.ask("sum", numbers=1000, slices=4) == 499500


@submits(STEADY)
def test_a_run_goes_on_when_the_operator_is_replaced(cluster: Cluster, talk: Talk) -> None:
    assert talk.ask("sum", numbers=1000, slices=4) == 499500
    before = cluster.leader()
    cluster.kubectl.run("delete", "pod", "-n", NAMESPACE, before, timeout=90)
    assert talk.ask("sum", numbers=2000, slices=4) == 1999000
    cluster.has_another_leader_than(before)
    # An executor that is asked for now is the new leader's.
    for lost in executors(cluster, talk.run):
        cluster.kubectl.run("delete", "pod", "-n", TENANT, lost, "--grace-period=0", "--force")
    assert talk.ask("sum", numbers=3000, slices=4) == 4498500
    run = talk.ends()
    assert "RUNNING" in run.states()
    assert run.status["executors"]["total"] >= 2
    assert run.answer() == "ended"


def executors(cluster: Cluster, run: Run) -> list[str]:
    """Names of the executors' pods that are ready."""
    return [
        pod["metadata"]["name"]
        for pod in cluster.pods_of(run.name)
        if "spark-exec-id" in pod["metadata"]["labels"] and ready(pod) and "deletionTimestamp" not in pod["metadata"]
    ]
