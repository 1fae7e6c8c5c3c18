"""As much of the Kubernetes pods API as Spark's driver needs, for one executor, on the fake broker's address."""

import base64
import hashlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

_WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass
class PodsApi:
    """Knows the driver's pod and remembers the executors that were asked for.

    The first `away` requests find nobody, as when the broker changes its leader. `looked` counts looks at the driver.
    """

    driver: str = "pod-1"
    posted: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    away: int = 0
    looked: int = 0

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if self.away > 0:
            self.away -= 1
            return 503, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 503}
        route, _, query = path.partition("?")
        kind = route.split("/")[5]
        if method == "POST" and kind == "pods":
            self.posted.append(body)
            return 201, _running(body)
        if method == "GET" and route.endswith(f"/pods/{self.driver}"):
            self.looked += 1
            return 200, self._driver()
        if method == "GET" and len(route.split("/")) == 6:
            items = [self._driver()] if self.driver in query else []
            return 200, {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}
        return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}

    def watch(self, handler: BaseHTTPRequestHandler) -> None:
        """Open the websocket and say nothing: executors make themselves known to the driver directly."""
        key = handler.headers["Sec-WebSocket-Key"] + _WEBSOCKET
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()  # noqa: S324 - the protocol's
        lines = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")
        handler.wfile.write("\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept}", "", ""]).encode())
        handler.close_connection = True
        while handler.rfile.read(1):
            pass

    def _driver(self) -> dict[str, Any]:
        return _running({"metadata": {"name": self.driver, "labels": {"spark-role": "driver"}}})


def executor_part(pod: dict[str, Any]) -> dict[str, Any]:
    """The executor part of an assignment, out of the pod that Spark posted (as ember.plan.executor does it)."""
    container = next(c for c in pod["spec"]["containers"] if c["name"] == "spark-kubernetes-executor")
    env = {item["name"]: item.get("value", "") for item in container["env"]}
    options = sorted((int(name.rsplit("_", 1)[1]), env[name]) for name in env if name.startswith("SPARK_JAVA_OPT_"))
    return {
        "driverUrl": env["SPARK_DRIVER_URL"],
        "executorId": env["SPARK_EXECUTOR_ID"],
        "cores": int(env["SPARK_EXECUTOR_CORES"]),
        "appId": env["SPARK_APPLICATION_ID"],
        "resourceProfileId": env["SPARK_RESOURCE_PROFILE_ID"],
        "javaOptions": [value for _, value in options],
        "decommission": "preStop" in (container.get("lifecycle") or {}),
    }


def _running(pod: dict[str, Any]) -> dict[str, Any]:
    metadata = {"namespace": "ns", "uid": "u", "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    status = {"phase": "Running", "podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
    spec = pod.get("spec", {"containers": [{"name": "spark", "image": "x"}]})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata | pod["metadata"], "spec": spec, "status": status}
