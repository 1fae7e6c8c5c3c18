"""What is remembered of a pod for as long as it is there, and how many requests one asker may have open."""

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from ember.broker.problems import Problem
from ember.kube.index import Change, Index, Kind

T = TypeVar("T")


class PodMemory(Generic[T]):
    """A value by pod UID, forgotten with the pod."""

    def __init__(self, index: Index) -> None:
        self._values: dict[str, T] = {}
        index.subscribe(self._changed)

    def get(self, uid: str) -> T | None:
        """The value of a pod, if there is one."""
        return self._values.get(uid)

    def put(self, uid: str, value: T) -> T:
        """Remember a value of a pod that is in the index."""
        self._values[uid] = value
        return value

    def _changed(self, change: Change) -> None:
        if change.kind is Kind.POD and change.gone:
            self._values.pop(change.object["metadata"].get("uid", ""), None)


class Slots:
    """Requests that stay open cost memory, and whoever asks may be a tenant's code: each has a few."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._open: Counter[Hashable] = Counter()

    @contextmanager
    def taken(self, who: Hashable) -> Iterator[None]:
        """Hold a slot. Raises Problem 429 when all of them are taken."""
        if self._open[who] >= self._each:
            raise Problem(429, f"{self._each} such requests are open already")
        self._open[who] += 1
        try:
            yield
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]
