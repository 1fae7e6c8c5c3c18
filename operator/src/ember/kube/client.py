"""Requests to the API server, as plain JSON objects.

kubernetes.aio gives configuration, authentication and TLS; its models and its retries are not used: the models cost
more CPU than the requests, and retries belong in one place (`retry.py`).
"""

import json
import os
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from ember.kube.errors import AlreadyExists, ApiError, Conflict, Gone, NotFound, NotLeader, Unavailable, from_answer
from ember.kube.index import Object
from ember.kube.resources import LEASES, TOKEN_REVIEWS, Resource
from ember.kube.retry import Retry
from ember.model import labels

CONNECTIONS = 64
PAGE = 500
TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"

# Written by those who do not lead (yet): the lease itself, and questions that change nothing.
UNFENCED = (LEASES, TOKEN_REVIEWS)

Body = Object | list[Object] | None
Observer = Callable[[str, str, str, float], None]  # verb, resource, HTTP status or "error", seconds


def _unobserved(verb: str, resource: str, code: str, seconds: float) -> None:
    """Take the place of an observer where nobody counts."""


async def load_configuration() -> Configuration:
    """Read KUBECONFIG if it is set, else the pod's own service account, else ~/.kube/config.

    Raises kubernetes.aio.config.ConfigException when none of them can be read.
    """
    configuration = Configuration()
    if not os.environ.get("KUBECONFIG") and os.environ.get("KUBERNETES_SERVICE_HOST"):
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        path = os.environ.get("KUBECONFIG")
        await config.load_kube_config(path, client_configuration=configuration)  # type: ignore[no-untyped-call]
    configuration.connection_pool_maxsize = CONNECTIONS
    configuration.retries = None
    return configuration


class Cluster:
    """The API server. Every method raises a subclass of ApiError; Unavailable only after bounded retries."""

    def __init__(
        self, configuration: Configuration, observer: Observer = _unobserved, retry: Retry | None = None
    ) -> None:
        self.fence: Callable[[], bool] | None = None  # asked before each write: may this process still act?
        self._configuration = configuration
        self._rest = RESTClientObject(configuration)
        self._observer = observer
        self._retry = retry or Retry()

    @classmethod
    async def connect(cls, observer: Observer = _unobserved) -> "Cluster":
        """A client for the cluster that the environment names; nothing is sent yet."""
        return cls(await load_configuration(), observer)

    async def close(self) -> None:
        """Close all connections."""
        await self._rest.close()

    # ---- reading

    async def get(self, resource: Resource, namespace: str | None, name: str, retry: Retry | None = None) -> Object:
        """One object. Raises NotFound."""
        return await self._ask("GET", resource, resource.path(namespace, name), retry=retry)

    async def list_all(
        self, resource: Resource, namespace: str | None = None, label_selector: str = "", field_selector: str = ""
    ) -> list[Object]:
        """Every object of a kind, tagged with its kind."""
        return (await self.list_at(resource, namespace, label_selector, field_selector))[0]

    async def list_at(
        self, resource: Resource, namespace: str | None = None, label_selector: str = "", field_selector: str = ""
    ) -> tuple[list[Object], int]:
        """Every object of a kind, and the resourceVersion of that picture; starts over once when a page has expired."""
        try:
            return await self._pages(resource, namespace, label_selector, field_selector)
        except Gone:
            return await self._pages(resource, namespace, label_selector, field_selector)

    async def _pages(
        self, resource: Resource, namespace: str | None, label_selector: str, field_selector: str
    ) -> tuple[list[Object], int]:
        query = {"limit": str(PAGE), "labelSelector": label_selector, "fieldSelector": field_selector}
        found: list[Object] = []
        while True:
            answer = await self._ask("GET", resource, resource.path(namespace), query, verb="LIST")
            # Objects in a list carry neither field; everything downstream expects them.
            found += [{"apiVersion": resource.api_version, "kind": resource.kind, **item} for item in answer["items"]]
            query["continue"] = answer["metadata"].get("continue", "")
            if not query["continue"]:
                return found, int(answer["metadata"]["resourceVersion"])

    # ---- writing

    async def create(
        self, resource: Resource, obj: Object, subresource: str = "", retry: Retry | None = None
    ) -> Object:
        """Create an object that brings its name. Raises AlreadyExists, also when an earlier, lost answer was a success.

        With `subresource` the object's own name is the parent (`serviceaccounts/x/token`).
        """
        meta = obj.get("metadata", {})
        path = resource.path(meta.get("namespace"), meta["name"] if subresource else "", subresource)
        return await self._ask("POST", resource, path, body=obj, retry=retry)

    async def create_owned(self, resource: Resource, obj: Object) -> Object:
        """Create an object with a deterministic name; one that exists with the same owner UID is a repeat's success."""
        try:
            return await self.create(resource, obj)
        except AlreadyExists:
            meta = obj["metadata"]
            held = await self.get(resource, meta["namespace"], meta["name"])
            if _owners(obj) and _owners(obj) == _owners(held) and not held["metadata"].get("deletionTimestamp"):
                return held
            raise

    async def apply(self, resource: Resource, obj: Object, subresource: str = "") -> Object:
        """Server-side apply as the operator, taking over fields from others: what is not in `obj` is no longer ours."""
        meta = obj["metadata"]
        query = {"fieldManager": labels.FIELD_MANAGER, "force": "true"}
        path = resource.path(meta.get("namespace"), meta["name"], subresource)
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        return await self._ask("PATCH", resource, path, query, body, APPLY, verb="APPLY")

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Object | list[Object],
        subresource: str = "",
        content: str = MERGE,
    ) -> Object:
        """Patch by merge (or another kind). With uid or resourceVersion in its metadata: Conflict if it is another.

        With a resourceVersion, a repeat after a lost answer ends in Conflict although the first try was a success.
        """
        query = {"fieldManager": labels.FIELD_MANAGER}
        return await self._ask("PATCH", resource, resource.path(namespace, name, subresource), query, body, content)

    async def replace(self, resource: Resource, obj: Object, retry: Retry | None = None) -> Object:
        """Put the whole object; with a resourceVersion: Conflict if it changed meanwhile."""
        meta = obj["metadata"]
        return await self._ask(
            "PUT", resource, resource.path(meta.get("namespace"), meta["name"]), body=obj, retry=retry
        )

    async def delete(
        self, resource: Resource, namespace: str | None, name: str, uid: str | None = None, grace: int | None = None
    ) -> Object | None:
        """Delete, with `uid` only that very object. None when it is gone already or another one holds the name."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            return await self._ask("DELETE", resource, resource.path(namespace, name), body=options)
        except NotFound:
            return None
        except Conflict:
            if uid is None:
                raise
            return None

    # ---- inside

    async def _ask(
        self,
        method: str,
        resource: Resource,
        path: str,
        query: dict[str, str] | None = None,
        body: Body = None,
        content: str = "application/json",
        verb: str = "",
        retry: Retry | None = None,
    ) -> Object:
        url = self._configuration.host + path
        chosen = {name: value for name, value in (query or {}).items() if value}
        if chosen:
            url += "?" + urlencode(chosen)

        async def once() -> Object:
            if self.fence is not None and method != "GET" and resource not in UNFENCED and not self.fence():
                raise NotLeader(f"{method} {path}: this process does not lead any more")
            return await self._once(method, url, body, content, verb or method, resource.plural)

        return await (retry or self._retry).run(once)

    async def _once(self, method: str, url: str, body: Body, content: str, verb: str, resource: str) -> Object:
        started, code = time.monotonic(), "error"
        try:
            status, headers, raw = await self._send(method, url, body, content)
            code = str(status)
            if status >= 400:
                raise from_answer(status, headers, raw)
            return _decoded(raw)
        finally:
            self._observer(verb, resource, code, time.monotonic() - started)

    async def _send(self, method: str, url: str, body: Body, content: str) -> tuple[int, Any, bytes]:
        headers = {"Content-Type": content, "Accept": "application/json", "User-Agent": "ember"}
        key = await self._configuration.get_api_key_with_prefix("BearerToken")
        if key:
            headers["Authorization"] = key
        try:
            answer = await self._rest.request(  # type: ignore[no-untyped-call]
                method, url, headers=headers, body=body, _request_timeout=TIMEOUT
            )
            return answer.status, answer.headers, await answer.read()
        except aiohttp.ClientConnectorError as error:  # never connected, so nothing was done
            raise Unavailable(str(error), maybe_done=False) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}", maybe_done=True) from error


def _decoded(raw: bytes) -> Object:
    try:
        decoded = json.loads(raw)
    except ValueError as error:
        raise ApiError(f"no JSON in the answer: {raw[:200]!r}") from error
    if not isinstance(decoded, dict):
        raise ApiError("no object in the answer")
    return decoded


def _owners(obj: Object) -> set[str]:
    return {owner["uid"] for owner in obj["metadata"].get("ownerReferences", [])}
