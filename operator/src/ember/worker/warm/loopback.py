"""What the stand-ins have in common: a small HTTP server on loopback that is gone after the warm-up."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LOOPBACK = "127.0.0.1"


class Handler(BaseHTTPRequestHandler):
    """Reads a request whole and leaves the answer to `answer`."""

    protocol_version = "HTTP/1.1"
    # Headers and body in one packet: else each answer would wait for the client's delayed acknowledgement.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    query: dict[str, str]
    parts: list[str]
    body: bytes

    def __getattr__(self, name: str) -> Any:
        """Take every method of HTTP."""
        if name.startswith("do_"):
            return self._take
        raise AttributeError(name)

    def handle_expect_100(self) -> bool:
        """Say at once that the body may come: the S3 client waits 3 s for that before it sends it unasked."""
        go_on = super().handle_expect_100()
        self.wfile.flush()
        return go_on

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: the pod's log belongs to the run that will claim it."""

    def _take(self) -> None:
        url = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        self.parts = unquote(url.path).lstrip("/").split("/")
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer()

    def answer(self) -> None:
        """Answer the request."""
        raise NotImplementedError

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send an answer; header names have underscores for hyphens."""
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """Say nothing: clients that go away in the middle are how each rehearsal ends."""


class Server:
    """One stand-in. `url` says where it is until it is closed."""

    def __init__(self, handler: type[Handler]) -> None:
        self._server = _Quiet((LOOPBACK, 0), handler)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="stand-in", daemon=True).start()

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
