"""Plain requests to the local cluster's API server, for tests of what the server itself accepts and answers."""

import json
import os
import subprocess
import sys
from typing import Any

from kubernetes import client, config


class Refused(Exception):  # noqa: N818 - it says what happened
    """The API server refused; the text is its message."""


class ApiServer:
    """Speaks JSON with the API server: no models, no retries."""

    def __init__(self, kubeconfig: str) -> None:
        api: client.ApiClient = config.new_client_from_config(kubeconfig)  # type: ignore[no-untyped-call]
        self._host: str = api.configuration.host
        self._pool: Any = api.rest_client.pool_manager

    @classmethod
    def of_the_local_cluster(cls) -> "ApiServer":
        """The cluster of KUBECONFIG, else the one of `make up`."""
        path = os.environ.get("KUBECONFIG")
        if not path:
            command = [sys.executable, "-m", "local", "kubeconfig"]
            path = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        return cls(path)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        content: str = "application/json",
        accept: str = "application/json",
    ) -> Any:
        """One request. Raises Refused."""
        answer = self._pool.request(
            method,
            self._host + path,
            body=None if body is None else json.dumps(body),
            headers={"Content-Type": content, "Accept": accept},
        )
        decoded = json.loads(answer.data)
        if answer.status >= 400:
            raise Refused(decoded.get("message", ""))
        return decoded
