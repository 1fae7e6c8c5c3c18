"""Long polls wait for the one thing they are about: with thousands of workers, not each change may wake all of them."""

import asyncio
from collections import defaultdict
from collections.abc import Hashable

from ember.kube.index import Change, Index, Kind, key_of, run_of_pod

Topic = tuple[str, Hashable]


def pod_topic(key: tuple[str, str]) -> Topic:
    """Changes of one pod."""
    return "pod", key


def run_topic(key: tuple[str, str]) -> Topic:
    """Changes of a job run, its pods and its waiting executors."""
    return "run", key


def job_topic(key: tuple[str, str]) -> Topic:
    """Changes of a JobRun object itself: far fewer than those of its pods."""
    return "job", key


def node_topic(node: str) -> Topic:
    """Changes of the pods on a node."""
    return "node", node


def topics_of(change: Change) -> list[Topic]:
    """What a change is about."""
    if change.kind is Kind.JOB_RUN:
        return [run_topic(change.key), job_topic(change.key)]
    if change.kind is Kind.WAITING:
        return [run_topic((change.object.namespace, change.object.run_name))]
    if change.kind is not Kind.POD:
        return []
    found, run, node = [pod_topic(key_of(change.object))], run_of_pod(change.object), _node(change)
    return found + ([run_topic(run)] if run else []) + ([node_topic(node)] if node else [])


class Topics:
    """Wakes those who wait for a topic. To miss nothing, look at the index and call `wait` without an await between."""

    def __init__(self, index: Index) -> None:
        self._waiting: dict[Topic, set[asyncio.Future[None]]] = defaultdict(set)
        self.close = index.subscribe(self._changed)

    async def wait(self, topics: list[Topic], seconds: float) -> bool:
        """Wait for a change of any of the topics; False after `seconds` without one."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for topic in topics:
            self._waiting[topic].add(future)
        try:
            await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return False
        finally:
            for topic in topics:
                self._forget(topic, future)
        return True

    def wake_all(self) -> None:
        """Wake everybody, as if everything had changed."""
        for waiting in self._waiting.values():
            _wake(waiting)

    def _changed(self, change: Change) -> None:
        for topic in topics_of(change):
            _wake(self._waiting.get(topic, set()))

    def _forget(self, topic: Topic, future: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(topic)
        if waiting is not None:
            waiting.discard(future)
            if not waiting:
                del self._waiting[topic]


def _wake(waiting: set[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)


def _node(change: Change) -> str:
    return str(change.object.get("spec", {}).get("nodeName", ""))
