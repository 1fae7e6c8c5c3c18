"""maximumCapacity is a hard ceiling, at every moment."""

import pytest

from tests.support.e2e.cluster import Cluster
from tests.support.e2e.files import EXAMPLES_JAR
from tests.support.e2e.history import reserved, runs_at_once
from tests.support.e2e.manifests import job_run
from tests.support.e2e.run import Run

# A driver and an executor take 2 vCPU and 4 GB; the application has twice that.
SIX = [
    job_run(
        f"pi-{number}",
        EXAMPLES_JAR,
        ["4"],
        application="e2e-two",
        parameters="--class org.apache.spark.examples.SparkPi",
    )
    for number in range(1, 7)
]
MAXIMUM = (4, 8 * 1024, 80)


@pytest.mark.submits(*SIX)
def test_six_runs_where_two_fit(cluster: Cluster, runs: list[Run]) -> None:
    for run in runs:
        assert "Pi is roughly 3.1" in run.succeeds().log()
    seen = list(reserved(cluster.pod_history(), "e2e-two"))
    over = [amounts for amounts in seen if any(amount > most for amount, most in zip(amounts, MAXIMUM, strict=True))]
    assert not over, f"{len(over)} of {len(seen)} moments are over the maximum of {MAXIMUM}"
    assert MAXIMUM in seen, "what there is was never used"
    assert runs_at_once(cluster.runs.history, [run.name for run in runs]) == 2
    assert any("QUEUED" in run.states() for run in runs)
