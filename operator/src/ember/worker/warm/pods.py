"""A stand-in for the few calls that Spark makes to the pods API: its driver's pod is there, a posted executor runs."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any, ClassVar

from ember.worker.warm.loopback import LOOPBACK, Handler, Server

DRIVER = "rehearsal"
Pod = dict[str, Any]


def start(on_pod: Callable[[Pod], object]) -> Server:
    """Serve; `on_pod` hears of each executor that is asked for."""
    driver = _running({"metadata": {"name": DRIVER, "labels": {"spark-role": "driver"}}})
    return Server(type("Served", (_Pods,), {"pods": {DRIVER: driver}, "on_pod": staticmethod(on_pod)}))


def executor_part(pod: Pod) -> dict[str, Any]:
    """The executor part of an assignment, as the broker takes it out of a posted pod."""
    env = {item["name"]: item.get("value", "") for item in pod["spec"]["containers"][0]["env"]}
    options = sorted((int(name.rpartition("_")[2]), env[name]) for name in env if name.startswith("SPARK_JAVA_OPT_"))
    return {
        "driverUrl": env["SPARK_DRIVER_URL"],
        "executorId": env["SPARK_EXECUTOR_ID"],
        "cores": env["SPARK_EXECUTOR_CORES"],
        "appId": env["SPARK_APPLICATION_ID"],
        "resourceProfileId": env["SPARK_RESOURCE_PROFILE_ID"],
        "javaOptions": [value for _, value in options],
    }


class _Pods(Handler):
    pods: ClassVar[dict[str, Pod]]
    on_pod: ClassVar[Callable[[Pod], object]]

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
        pod = _running(json.loads(self.body))
        self.pods[pod["metadata"]["name"]] = pod
        type(self).on_pod(pod)
        self._reply(pod, 201)

    def _list(self, kind: str) -> None:
        wants_driver = DRIVER in self.query.get("fieldSelector", "")
        pods = self.pods.copy()
        items = [pod for name, pod in pods.items() if kind == "pods" and (name == DRIVER) == wants_driver]
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
        self.wfile.flush()
        self.close_connection = True
        self.rfile.read()


def _running(pod: Pod) -> Pod:
    """A pod as it is when it runs."""
    name = pod["metadata"]["name"]
    given = {"namespace": "default", "uid": name, "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    containers = pod.get("spec", {}).get("containers", [{"name": "spark"}])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**pod["metadata"], **given},
        "spec": {"restartPolicy": "Never", **pod.get("spec", {}), "containers": containers},
        "status": {
            "phase": "Running",
            "podIP": LOOPBACK,
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": containers[0]["name"], "ready": True, "state": {"running": {}}}],
        },
    }
