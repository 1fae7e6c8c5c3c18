"""A list of our own beside kopf's watches.

After a watch has expired, kopf lists again but never reports the objects that vanished meanwhile; and a pod whose
creation ended in a lost answer is counted until somebody looks. Both are settled here.
"""

from datetime import datetime

from ember.kube.client import Cluster
from ember.kube.index import Index, Key, Kind, Object, key_of
from ember.kube.resources import INDEXED
from ember.model import labels

# A create whose answer was lost is not carried out later than the API server's own time limit, 60 s.
UNSETTLED_SECONDS = 90.0


class Resync:
    """Compares the index with the cluster, for all namespaces or the given ones."""

    def __init__(self, cluster: Cluster, index: Index, namespaces: list[str] | None = None) -> None:
        self._cluster = cluster
        self._index = index
        self._namespaces: list[str | None] = list(namespaces) if namespaces else [None]

    async def run(self, now: datetime) -> list[Key]:
        """Look at each kind once; returns the keys of what was lost. `now` judges creations without an answer."""
        lost: list[Key] = []
        for kind in INDEXED:
            for namespace in self._namespaces:
                lost += await self.run_kind(kind, namespace, now)
        return lost

    async def run_kind(self, kind: Kind, namespace: str | None, now: datetime) -> list[Key]:
        """Take in all objects of one kind and forget those that the list shows to be gone."""
        selector = f"{labels.MANAGED_BY}={labels.MANAGED_BY_EMBER}" if kind is Kind.POD else ""
        items, version = await self._cluster.list_at(INDEXED[kind], namespace, selector)
        there = {key_of(item) for item in items}
        for item in items:
            self._index.put(kind, item)
        lost = []
        for held in self._index.all(kind):
            key = key_of(held)
            if key not in there and namespace in (None, key[0]) and _surely_gone(held, version, now):
                self._index.remove(kind, key)
                lost.append(key)
        return lost


def _surely_gone(held: Object, version: int, now: datetime) -> bool:
    """Not in a list of that version, and not created after it."""
    meta = held["metadata"]
    if meta.get("resourceVersion") is not None:
        return int(meta["resourceVersion"]) <= version
    created = datetime.fromisoformat(meta["creationTimestamp"])
    return (now - created).total_seconds() > UNSETTLED_SECONDS
