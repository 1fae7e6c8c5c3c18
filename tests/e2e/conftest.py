"""All runs of the selected tests are submitted together at the start, and each test waits for its own.

A test says which runs it is about by `@submits(job_run(...))`, and gets them by the fixture `run` (or `runs`).
"""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.lock import locked
from local.paths import cache_dir
from tests.support.e2e import files
from tests.support.e2e.cluster import Cluster, installed
from tests.support.e2e.manifests import Object, application, example
from tests.support.e2e.run import Run
from tests.support.e2e.talk import Talk

APPLICATIONS = (
    # Two small runs at a time: more would only make each other late on two cores.
    application("e2e", cpu=4, memory=16),
    application("e2e-talks", cpu=8, memory=32),
    application("e2e-two", cpu=4, memory=8, disk=80),
    application("e2e-tiny", cpu=1, memory=2),
    example("application"),
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "submits(*manifests): the JobRuns that a test is about")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: "pytest.CallInfo[None]") -> Generator[None, Any, Any]:
    """Show the runs of a failed test: status, events, the end of the driver's log."""
    report = yield
    if report.failed:
        for run in _runs_in(getattr(item, "funcargs", {})):
            report.sections.append((f"JobRun {run.name}", run.describe()))
    return report


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The cluster, with every run of the session submitted."""
    try:
        kubectl = installed()
    except RuntimeError as error:
        pytest.exit(str(error), returncode=1)
    manifests = {m["metadata"]["name"]: m for item in request.session.items for m in _manifests(item)}
    cluster = Cluster(kubectl)
    # Names are fixed, so that what a failed session left can be looked at: one session at a time.
    with locked(cache_dir() / "e2e.lock", "another session of end-to-end tests"):
        cluster.forget(manifests)
        files.upload(cluster)
        with cluster:
            cluster.apply([*APPLICATIONS, *manifests.values()])
            yield cluster
        # The talks that no test has ended would wait, and hold their workers, for ten minutes more.
        cluster.forget(name for name in manifests if name.startswith("talk-"))


@pytest.fixture
def runs(request: pytest.FixtureRequest, cluster: Cluster) -> list[Run]:
    """The test's runs."""
    return [Run(cluster, manifest["metadata"]["name"]) for manifest in _manifests(request.node)]


@pytest.fixture
def run(runs: list[Run]) -> Run:
    """The test's only run."""
    (only,) = runs
    return only


@pytest.fixture
def talk(run: Run) -> Talk:
    """The test's only run, which is one of talk.py."""
    return Talk(run)


def _manifests(item: Any) -> list[Object]:
    return [manifest for mark in item.iter_markers("submits") for manifest in mark.args]


def _runs_in(arguments: dict[str, Any]) -> list[Run]:
    found = [
        value for argument in arguments.values() for value in (argument if isinstance(argument, list) else [argument])
    ]
    return [value for value in found if isinstance(value, Run)]
