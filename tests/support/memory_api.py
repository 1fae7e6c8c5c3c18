"""A Kubernetes API server in memory, behind the real client: requests, errors and retries are those of `Cluster`."""

import copy
import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from kubernetes.aio.client import Configuration

from ember.broker.selectors import matcher
from ember.kube.client import Body, Cluster
from ember.kube.index import Index, Kind
from ember.kube.retry import Retry

Object = dict[str, Any]
Fault = Callable[[str, str], tuple[int, dict[str, str], bytes] | None]
_KINDS = {"Pod": Kind.POD, "JobRun": Kind.JOB_RUN, "EMRApplication": Kind.APPLICATION}


class MemoryCluster(Cluster):
    """Objects by path. With an index, changes are told to it at once, as a watch would a little later."""

    def __init__(self, index: Index | None = None, observer: Any = None) -> None:
        configuration = Configuration(host="http://memory")
        retry = Retry(attempts=3, first_wait=0.001, longest_wait=0.01)
        super().__init__(configuration, observer or (lambda *_: None), retry)
        self.index = index
        self.objects: dict[str, Object] = {}
        self.version = 1000
        self.sent: list[tuple[str, str]] = []
        self.faults: list[Fault] = []  # asked before each request; an answer takes the request's place
        self.tokens: dict[str, Object] = {}  # what a TokenReview says of a token

    async def _send(self, method: str, url: str, body: Body, content: str) -> tuple[int, Any, bytes]:
        parts = urlsplit(url)
        path, query = unquote(parts.path), {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.sent.append((method, path))
        for fault in list(self.faults):
            broken = fault(method, path)
            if broken is not None:
                return broken
        status, answer = self._serve(method, path, query, copy.deepcopy(body), content)
        return status, {}, json.dumps(answer).encode()

    def _serve(self, method: str, path: str, query: dict[str, str], body: Any, content: str) -> tuple[int, Object]:
        if path.endswith("/tokenreviews"):
            return 201, {**body, "status": self.tokens.get(body["spec"]["token"], {"authenticated": False})}
        base, _, status = path.partition("/status")
        if method == "GET" and not _is_name(base):
            return 200, self._list(base, query)
        if method == "POST":
            return self._create(base, body)
        held = self.objects.get(base)
        if method == "PATCH" and "apply" in content and held is None and not status:
            return self._create(base.rpartition("/")[0], body)
        if held is None:
            return _failure(404, "NotFound")
        if method == "GET":
            return 200, held
        if method == "DELETE":
            return self._delete(base, held, body or {})
        return self._change(base, held, method, body, content)

    def _list(self, base: str, query: dict[str, str]) -> Object:
        matches = matcher(query.get("labelSelector", ""), query.get("fieldSelector", ""))
        root, _, plural = base.rpartition("/")
        inside = base + "/" if "/namespaces/" in base else root + "/namespaces/"
        found = [o for path, o in self.objects.items() if path.startswith(inside) and path.split("/")[-2] == plural]
        items = [obj for obj in found if matches(obj)]
        bare = [{key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in items]
        return {"metadata": {"resourceVersion": str(self.version)}, "items": copy.deepcopy(bare)}

    def _create(self, base: str, body: Object) -> tuple[int, Object]:
        path = f"{base}/{body['metadata']['name']}"
        if path in self.objects:
            return _failure(409, "AlreadyExists")
        body["metadata"].setdefault("uid", str(uuid.uuid4()))
        body["metadata"].setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        return 201, self._store(path, body)

    def _change(self, path: str, held: Object, method: str, body: Any, content: str) -> tuple[int, Object]:
        if "json-patch" in content:
            return self._replace_parts(path, held, body)
        meta = body.get("metadata", {})
        for field in ("uid", "resourceVersion"):
            if field in meta and meta[field] != held["metadata"][field]:
                return _failure(409, "Conflict")
        if method == "PUT":
            body["metadata"] = {**body["metadata"], "uid": held["metadata"]["uid"]}
            return 200, self._store(path, body)
        merged = {**held, "status": {}} if "apply" in content and "status" in body else held
        return 200, self._store(path, merge(merged, body))

    def _replace_parts(self, path: str, held: Object, patch: list[Object]) -> tuple[int, Object]:
        """A JSON patch of tests of the UID and additions at the top, which is all that is sent."""
        for step in patch:
            if step["op"] == "test" and step["value"] != held["metadata"]["uid"]:
                return 422, {"message": "the server rejected our request", "reason": "Invalid", "details": {}}
        parts = {step["path"].removeprefix("/"): step["value"] for step in patch if step["op"] == "add"}
        return 200, self._store(path, {**held, **parts})

    def _delete(self, path: str, held: Object, options: Object) -> tuple[int, Object]:
        if options.get("preconditions", {}).get("uid", held["metadata"]["uid"]) != held["metadata"]["uid"]:
            return _failure(409, "Conflict")
        del self.objects[path]
        if self.index is not None and held.get("kind") in _KINDS:
            meta = held["metadata"]
            self.index.remove(_KINDS[held["kind"]], (meta["namespace"], meta["name"]), meta["uid"])
        return 200, {"kind": "Status", "status": "Success"}

    def _store(self, path: str, obj: Object) -> Object:
        self.version += 1
        stored = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        self.objects[path] = stored
        if self.index is not None and stored.get("kind") in _KINDS:
            self.index.put(_KINDS[stored["kind"]], copy.deepcopy(stored))
        return stored

    def change(self, path: str, patch: Object) -> Object:
        """Change an object as somebody else would, a kubelet for one."""
        return self._store(path, merge(self.objects[path], patch))


def merge(target: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def _is_name(path: str) -> bool:
    return len(path.split("/namespaces/", 1)[-1].split("/")) == 3 if "/namespaces/" in path else False


def _failure(status: int, reason: str) -> tuple[int, Object]:
    return status, {"kind": "Status", "status": "Failure", "reason": reason, "message": reason, "code": status}
