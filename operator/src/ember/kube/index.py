"""The in-memory picture that every decision is made from: objects as last seen, and what workers reported.

One event loop owns it, so reading and writing need no lock. It performs no I/O: watches and the answers of our own
writes are fed into it, and an object older than the one held is ignored.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from ember.model import labels
from ember.plan.facts import ExecutorRequest, UploadReport, WorkerReport

Object = dict[str, Any]  # a Kubernetes object as decoded JSON; treated as immutable
Key = tuple[str, str]  # namespace, name

GONE_REMEMBERED = 20_000  # far more than the answers that can be under way


class Kind(StrEnum):
    """What the index holds; WAITING are executors that a driver asked for and that have no pod yet."""

    APPLICATION = "EMRApplication"
    JOB_RUN = "JobRun"
    POD = "Pod"
    WAITING = "Waiting"


@dataclass(frozen=True)
class Change:
    """One change of the picture. `object` is the new object, or the last one known when `gone`."""

    kind: Kind
    key: Key
    object: Any
    gone: bool = False


Listener = Callable[[Change], None]


def key_of(obj: Object) -> Key:
    """Namespace and name of a namespaced object."""
    meta = obj["metadata"]
    return meta["namespace"], meta["name"]


def application_of_pod(pod: Object) -> Key:
    """The application that a worker pod belongs to."""
    meta = pod["metadata"]
    return meta["namespace"], meta.get("annotations", {}).get(labels.APPLICATION_NAME, "")


def run_of_pod(pod: Object) -> Key | None:
    """The job run that a worker pod serves; None for an idle warm worker."""
    meta = pod["metadata"]
    name = meta.get("annotations", {}).get(labels.JOB_RUN_NAME)
    return (meta["namespace"], name) if name else None


def application_of_run(run: Object) -> Key:
    """The application that a job run names."""
    return run["metadata"]["namespace"], run["spec"]["applicationRef"]["name"]


class Index:
    """Objects by kind and key, with the few reverse look-ups that plans need, and a revision for long polls."""

    def __init__(self) -> None:
        self._objects: dict[Kind, dict[Key, Any]] = {kind: {} for kind in Kind}
        self._pods_of_application: dict[Key, set[Key]] = {}
        self._pods_of_run: dict[Key, set[Key]] = {}
        self._pods_of_node: dict[str, set[Key]] = {}
        self._runs_of_application: dict[Key, set[Key]] = {}
        self._waiting_of_run: dict[Key, dict[Key, ExecutorRequest]] = {}
        self._listeners: list[Listener] = []
        self._gone: OrderedDict[str, None] = OrderedDict()  # UIDs of removed objects, oldest first
        self.reports: dict[str, WorkerReport] = {}  # the latest of each pod UID
        self.uploads: dict[str, UploadReport] = {}  # by pod UID
        self.refused_cpu: dict[str, str] = {}  # by pod UID: why a claimed worker could not get its CPU
        self.revision = 0

    # ---- reading

    def get(self, kind: Kind, key: Key) -> Any | None:
        """The object last seen, or None."""
        return self._objects[kind].get(key)

    def all(self, kind: Kind) -> Iterable[Any]:
        """Every object of a kind (a copy: the caller may await)."""
        return list(self._objects[kind].values())

    def pods_of_application(self, application: Key) -> list[Object]:
        """Worker pods of an application, warm and claimed ones."""
        return self._many(Kind.POD, self._pods_of_application.get(application, ()))

    def pods_of_run(self, run: Key) -> list[Object]:
        """Driver and executor pods of a job run, of all attempts."""
        return self._many(Kind.POD, self._pods_of_run.get(run, ()))

    def pods_of_node(self, node: str) -> list[Object]:
        """Worker pods that were scheduled to a node."""
        return self._many(Kind.POD, self._pods_of_node.get(node, ()))

    def runs_of_application(self, application: Key) -> list[Object]:
        """Job runs which name the application."""
        return self._many(Kind.JOB_RUN, self._runs_of_application.get(application, ()))

    def waiting_of_run(self, run: Key) -> list[ExecutorRequest]:
        """Executors that the run's driver waits for, in the order in which they were asked for."""
        return sorted(self._waiting_of_run.get(run, {}).values(), key=lambda w: w.asked_at)

    def pod_by_uid(self, key: Key, uid: str) -> Object | None:
        """The pod of that name, if it is still the very same pod."""
        pod = self.get(Kind.POD, key)
        return pod if pod is not None and pod["metadata"].get("uid") == uid else None

    # ---- writing

    def put(self, kind: Kind, obj: Object) -> bool:
        """Take in an object from a watch or from the answer of a write; False when it is older than what is known.

        The answer of a write may arrive after the watch has told of the object's end: a UID never comes back.
        """
        key, held = key_of(obj), self._objects[kind].get(key_of(obj))
        if obj["metadata"].get("uid") in self._gone or (held is not None and not _newer(obj, held)):
            return False
        if held is not None:
            self._unlink(kind, key, held)
            if held["metadata"].get("uid") != obj["metadata"].get("uid"):
                self._bury(kind, held)
        obj["metadata"].pop("managedFields", None)
        self._objects[kind][key] = obj
        self._link(kind, key, obj)
        self._changed(Change(kind, key, obj))
        return True

    def remove(self, kind: Kind, key: Key, uid: str | None = None) -> None:
        """Forget an object; with `uid`, only that very object (not the expected pod that has no UID yet)."""
        held = self._objects[kind].get(key)
        if held is None or (uid is not None and held["metadata"].get("uid") != uid):
            return
        del self._objects[kind][key]
        self._unlink(kind, key, held)
        self._bury(kind, held)
        self._changed(Change(kind, key, held, gone=True))

    def add_waiting(self, request: ExecutorRequest) -> None:
        """Remember an executor that a driver asked for."""
        key = (request.namespace, request.pod_name)
        self._objects[Kind.WAITING][key] = request
        self._waiting_of_run.setdefault((request.namespace, request.run_name), {})[key] = request
        self._changed(Change(Kind.WAITING, key, request))

    def remove_waiting(self, key: Key) -> None:
        """The executor got its pod, or is not wanted any more."""
        request = self._objects[Kind.WAITING].pop(key, None)
        if request is not None:
            run = (request.namespace, request.run_name)
            del self._waiting_of_run[run][key]
            if not self._waiting_of_run[run]:
                del self._waiting_of_run[run]
            self._changed(Change(Kind.WAITING, key, request, gone=True))

    def report(self, pod: Object, report: WorkerReport) -> None:
        """Take in what a pod's launcher said."""
        self.reports[pod["metadata"]["uid"]] = report
        self._changed(Change(Kind.POD, key_of(pod), pod))

    def uploaded(self, pod: Object, report: UploadReport) -> None:
        """Take in what a log agent said of a pod's logs."""
        held = self.uploads.get(pod["metadata"]["uid"])
        if held is not None and report.first_task_at is None:  # said once: a later word leaves it as it was
            report = replace(report, first_task_at=held.first_task_at)
        self.uploads[pod["metadata"]["uid"]] = report
        self._changed(Change(Kind.POD, key_of(pod), pod))

    # ---- being told

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` after each change, in the caller's own turn; it must not block. Returns the way to end it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # ---- inside

    def _many(self, kind: Kind, keys: Iterable[Key]) -> list[Object]:
        held = self._objects[kind]
        return [held[key] for key in keys if key in held]

    def _groups(self, kind: Kind, obj: Object) -> Iterable[tuple[dict[Any, set[Key]], Any]]:
        """The reverse look-ups in which an object is found, and under what."""
        if kind is Kind.POD:
            yield self._pods_of_application, application_of_pod(obj)
            run, node = run_of_pod(obj), obj.get("spec", {}).get("nodeName")
            if run is not None:
                yield self._pods_of_run, run
            if node:
                yield self._pods_of_node, node
        elif kind is Kind.JOB_RUN:
            yield self._runs_of_application, application_of_run(obj)

    def _link(self, kind: Kind, key: Key, obj: Object) -> None:
        for groups, name in self._groups(kind, obj):
            groups.setdefault(name, set()).add(key)

    def _unlink(self, kind: Kind, key: Key, obj: Object) -> None:
        for groups, name in self._groups(kind, obj):
            groups[name].discard(key)
            if not groups[name]:
                del groups[name]

    def _bury(self, kind: Kind, obj: Object) -> None:
        uid = obj["metadata"].get("uid")
        if uid is None:  # it was only expected
            return
        self._gone[uid] = None
        if len(self._gone) > GONE_REMEMBERED:
            self._gone.popitem(last=False)
        if kind is Kind.POD:
            self.reports.pop(uid, None)
            self.uploads.pop(uid, None)
            self.refused_cpu.pop(uid, None)
        elif kind is Kind.JOB_RUN:  # no plan is made for it any more that would drop them
            for request in self.waiting_of_run(key_of(obj)):
                self.remove_waiting((request.namespace, request.pod_name))

    def _changed(self, change: Change) -> None:
        self.revision += 1
        for listener in list(self._listeners):
            listener(change)


def _newer(obj: Object, held: Object) -> bool:
    """Whether `obj` replaces `held`: resourceVersions are comparable numbers (KEP-5504); one being created has none."""
    ours, theirs = held["metadata"].get("resourceVersion"), obj["metadata"].get("resourceVersion")
    if ours is None:
        return True
    return theirs is not None and int(theirs) > int(ours)
