"""kopf: its watches feed the index, and nothing else. Why it is used like this: docs/designs/0002-kopf.md."""

import asyncio
import copy
import logging
from collections.abc import Callable
from typing import Any

import kopf

from ember.kube.index import Index, Kind
from ember.model import labels

log = logging.getLogger(__name__)

# Only kopf's peering needs it; without one, kopf asks for the name of the user, which a container's user may not have.
_UNUSED: Any = "ember"


class _NoDiffBase(kopf.DiffBaseStorage):
    """kopf would copy each specification into an annotation, to find differences that nobody asks for."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: Any) -> None:
        return None

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        return None


class _NoProgress(kopf.ProgressStorage):
    """Handlers that only take in events have no progress to keep."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None

    def purge(self, **_: Any) -> None:
        return None

    def touch(self, **_: Any) -> None:
        return None

    def clear(self, *, essence: Any) -> Any:
        return essence


async def watch(index: Index, namespaces: list[str], begun: Callable[[], None]) -> None:
    """Feed the index until cancelled. Ends by an exception when a watch is broken for good: let the process restart.

    `begun` is called once kopf has taken the process's signals, so that they can be taken back.
    """
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_when(ready, begun))
        await kopf.operator(
            registry=_registry(index),
            settings=_settings(),
            namespaces=namespaces,
            clusterwide=False,
            standalone=True,  # our own Lease decides who leads
            identity=_UNUSED,
            ready_flag=ready,
        )


async def _when(event: asyncio.Event, do: Callable[[], None]) -> None:
    await event.wait()
    do()


def _registry(index: Index) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    kinds = {
        Kind.APPLICATION: (labels.GROUP, labels.VERSION, "emrapplications"),
        Kind.JOB_RUN: (labels.GROUP, labels.VERSION, "jobruns"),
    }
    for kind, resource in kinds.items():
        kopf.on.event(*resource, registry=registry, id=kind.value)(_feeder(index, kind))
    ours = {labels.MANAGED_BY: labels.MANAGED_BY_EMBER}
    kopf.on.event("v1", "pods", labels=ours, registry=registry, id=Kind.POD.value)(_feeder(index, Kind.POD))
    return registry


def _feeder(index: Index, kind: Kind) -> Any:
    async def feed(event: kopf.RawEvent, **_: Any) -> None:
        obj: Any = copy.copy(dict(event["object"]))
        obj["metadata"] = dict(obj["metadata"])
        if event["type"] == "DELETED":
            index.remove(kind, (obj["metadata"]["namespace"], obj["metadata"]["name"]), obj["metadata"]["uid"])
        else:
            index.put(kind, obj)

    return feed


def _login(**kwargs: Any) -> Any:
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


def _settings() -> kopf.OperatorSettings:
    logging.getLogger("kopf").setLevel(logging.WARNING)  # it reports each event, twice
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.scanning.disabled = True
    settings.queueing.worker_limit = None
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.persistence.progress_storage = _NoProgress()
    return settings
