"""The examples, as they stand: a team's first manifests."""

import pytest

from local import results
from local.install import TENANT
from tests.support.e2e.cluster import Cluster
from tests.support.e2e.manifests import example
from tests.support.e2e.run import Run

submits = pytest.mark.submits

WORDCOUNT, TPCH, SPARKPI = example("wordcount"), example("tpch"), example("sparkpi")
FORWARD = ["SUBMITTED", "QUEUED", "PENDING", "SCHEDULED", "RUNNING", "SUCCESS"]


@submits(WORDCOUNT)
def test_the_words_are_counted_right(cluster: Cluster, run: Run) -> None:
    run.succeeds()
    right = results.right_word_counts(cluster.store, "s3://demo/input/")
    assert len(right) > 5000
    assert results.counted_words(cluster.store, "s3://demo/output/wordcount-1/") == right


@submits(WORDCOUNT)
def test_logs_of_driver_and_executors_are_in_the_store(cluster: Cluster, run: Run) -> None:
    run.succeeds().is_cleaned_up()
    status = run.status
    prefix = f"s3://demo/logs/applications/{status['applicationId']}/jobs/{status['jobRunId']}/"
    assert status["logUri"] == prefix
    # Not always 1: another test replaces the operator, which forgets a request that waits, and Spark asks anew.
    executors = run.executors()
    assert executors
    assert results.missing_logs(cluster.store, prefix, executors) == []
    assert run.log().startswith("rows: ")
    assert "spark" in run.log(f"SPARK_EXECUTOR/{executors[0]}", "stderr").lower()


@submits(WORDCOUNT)
def test_managed_logs_are_kept_beside_the_run_s_own(cluster: Cluster, run: Run) -> None:
    run.succeeds().is_cleaned_up()
    status = run.status
    prefix = f"s3://ember-managed/logs/{TENANT}/applications/{status['applicationId']}/jobs/{status['jobRunId']}/"
    assert results.missing_logs(cluster.store, prefix, run.executors()) == []


@submits(WORDCOUNT)
def test_the_event_log_is_whole(run: Run) -> None:
    run.succeeds()
    assert run.status["eventLogUri"] == f"{run.status['logUri']}sparklogs/"
    events = [event["Event"] for event in run.event_log()]
    assert "SparkListenerApplicationStart" in events
    assert "SparkListenerTaskEnd" in events
    assert events[-1] == "SparkListenerApplicationEnd"


@submits(WORDCOUNT)
def test_the_status_tells_what_happened(cluster: Cluster, run: Run) -> None:
    run.succeeds()
    complete = run.condition("Complete")
    assert (complete["status"], complete["reason"]) == ("True", "Succeeded")
    assert run.status["observedGeneration"] == run.object["metadata"]["generation"]
    assert run.status["attempt"] == 1
    assert run.status["exitCode"] == 0
    assert run.status["totalExecutionDurationSeconds"] > 0
    seen = run.states()
    assert seen == [state for state in FORWARD if state in seen], "a run only moves forward"
    assert run.status["executors"]["total"] >= 1


@submits(WORDCOUNT)
def test_kubectl_shows_the_states(cluster: Cluster, run: Run) -> None:
    run.succeeds()
    header, row = cluster.kubectl.run("get", "jobruns", "-n", TENANT, run.name).splitlines()
    assert {"NAME", "STATE", "ATTEMPT", "DURATION"} <= set(header.split())
    assert "SUCCESS" in row
    header, row = cluster.kubectl.run("get", "emrapplications", "-n", TENANT, "analytics").splitlines()
    assert {"NAME", "STATE", "RELEASE", "AGE"} <= set(header.split())
    assert "STARTED" in row
    assert "spark-4.1.2" in row


@submits(TPCH)
def test_sql_over_parquet(cluster: Cluster, run: Run) -> None:
    run.succeeds()
    answers = [line for line in run.log().splitlines() if line.startswith("q")]
    assert [line.partition(" rows")[0] for line in answers] == ["q1: 4", "q3: 10", "q6: 1"]
    written = results.keys(cluster.store, "s3://demo/output/tpch-1/")
    assert len([uri for uri in written if uri.endswith(".parquet")]) == 3


@submits(SPARKPI)
def test_a_class_of_a_jar_of_the_image(run: Run) -> None:
    run.succeeds()
    assert "Pi is roughly 3.1" in run.log()
