"""The container-credentials endpoint on loopback: the AWS SDKs of the JVM and of Python ask here, we ask the broker."""

import contextlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ember.worker import log
from ember.worker.channel import ChannelError, RefusedError

RENEW_AT_SECONDS_LEFT = 20 * 60
# After a failed renewal the value we have is good for a while: do not make each S3 call wait for a broker that is away.
RETRY_SECONDS = 10.0
# botocore gives up reading after 2 s. The fetch goes on, and its next try finds the value here.
WAIT_SECONDS = 1.8
# Longer than any rehearsal: what the SDKs cache is renewed in the background when little time is left.
REHEARSAL_SECONDS = 3600.0
Clock = Callable[[], float]
Answer = tuple[int, Mapping[str, Any]]


class Relay:
    """Caches what the broker gave; knows before, during and after the run."""

    def __init__(self, fetch: Callable[[], Mapping[str, Any]], clock: Clock = time.time) -> None:
        self._fetch, self._clock = fetch, clock
        self._value: Mapping[str, Any] | None = None
        self._expires = 0.0
        self._try_after = 0.0
        self._ended = False
        self._made_up: Mapping[str, Any] | None = None
        self._lock = threading.Lock()

    def answer(self) -> Answer:
        """Status and body for a client that has shown the right token."""
        if self._ended:
            return 403, {"message": "the run has ended"}
        if self._made_up is not None:
            return 200, self._made_up
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            return self._cached() or (503, {"message": "credentials are being fetched"})
        try:
            return self._renewed()
        finally:
            self._lock.release()

    @contextlib.contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Answer with made-up credentials meanwhile, so that the way to them is rehearsed too."""
        expires = datetime.fromtimestamp(self._clock() + REHEARSAL_SECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        words = dict.fromkeys(("AccessKeyId", "SecretAccessKey", "Token"), "rehearsal")
        self._made_up = {**words, "Expiration": expires}
        try:
            yield
        finally:
            self._made_up = None

    def fetch_ahead(self) -> None:
        """Fetch in the background what the run will ask for soon."""
        threading.Thread(target=self.answer, name="credentials-ahead", daemon=True).start()

    def end(self) -> None:
        """From now on: 403, and nothing is kept."""
        self._ended, self._value = True, None

    def _renewed(self) -> Answer:
        now, cached = self._clock(), self._cached()
        if cached and (self._expires - now > RENEW_AT_SECONDS_LEFT or now < self._try_after):
            return cached
        try:
            value = self._fetch()
            self._expires, self._value = _expiration(value), value
        except RefusedError as refused:
            if refused.status == 404:
                return 404, {"message": "this pod has no run yet"}
            # The run is over: the SDKs must not go on with what we cached.
            self._value = None
            return 403, {"message": str(refused)}
        except (ChannelError, ValueError, KeyError, TypeError) as error:
            self._try_after = now + RETRY_SECONDS
            log.warning("credentials could not be renewed", error=str(error), cached=cached is not None)
            return cached or (503, {"message": "the broker is away"})
        return self._cached() or (503, {"message": "the broker gave expired credentials"})

    def _cached(self) -> Answer | None:
        value = self._value
        if self._ended or value is None or self._expires <= self._clock():
            return None
        return 200, value


def _expiration(value: Mapping[str, Any]) -> float:
    for name in ("AccessKeyId", "SecretAccessKey"):
        if not isinstance(value[name], str):
            raise TypeError(f"{name} is not a string")
    if not isinstance(value["Token"], str | None):  # null for static keys: an empty one would be sent, and refused
        raise TypeError("Token is neither a string nor null")
    moment = datetime.fromisoformat(str(value["Expiration"]))
    if moment.tzinfo is None:
        raise ValueError("Expiration has no time zone")
    return moment.timestamp()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """Say nothing: a client that goes away in the middle (its JVM ended) is no news, least of all a traceback."""


def serve(relay: Relay, token: str, port: int) -> ThreadingHTTPServer:
    """Start the endpoint on 127.0.0.1; raises OSError if the port is taken."""
    server = _Server(("127.0.0.1", port), _handler(relay, token.encode()))
    threading.Thread(target=server.serve_forever, name="credentials", daemon=True).start()
    return server


def _handler(relay: Relay, token: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_GET(self) -> None:
            shown = self.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(shown, token):
                self._send(403, {"message": "wrong token"})
            elif self.path.partition("?")[0] != "/credentials":
                self._send(404, {"message": "only /credentials is here"})
            else:
                self._send(*relay.answer())

        def _send(self, status: int, body: Mapping[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing: one line per S3 call would drown the job's own log."""

    return Handler
