"""The index: newest wins, look-ups follow changes, nothing is left behind."""

from hypothesis import given
from hypothesis import strategies as st

from ember.kube.index import Index, Kind, key_of
from ember.model import labels
from ember.plan.facts import ExecutorRequest, UploadReport, WorkerReport
from tests.support.broker_world import APPLICATION, NAMESPACE, RUN, Object, driver_pod, job_run


def pod(version: int, uid: str = "u", node: str = "node-1", run: str = RUN) -> Object:
    made = driver_pod(run=run, node=node)
    made["metadata"] |= {"uid": uid, "resourceVersion": str(version), "name": "p"}
    return made


def waiting(run: str) -> ExecutorRequest:
    return ExecutorRequest(NAMESPACE, f"{run}-exec-1", run, "uid", 1, 0.0, "1", "spark://d", "app", "0", 1)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20))
def test_the_newest_wins_in_any_order(versions: list[int]) -> None:
    index = Index()
    for version in versions:
        index.put(Kind.POD, pod(version))
    held = index.get(Kind.POD, (NAMESPACE, "p"))
    assert held is not None
    assert held["metadata"]["resourceVersion"] == str(max(versions))


def test_versions_are_numbers_not_text() -> None:
    index = Index()
    assert index.put(Kind.POD, pod(9))
    assert index.put(Kind.POD, pod(10))


def test_an_expected_pod_gives_way_to_the_real_one_and_never_replaces_it() -> None:
    index, expected = Index(), driver_pod()
    expected["metadata"]["name"] = "p"
    assert index.put(Kind.POD, expected)
    assert index.put(Kind.POD, pod(1))
    assert not index.put(Kind.POD, expected)


def test_lookups_follow_the_pod() -> None:
    index = Index()
    index.put(Kind.POD, pod(1, node=""))
    assert index.pods_of_node("node-1") == []
    index.put(Kind.POD, pod(2, node="node-1"))
    for found in (
        index.pods_of_node("node-1"),
        index.pods_of_run((NAMESPACE, RUN)),
        index.pods_of_application((NAMESPACE, APPLICATION)),
    ):
        assert [p["metadata"]["resourceVersion"] for p in found] == ["2"]
    assert index.pod_by_uid((NAMESPACE, "p"), "u") is not None
    assert index.pod_by_uid((NAMESPACE, "p"), "other") is None


def test_a_claimed_pod_moves_to_its_run() -> None:
    index, idle = Index(), pod(1)
    del idle["metadata"]["annotations"][labels.JOB_RUN_NAME]
    index.put(Kind.POD, idle)
    assert index.pods_of_run((NAMESPACE, RUN)) == []
    index.put(Kind.POD, pod(2))
    assert len(index.pods_of_run((NAMESPACE, RUN))) == 1


def test_nothing_is_left_of_what_is_gone() -> None:
    index = Index()
    for number in range(50):
        made = pod(number + 1, uid=f"u{number}", node=f"node-{number}", run=f"run-{number}")
        index.put(Kind.POD, made)
        index.report(made, WorkerReport("started", 1.0))
        index.uploaded(made, UploadReport(True, 1.0))
        index.put(Kind.JOB_RUN, {**job_run(f"run-{number}", f"r{number}")})
        index.add_waiting(waiting(f"run-{number}"))
        index.remove(Kind.JOB_RUN, (NAMESPACE, f"run-{number}"))
    index.remove(Kind.POD, (NAMESPACE, "p"), "u49")
    groups = (index._pods_of_node, index._pods_of_run, index._pods_of_application, index._runs_of_application)
    assert not any(groups)
    assert not index.all(Kind.WAITING)
    assert not index._waiting_of_run
    assert not index.reports
    assert not index.uploads


def test_the_end_of_an_earlier_pod_is_not_that_of_its_successor() -> None:
    index = Index()
    index.put(Kind.POD, pod(1, uid="old"))
    index.put(Kind.POD, pod(2, uid="new"))
    index.remove(Kind.POD, (NAMESPACE, "p"), "old")
    assert index.pod_by_uid((NAMESPACE, "p"), "new") is not None
    expected = driver_pod()
    index.put(Kind.POD, expected)
    index.remove(Kind.POD, key_of(expected), "old")
    assert index.get(Kind.POD, key_of(expected)) is expected, "the one that is being made stays"


def test_listeners_are_told_until_they_leave() -> None:
    index, told = Index(), list[bool]()
    leave = index.subscribe(lambda change: told.append(change.gone))
    index.put(Kind.POD, pod(1))
    index.remove(Kind.POD, (NAMESPACE, "p"))
    leave()
    index.put(Kind.POD, pod(2, uid="v"))
    assert told == [False, True]
