"""Follow objects of the cluster as they change: nothing is polled, nothing is missed."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self, TypeVar

from local.errors import LocalError
from local.kubectl import Kubectl, Object, program

T = TypeVar("T")


@dataclass(frozen=True)
class Event:
    """One change: ADDED, MODIFIED or DELETED, and the object as it is since, or was at last."""

    kind: str
    object: Object
    at: float
    """When it was seen, on the monotonic clock."""
    wall: float
    """The same in epoch seconds, to compare it with what others have written."""

    @property
    def name(self) -> str:
        """Name of the object."""
        return str(self.object["metadata"]["name"])


class Watch:
    """All changes of the objects at one path of the API, from its start on; a context manager."""

    def __init__(self, cluster: Kubectl, path: str, lasts: int = 0) -> None:
        """`lasts`: seconds after which the server shall end each answer; 0: when it likes, half an hour or more."""
        self._cluster, self._path, self._lasts = cluster, path, lasts
        self.answers = 0
        """How many answers of the server it has followed, each until its end but the last."""
        self.history: list[Event] = []
        self.current: dict[str, Object] = {}
        self._changed = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False

    def __enter__(self) -> Self:
        found = json.loads(self._cluster.run("get", "--raw", self._path))
        for item in found["items"]:
            self._take("ADDED", item)
        self._thread = threading.Thread(target=self._read, args=(found["metadata"]["resourceVersion"],), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopped = True
            if self._process is not None:
                self._process.kill()
        if self._thread is not None:
            self._thread.join()

    def until(self, check: Callable[[], T | None], seconds: float, what: str) -> T:
        """Return what the check returns as soon as it returns something; it is asked after every change."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                if found := check():
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"{what}: not within {seconds:.0f} s")
                self._alive()
                # Bounded, so that the end of the watch itself is noticed too.
                self._changed.wait(min(left, 5.0))

    def follow(self, seconds: float) -> Iterator[Event]:
        """Yield the changes one after the other, those before the call included, for so long."""
        deadline = time.monotonic() + seconds
        position = 0
        while time.monotonic() < deadline:
            with self._changed:
                if position == len(self.history):
                    self._alive()
                    self._changed.wait(min(max(0.0, deadline - time.monotonic()), 5.0))
                fresh = self.history[position:]
            yield from fresh
            position += len(fresh)

    def _read(self, version: str) -> None:
        """Take the changes since this version. The server ends each watch after a while: then go on in a new one."""
        while (process := self._start(version)) is not None:
            assert process.stdout is not None
            for line in process.stdout:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    process.kill()
                    break
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._take(event["type"], event["object"])
            if process.wait() != 0:
                return

    def _start(self, version: str) -> "subprocess.Popen[str] | None":
        path = f"{self._path}?watch=true&allowWatchBookmarks=true&resourceVersion={version}"
        if self._lasts:
            path += f"&timeoutSeconds={self._lasts}"
        with self._changed:
            if self._stopped:
                return None
            self._process = subprocess.Popen(
                [program("kubectl"), "get", "--raw", path],
                env=self._cluster.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self.answers += 1
            self._changed.notify_all()
            return self._process

    def _take(self, kind: str, item: Object) -> None:
        with self._changed:
            name = item["metadata"]["name"]
            if kind == "DELETED":
                self.current.pop(name, None)
            else:
                self.current[name] = item
            self.history.append(Event(kind, item, time.monotonic(), time.time()))
            self._changed.notify_all()

    def _alive(self) -> None:
        if self._thread is not None and not self._thread.is_alive() and not self._stopped:
            raise LocalError(f"The watch of {self._path} has ended.")


def runs_path(namespace: str) -> str:
    """Return the path of a namespace's JobRuns."""
    return f"/apis/ember-spark.io/v1alpha1/namespaces/{namespace}/jobruns"


def applications_path(namespace: str) -> str:
    """Return the path of a namespace's EMRApplications."""
    return f"/apis/ember-spark.io/v1alpha1/namespaces/{namespace}/emrapplications"


def pods_path(namespace: str) -> str:
    """Return the path of a namespace's pods."""
    return f"/api/v1/namespaces/{namespace}/pods"
