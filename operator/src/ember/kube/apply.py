"""Every write of the operator to its own objects; the answers go into the index, so that the next plan sees them."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime

from ember.kube.client import JSON_PATCH, MERGE, STRATEGIC, Cluster
from ember.kube.errors import Conflict, Invalid, Unavailable
from ember.kube.events import EventPoster
from ember.kube.index import Index, Key, Kind, Object, key_of
from ember.kube.resources import INDEXED, PODS
from ember.model import labels

Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


class Applier:
    """Carries out what plans ask for; raises the errors of `ember.kube.errors` if a method does not say otherwise."""

    def __init__(self, cluster: Cluster, index: Index, clock: Clock = _now, instance: str = "") -> None:
        self._cluster = cluster
        self._index = index
        self._clock = clock
        self._events = EventPoster(cluster, clock, instance)

    async def apply_status(
        self, kind: Kind, namespace: str, name: str, status: Object, uid: str | None = None
    ) -> Object:
        """Write the whole status of an application or job run: of that very object, by default the one in the index.

        Raises NotFound, and Conflict if another object has the name now. A server-side apply would not notice that (it
        ignores the metadata when it writes a status), and a new run would inherit the end of its forerunner.
        """
        held = self._index.get(kind, (namespace, name))
        uid = uid or (held["metadata"]["uid"] if held is not None else None)
        test = [{"op": "test", "path": "/metadata/uid", "value": uid}] if uid else []
        patch = [*test, {"op": "add", "path": "/status", "value": status}]
        try:
            answer = await self._cluster.patch(INDEXED[kind], namespace, name, patch, "status", JSON_PATCH)
        except Invalid as error:
            # The API server does not say that it was the test which failed.
            now = await self._cluster.get(INDEXED[kind], namespace, name)
            if uid and now["metadata"]["uid"] != uid:
                raise Conflict(f"{kind} {name!r} is another object now", status=409, reason="Conflict") from error
            raise
        self._index.put(kind, answer)
        return answer

    async def create_pod(self, pod: Object) -> Object:
        """Create a worker pod; it counts in the index before the request leaves.

        A pod of that name with the same owner is the success of an earlier try. When nobody knows whether the pod came
        into being (Unavailable with `maybe_done`), it stays counted until `Resync` settles it: capacity is rather
        counted twice than not at all.
        """
        expected = self._expected(pod)
        self._index.put(Kind.POD, expected)
        try:
            created = await self._cluster.create_owned(PODS, pod)
        except BaseException as error:
            if not (isinstance(error, Unavailable) and error.maybe_done):
                self._forget(expected)
            raise
        self._index.put(Kind.POD, created)
        return created

    async def delete_pod(self, namespace: str, name: str, uid: str, grace: int | None = None) -> bool:
        """Delete that very pod. False when it is gone already; the index then forgets it."""
        answer = await self._cluster.delete(PODS, namespace, name, uid, grace)
        if answer is None:
            self._index.remove(Kind.POD, (namespace, name), uid)
            return False
        if answer.get("kind") == PODS.kind:
            self._index.put(Kind.POD, answer)
        return True

    async def annotate_pod(
        self,
        namespace: str,
        name: str,
        annotations: dict[str, str | None] | None = None,
        *,
        pod_labels: dict[str, str | None] | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        owners: list[Object] | None = None,
    ) -> Object:
        """Set (or with None remove) annotations, labels and owners of a pod.

        With `uid`: Conflict or NotFound if the name is another pod's now. With `resource_version`: a compare-and-swap,
        of two claims of a warm pod one meets Conflict.
        """
        wanted = {
            "annotations": annotations,
            "labels": pod_labels,
            "uid": uid,
            "resourceVersion": resource_version,
            "ownerReferences": owners,
        }
        meta = {field: value for field, value in wanted.items() if value is not None}
        answer = await self._cluster.patch(PODS, namespace, name, {"metadata": meta}, content=MERGE)
        self._index.put(Kind.POD, answer)
        return answer

    async def claim_pod(
        self,
        namespace: str,
        name: str,
        *,
        annotations: dict[str, str | None],
        pod_labels: dict[str, str | None],
        owner: Object,
        uid: str,
        resource_version: str,
    ) -> Object:
        """Give a pod to another owner, if nobody changed it meanwhile: of two claims one meets Conflict.

        A claim whose answer was lost meets Conflict when it is repeated: then the pod itself tells whose it is.
        """
        try:
            return await self.annotate_pod(
                namespace,
                name,
                annotations,
                pod_labels=pod_labels,
                uid=uid,
                resource_version=resource_version,
                owners=[owner],
            )
        except (Conflict, Unavailable):
            held = await self._cluster.get(PODS, namespace, name)
            self._index.put(Kind.POD, held)
            meta = held["metadata"]
            same = all(meta["labels"].get(label) == value for label, value in pod_labels.items())
            if meta["uid"] == uid and same and [o["uid"] for o in meta.get("ownerReferences", [])] == [owner["uid"]]:
                return held
            raise

    async def stop_pod(self, namespace: str, name: str, uid: str, reason: str) -> None:
        """Tell a worker's launcher to end it; the logs follow, then the handlers delete the pod."""
        notes: dict[str, str | None] = {labels.STOP: reason, labels.STOPPED_AT: self._clock().isoformat()}
        await self.annotate_pod(namespace, name, notes, uid=uid)

    async def resize_pod(self, namespace: str, name: str, resources: dict[str, Object]) -> Object:
        """Change the requests and limits of running containers in place; `resources` by container name."""
        containers = [{"name": container, "resources": wanted} for container, wanted in resources.items()]
        body = {"spec": {"containers": containers}}
        answer = await self._cluster.patch(PODS, namespace, name, body, "resize", STRATEGIC)
        self._index.put(Kind.POD, answer)
        return answer

    async def post_event(self, obj: Object, event_type: str, reason: str, message: str) -> None:
        """Tell people by a Kubernetes Event; never raises, for an Event is no one's duty."""
        await self._events.post(obj, event_type, reason, message)

    # ---- inside

    def _expected(self, pod: Object) -> Object:
        """The pod as it will be, without resourceVersion and UID: whatever the API server says of it is newer."""
        expected = copy.deepcopy(pod)
        for field in ("resourceVersion", "uid"):
            expected["metadata"].pop(field, None)
        expected["metadata"].setdefault("creationTimestamp", self._clock().strftime("%Y-%m-%dT%H:%M:%SZ"))
        expected.setdefault("status", {"phase": "Pending"})
        return expected

    def _forget(self, expected: Object) -> None:
        key: Key = key_of(expected)
        # Not by UID: the watch may have brought a real pod of that name meanwhile, which must stay.
        if self._index.get(Kind.POD, key) is expected:
            self._index.remove(Kind.POD, key)
