"""A watch that outlives the server's answers."""

import uuid

import pytest

from local.kubectl import Kubectl
from local.provider import current
from local.watch import Watch
from tests.support.api_server import ApiServer

pytestmark = pytest.mark.cluster

PATH = "/api/v1/namespaces/default/configmaps"


def test_nothing_is_missed_when_the_server_ends_an_answer() -> None:
    api = ApiServer.of_the_local_cluster()
    names = [f"watched-{uuid.uuid4().hex[:8]}" for _ in range(3)]
    with Watch(Kubectl(current().kubeconfig), PATH, lasts=1) as watch:
        for name in names:
            _goes_on(watch)
            api.ask("POST", PATH, {"metadata": {"name": name}})
            api.ask("DELETE", f"{PATH}/{name}")
        watch.until(lambda: len(_seen(watch, names)) == 6, 30, "not all changes were seen")
    assert _seen(watch, names) == [(kind, name) for name in names for kind in ("ADDED", "DELETED")]


def _goes_on(watch: Watch) -> None:
    before = watch.answers
    watch.until(lambda: watch.answers > before, 30, "the server does not end its answer")


def _seen(watch: Watch, names: list[str]) -> list[tuple[str, str]]:
    return [(event.kind, event.name) for event in watch.history if event.name in names]
