"""A stand-in for the few calls that Spark makes to the pods API; an executor that is asked for runs at once.

It knows no more than the training needs: the classes that take part are what counts, not the answers.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any, ClassVar

from stub_server import NOW, Handler, serve

DRIVER = "driver"
Pod = dict[str, Any]


def start(on_pod: Callable[[Pod], None]) -> str:
    """Serve; return the URL."""
    driver = running({"metadata": {"name": DRIVER, "labels": {"spark-role": "driver"}}})
    return serve(type("Served", (Pods,), {"pods": {DRIVER: driver}, "on_pod": staticmethod(on_pod)}))


class Pods(Handler):
    """Answers for the pods of one namespace."""

    pods: ClassVar[dict[str, Pod]]
    on_pod: ClassVar[Callable[[Pod], None]]

    def answer(self) -> None:
        """Answer /api/v1/namespaces/<namespace>/<kind>[/<name>]."""
        kind, name = self.parts[4], "/".join(self.parts[5:])
        if "watch" in self.query:
            self._watch()
        elif self.command == "POST":
            self._create()
        elif self.command == "DELETE":
            self._reply({"kind": "Status", "apiVersion": "v1", "status": "Success"})
        elif name:
            self._reply(self.pods.get(name, {"kind": "Status", "status": "Failure"}), 200 if name in self.pods else 404)
        else:
            self._list(kind)

    def _create(self) -> None:
        pod = running(json.loads(self.body))
        self.pods[pod["metadata"]["name"]] = pod
        type(self).on_pod(pod)
        self._reply(pod, 201)

    def _list(self, kind: str) -> None:
        wants_driver = DRIVER in self.query.get("fieldSelector", "")
        items = [pod for name, pod in self.pods.items() if kind == "pods" and (name == DRIVER) == wants_driver]
        self._reply({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items})

    def _reply(self, content: dict[str, Any], status: int = 200) -> None:
        self.send(status, json.dumps(content).encode(), Content_Type="application/json")

    def _watch(self) -> None:
        """Open the websocket and say nothing on it until the client goes away."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest()).decode()
        self.send_response(101)
        for name, value in ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept):
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        self.rfile.read()


def running(pod: Pod) -> Pod:
    """Return a pod as it is when it runs."""
    name = pod["metadata"]["name"]
    given = {"namespace": "default", "uid": name, "resourceVersion": "1", "creationTimestamp": NOW}
    containers = pod.get("spec", {}).get("containers", [{"name": "spark-kubernetes-driver"}])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**pod["metadata"], **given},
        "spec": {"restartPolicy": "Never", **pod.get("spec", {}), "containers": containers},
        "status": {
            "phase": "Running",
            "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": containers[0]["name"], "ready": True, "state": {"running": {}}}],
        },
    }
