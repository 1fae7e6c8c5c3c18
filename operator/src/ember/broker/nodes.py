"""The channel of the log agents, one on each node: `/node/v1`. See docs/architecture.md for what is said."""

from typing import Any

from aiohttp import web

from ember.broker.context import POLL_SECONDS, Context, caller_of, json_object, waiting
from ember.broker.memory import PodMemory
from ember.broker.problems import Problem
from ember.broker.topics import node_topic
from ember.broker.views import has_ended
from ember.broker.workers import revision_of, store_credentials
from ember.kube.index import Object
from ember.plan.facts import UploadReport

_LONGEST_ERROR = 1024


class NodeChannel:
    """Routes for log agents. An agent learns of the pods of its own node only."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # Where a pod's logs go is decided once: a change of the application must not tear them apart.
        self._destinations: PodMemory[list[str]] = PodMemory(context.index)

    def routes(self) -> list[web.RouteDef]:
        """What the server adds."""
        return [
            web.get("/node/v1/pods", self.pods),
            web.post("/node/v1/uploads", self.uploads),
            web.get("/node/v1/credentials", self.credentials),
        ]

    async def pods(self, request: web.Request) -> web.Response:
        """Answer whose logs are to be read, at once when that is not what the agent knows, else after news or 30 s."""
        node, known = await self._node(request), request.query.get("known", "")
        left = self._context.deadline(POLL_SECONDS)
        with waiting(self._context, "/node/v1/pods", node):
            while True:
                pods = self._orders(node)
                revision = revision_of(pods)
                if str(revision) != known or left() <= 0:
                    return web.json_response({"revision": revision, "pods": pods})
                await self._context.topics.wait([node_topic(node)], left())

    async def uploads(self, request: web.Request) -> web.Response:
        """Take in how far a pod's logs are. A pod that is gone needs no word any more: 204 too."""
        node = await self._node(request)
        body = await json_object(request)
        uid, complete, error = body.get("uid"), body.get("complete"), body.get("error") or ""
        if not isinstance(uid, str) or not isinstance(complete, bool) or not isinstance(error, str):
            raise Problem(400, "uid, complete and error are not a text, a truth value and a text")
        instant = _instant(body)
        for pod in self._context.index.pods_of_node(node):
            if pod["metadata"].get("uid") == uid:
                report = UploadReport(complete, self._context.clock(), error[:_LONGEST_ERROR], instant)
                self._context.index.uploaded(pod, report)
        return web.Response(status=204)

    async def credentials(self, request: web.Request) -> web.Response:
        """Hand out a namespace's store credentials, as long as logs of that namespace are to be read on the node."""
        node, namespace = await self._node(request), request.query.get("namespace", "")
        if not any(pod["namespace"] == namespace for pod in self._orders(node)):
            raise Problem(403, "no logs of that namespace are to be read on this node")
        return await store_credentials(self._context, namespace)

    # ---- inside

    def _orders(self, node: str) -> list[dict[str, Any]]:
        """Pods whose logs are not complete; the others are left out: a new leader lists and is told them again."""
        index = self._context.index
        orders = []
        for pod in sorted(index.pods_of_node(node), key=lambda p: str(p["metadata"].get("uid", ""))):
            uid = pod["metadata"].get("uid", "")
            upload = index.uploads.get(uid)
            if uid and not (upload is not None and upload.complete):
                orders.append(self._order(pod, uid))
        return orders

    def _order(self, pod: Object, uid: str) -> dict[str, Any]:
        meta = pod["metadata"]
        return {
            "uid": uid,
            "namespace": meta["namespace"],
            "name": meta["name"],
            "container": pod["spec"]["containers"][0]["name"],
            "destinations": self._where(pod, uid),
            "ended": has_ended(pod, self._context.index.reports.get(uid)),
            "terminated": has_ended(pod, None),
        }

    def _where(self, pod: Object, uid: str) -> list[str]:
        known = self._destinations.get(uid)
        if known is not None:
            return known
        found = self._context.destinations_of(pod)
        return self._destinations.put(uid, found) if found else found  # a warm worker has none before its claim

    async def _node(self, request: web.Request) -> str:
        """The node of the agent that asks. Raises Problem 403 for whoever is no log agent of this release."""
        caller = await caller_of(self._context, request)
        if (caller.namespace, caller.service_account) != (self._context.release_namespace, self._context.log_agent):
            raise Problem(403, "only Ember's log agents may ask this")
        # API servers before 1.32 may not say which node a token's pod is on; only then the agent's own word counts.
        node = caller.node_name or request.headers.get("X-Ember-Node", "")
        if not node:
            raise Problem(403, "the token names no node")
        return node


def _instant(body: dict[str, Any]) -> float | None:
    """When the log showed the first task. Raises Problem 400."""
    instant = body.get("firstTaskAt")
    if instant is not None and (type(instant) not in (int, float) or not 0 < instant < 1e11):
        raise Problem(400, "firstTaskAt is no time in seconds")
    return instant
