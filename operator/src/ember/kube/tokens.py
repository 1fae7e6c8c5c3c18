"""Who holds a ServiceAccount token: asked of the API server, remembered for a short time. Tokens are never logged."""

import asyncio
import base64
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from ember.kube.client import Cluster
from ember.kube.index import Object
from ember.kube.resources import TOKEN_REVIEWS
from ember.model import labels

GOOD_SECONDS = 60.0
BAD_SECONDS = 5.0
REMEMBERED = 20_000
LONGEST_TOKEN = 8192

_EXTRA = "authentication.kubernetes.io/"
_USER = "system:serviceaccount:"


@dataclass(frozen=True)
class Caller:
    """Who holds a token. The pod is empty if the token is bound to none; old API servers do not name the node."""

    namespace: str
    service_account: str
    pod_name: str
    pod_uid: str
    node_name: str


@dataclass(frozen=True)
class _Known:
    caller: Caller | None
    until: float  # monotonic


class TokenReviewer:
    """Reviews tokens for one audience; the same token is reviewed once at a time."""

    def __init__(
        self,
        cluster: Cluster,
        audience: str = labels.BROKER_AUDIENCE,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._audience = audience
        self._monotonic = monotonic
        self._wall = wall
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Caller | None]] = {}

    async def review(self, token: str) -> Caller | None:
        """Who holds the token; None when it is no good one for the audience. Raises Unavailable if nobody can tell."""
        if len(token) > LONGEST_TOKEN or token.count(".") != 2:  # not even shaped like one: spare the API server
            return None
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and self._monotonic() < known.until:
            return known.caller
        asking = self._asking.get(digest)
        if asking is None:
            asking = self._asking[digest] = asyncio.create_task(self._ask(token, digest))
            asking.add_done_callback(lambda _: self._asking.pop(digest, None))
        return await asyncio.shield(asking)  # a caller that goes away must not end the question of the others

    async def _ask(self, token: str, digest: bytes) -> Caller | None:
        body = {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.kind,
            "metadata": {},
            "spec": {"token": token, "audiences": [self._audience]},
        }
        answer = await self._cluster.create(TOKEN_REVIEWS, body)
        caller = caller_of(answer.get("status", {}), self._audience)
        seconds = BAD_SECONDS if caller is None else min(GOOD_SECONDS, _expiry(token) - self._wall())
        self._known[digest] = _Known(caller, self._monotonic() + seconds)
        self._known.move_to_end(digest)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return caller


def caller_of(status: Object, audience: str) -> Caller | None:
    """Read a TokenReview's status; None for anything but a ServiceAccount authenticated for our audience."""
    user = status.get("user", {})
    name = user.get("username", "")
    # An API server that ignores audiences answers without them: then the token may be meant for someone else.
    if not status.get("authenticated") or audience not in status.get("audiences", ()) or not name.startswith(_USER):
        return None
    namespace, _, account = name.removeprefix(_USER).partition(":")
    extra = user.get("extra", {})

    def one(field: str) -> str:
        return next(iter(extra.get(_EXTRA + field, ())), "")

    return Caller(namespace, account, one("pod-name"), one("pod-uid"), one("node-name"))


def _expiry(token: str) -> float:
    """The time in the token's own words; only asked once the API server has checked its signature."""
    payload = token.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"])
    except (ValueError, KeyError, TypeError):
        return 0.0
