"""The answers to the kubelet's probes: 503 until the worker is really warm."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Less than the probe's own time-out (plan/pods.py).
_HOLD_SECONDS = 50.0


class Readiness:
    """Answers on every address of the pod, for the kubelet asks from outside.

    /ready is answered at once; /warm as soon as the worker is warm, so that no second is lost until the next probe.
    """

    def __init__(self, pod_ip: str, port: int) -> None:
        self._warm = warm = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                if self.path == "/warm":
                    warm.wait(_HOLD_SECONDS)
                known = self.path in ("/warm", "/ready")
                self.send_response(404 if not known else 200 if warm.is_set() else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing: it would be a line every few seconds."""

        server = (_Server6 if ":" in pod_ip else _Server)(("", port), Handler)
        # It is never shut down: no need to look every half second whether it is.
        threading.Thread(target=server.serve_forever, args=(3600.0,), name="ready", daemon=True).start()

    def ready(self) -> None:
        """Say yes from now on."""
        self._warm.set()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """Say nothing: a probe that gives up is no news."""


class _Server6(_Server):
    address_family = socket.AF_INET6
