"""Kubernetes Events for people: few, and repeats update the one that is there instead of adding another."""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

from ember.kube.client import Cluster
from ember.kube.errors import AlreadyExists, ApiError
from ember.kube.index import Object
from ember.kube.resources import EVENTS
from ember.kube.retry import ONCE
from ember.model import labels

log = logging.getLogger(__name__)

QUIET_SECONDS = 10.0  # the same words about the same object are posted once in this time
REMEMBERED = 5000
LONGEST_MESSAGE = 1024  # the API server's limit


class EventPoster:
    """Posts core/v1 Events. The name follows from object, type and reason, so that a repeat meets its forerunner."""

    def __init__(self, cluster: Cluster, clock: Callable[[], datetime], instance: str) -> None:
        self._cluster = cluster
        self._clock = clock
        self._instance = instance
        self._said: OrderedDict[tuple[str, str], datetime] = OrderedDict()

    async def post(self, obj: Object, event_type: str, reason: str, message: str) -> None:
        """Post once without retries; failures are logged only."""
        name, now = event_name(obj, event_type, reason), self._clock()
        if self._just_said(name, message, now):
            return
        body = self._body(obj, name, event_type, reason, message[:LONGEST_MESSAGE], now)
        try:
            try:
                await self._cluster.create(EVENTS, body, retry=ONCE)
            except AlreadyExists:
                await self._again(body)
        except ApiError as error:
            log.warning("an Event could not be posted", extra={"reason": reason, "error": str(error)})

    async def _again(self, body: Object) -> None:
        meta = body["metadata"]
        held = await self._cluster.get(EVENTS, meta["namespace"], meta["name"], retry=ONCE)
        news = {
            "count": int(held.get("count") or 1) + 1,
            "lastTimestamp": body["lastTimestamp"],
            "message": body["message"],
        }
        await self._cluster.patch(EVENTS, meta["namespace"], meta["name"], news)

    def _just_said(self, name: str, message: str, now: datetime) -> bool:
        said = self._said.get((name, message))
        if said is not None and (now - said).total_seconds() < QUIET_SECONDS:
            return True
        self._said[(name, message)] = now
        self._said.move_to_end((name, message))
        while len(self._said) > REMEMBERED:
            self._said.popitem(last=False)
        return False

    def _body(self, obj: Object, name: str, event_type: str, reason: str, message: str, now: datetime) -> Object:
        meta, at = obj["metadata"], now.strftime("%Y-%m-%dT%H:%M:%SZ")
        involved = {field: meta[field] for field in ("namespace", "name", "uid", "resourceVersion") if meta.get(field)}
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"namespace": meta["namespace"], "name": name},
            "involvedObject": {"apiVersion": obj["apiVersion"], "kind": obj["kind"], **involved},
            "type": event_type,
            "reason": reason,
            "message": message,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
            "source": {"component": labels.FIELD_MANAGER},
            "reportingComponent": labels.FIELD_MANAGER,
            "reportingInstance": self._instance,
        }


def event_name(obj: Object, event_type: str, reason: str) -> str:
    """The name of the one Event that says this of this object."""
    meta = obj["metadata"]
    digest = hashlib.sha256("\n".join((meta.get("uid", ""), event_type, reason)).encode()).hexdigest()[:16]
    return f"{meta['name'][:200].rstrip('-.')}.{digest}"
