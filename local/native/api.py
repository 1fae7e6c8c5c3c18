"""Ask the API server, without the weight of a kubectl process: readiness is asked for many times a second."""

import http.client
import json
import ssl
from typing import Any

from local.native.layout import API_PORT, NAME, NODE_ADDRESS, Layout


class Api:
    """The API server as the administrator sees it."""

    def __init__(self, layout: Layout) -> None:
        self._pki = layout.pki

    def ready(self) -> bool:
        """Return whether the API server serves."""
        return self._get("/readyz") == b"ok"

    def node_ready(self) -> bool:
        """Return whether the node takes pods."""
        conditions = self._object(f"/api/v1/nodes/{NAME}").get("status", {}).get("conditions", [])
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)

    def dns_ready(self) -> bool:
        """Return whether the cluster's DNS answers."""
        deployment = self._object("/apis/apps/v1/namespaces/kube-system/deployments/coredns")
        return bool(deployment.get("status", {}).get("readyReplicas"))

    def takes_pods(self) -> bool:
        """Return whether pods can be created: each needs the service account."""
        return bool(self._object("/api/v1/namespaces/default/serviceaccounts/default"))

    def _object(self, path: str) -> dict[str, Any]:
        body = self._get(path)
        return dict(json.loads(body)) if body else {}

    def _get(self, path: str) -> bytes:
        """Return the body of an answer; nothing if there is none, or not the one that was asked for."""
        try:
            context = ssl.create_default_context(cafile=self._pki / "ca.crt")
            context.load_cert_chain(self._pki / "admin.crt", self._pki / "admin.key")
            connection = http.client.HTTPSConnection(NODE_ADDRESS, API_PORT, timeout=5, context=context)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.read() if answer.status == http.HTTPStatus.OK else b""
            finally:
                connection.close()
        except (OSError, http.client.HTTPException):
            return b""
