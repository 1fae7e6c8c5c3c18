"""The HTTPS client of the broker: assignment, reports, credentials. Every call has a bound."""

import http.client
import json
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ember.worker.assignment import Assignment, parse

POLL_SECONDS = 30.0
PREFIX = "/worker/v1"
T = TypeVar("T")


class ChannelError(Exception):
    """The broker could not be reached, or answered with something that a later try may mend."""


class RefusedError(Exception):
    """The broker gave a final answer other than yes; `status` says which."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"broker answered {status}: {message}")
        self.status = status


class Channel:
    """Speaks to the broker. Each thread keeps its own connection, for a long poll must not hold up a report."""

    def __init__(self, url: str, ca: str, token: Path) -> None:
        split = urlsplit(url)
        if split.scheme != "https" or not split.hostname:
            raise ValueError(f"EMBER_BROKER_URL must be https://host[:port], not {url!r}")
        self._host, self._port, self._token = split.hostname, split.port or 443, token
        self._context = ssl.create_default_context(cadata=ca)
        self._local = threading.local()
        self.state = ""  # what a broker that has just started would like to know again: ready, assigned or started

    def assignment(self, known: int) -> Assignment:
        """Ask what to do; returns when it is another revision than `known`, or after the poll time with the same."""
        state = f"&state={self.state}" if self.state else ""
        status, body = self._request("GET", f"{PREFIX}/assignment?known={known}{state}", None, POLL_SECONDS + 10)
        if status != 200:
            raise _problem(status, body)
        return parse(json.loads(body))

    def report(self, event: Mapping[str, object]) -> None:
        """Tell the broker what happened, once."""
        status, body = self._request("POST", f"{PREFIX}/report", dict(event), 10)
        if status not in (200, 204):
            raise _problem(status, body)

    def credentials(self) -> Mapping[str, Any]:
        """Fetch the run's credentials for the object store."""
        status, body = self._request("GET", f"{PREFIX}/credentials", None, 10)
        if status != 200:
            raise _problem(status, body)
        answer: Mapping[str, Any] = json.loads(body)
        return answer

    def _request(self, method: str, path: str, body: object, timeout: float) -> tuple[int, bytes]:
        """One exchange. A kept connection that the other side closed meanwhile is opened anew, once."""
        try:
            headers = {"Authorization": f"Bearer {self._token.read_text().strip()}", "Accept": "application/json"}
        except OSError as error:
            raise ChannelError(f"the pod's token cannot be read: {error}") from error
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        kept = getattr(self._local, "connection", None)
        for connection in ([kept] if kept else []) + [None]:
            try:
                return self._exchange(connection, method, path, data, headers, timeout)
            except (OSError, http.client.HTTPException) as error:
                self._local.connection = None
                if connection is None or isinstance(error, TimeoutError):
                    raise ChannelError(f"broker unreachable: {type(error).__name__} {error}") from error
        raise AssertionError("unreachable")

    def _exchange(
        self,
        connection: http.client.HTTPSConnection | None,
        method: str,
        path: str,
        data: bytes | None,
        headers: dict[str, str],
        timeout: float,
    ) -> tuple[int, bytes]:
        if connection is None:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=5, context=self._context)
            connection.connect()
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        body = answer.read()
        self._local.connection = None if answer.will_close else connection
        return answer.status, body


def _problem(status: int, body: bytes) -> Exception:
    message = body[:200].decode("utf-8", "replace")
    if status in (403, 404, 409, 410, 422) or status == 400:
        return RefusedError(status, message)
    # 401 too can pass: the broker may not have seen this new pod, or the token was being rotated.
    return ChannelError(f"broker answered {status}: {message}")


class BackOff:
    """Growing pauses with jitter, so that a thousand workers do not return to a restarted broker all at once."""

    def __init__(self, first: float = 0.1, longest: float = 5.0) -> None:
        self._next, self._first, self._longest = first, first, longest

    def pause(self) -> float:
        """Seconds to wait before the next try."""
        delay, self._next = self._next, min(self._next * 2, self._longest)
        return delay * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret

    def reset(self) -> None:
        """Begin anew after a success."""
        self._next = self._first


def persist(
    call: Callable[[], T],
    bound: float,
    *,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Repeat `call` until it succeeds; after `bound` seconds its last ChannelError is raised. Refused is final."""
    deadline, back_off = clock() + bound, BackOff()
    while True:
        try:
            return call()
        except ChannelError:
            pause = back_off.pause()
            if clock() + pause > deadline:
                raise
            sleep(pause)
