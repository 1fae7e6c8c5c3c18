"""The agent's side of the channel to the broker (docs/architecture.md, `/node/v1`)."""

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp

_NAME = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$")
_LONG_POLL = 45.0
_REQUEST = 15.0
_CONNECT = 2.5  # the address of a broker that was just replaced does not answer at all; the next try finds the new one


class BrokerError(Exception):
    """The broker cannot be reached, or does not answer as agreed."""


@dataclass(frozen=True)
class PodOrder:
    """What to do with the logs of one pod. `terminated`: the container is known to be gone, so no mark can come."""

    uid: str
    namespace: str
    name: str
    container: str
    destinations: tuple[str, ...]
    ended: bool = False
    terminated: bool = False

    @property
    def directory(self) -> str:
        """The container's log directory below /var/log/pods."""
        return f"{self.namespace}_{self.name}_{self.uid}/{self.container}"


class Channel(Protocol):
    """What the agent needs of the broker; tests bring their own."""

    async def pods(self, known: int | None) -> tuple[int, list[PodOrder]]:
        """Return the revision and the orders, once they differ from the known revision or after the long poll."""
        ...

    async def report(self, uid: str, *, complete: bool, error: str, first_task_at: float | None = None) -> None:
        """Tell how the uploads of a pod stand, and when its log showed Spark's first task (epoch seconds)."""
        ...

    async def credentials(self, namespace: str) -> Mapping[str, Any]:
        """Return store credentials of a namespace."""
        ...


def parse_order(data: Mapping[str, Any]) -> PodOrder:
    """Return one order; ValueError unless its names can be parts of a path."""
    order = PodOrder(
        uid=data["uid"],
        namespace=data["namespace"],
        name=data["name"],
        container=data["container"],
        destinations=tuple(uri if uri.endswith("/") else uri + "/" for uri in data["destinations"]),
        ended=bool(data.get("ended", False)),
        terminated=bool(data.get("terminated", False)),
    )
    for name in (order.uid, order.namespace, order.name, order.container):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a pod or container")
    return order


class BrokerChannel:
    """Speaks HTTPS to the broker. The token is read for each request, the CA again when its file changes."""

    def __init__(self, url: str, ca_file: Path | None, token_file: Path, node: str = "") -> None:
        # The token says which node asks; the header is for API servers before 1.32, whose tokens do not.
        self._node = {"X-Ember-Node": node} if node else {}
        self._url = url.rstrip("/") + "/node/v1"
        self._ca_file = ca_file
        self._token_file = token_file
        self._context: tuple[float, ssl.SSLContext] | None = None
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def pods(self, known: int | None) -> tuple[int, list[PodOrder]]:
        """See Channel."""
        query = {} if known is None else {"known": str(known)}
        answer = await self._request("GET", "/pods", params=query, seconds=_LONG_POLL)
        try:
            return int(answer["revision"]), [parse_order(pod) for pod in answer["pods"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BrokerError(f"the broker's list of pods is not as agreed: {error!r}") from error

    async def report(self, uid: str, *, complete: bool, error: str, first_task_at: float | None = None) -> None:
        """See Channel."""
        body = {"uid": uid, "complete": complete, "error": error, "firstTaskAt": first_task_at}
        await self._request("POST", "/uploads", body=body)

    async def credentials(self, namespace: str) -> Mapping[str, Any]:
        """See Channel."""
        return await self._request("GET", "/credentials", params={"namespace": namespace})

    async def _request(
        self,
        verb: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        seconds: float = _REQUEST,
    ) -> Mapping[str, Any]:
        try:
            token = self._token_file.read_text().strip()
            async with self._http().request(
                verb,
                self._url + path,
                params=params,
                json=body,
                headers={"Authorization": f"Bearer {token}", **self._node},
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT),
                ssl=self._tls(),
                allow_redirects=False,
            ) as response:
                data = await response.read()
                if response.status not in (200, 204):
                    text = data[:200].decode(errors="replace").strip()
                    raise BrokerError(f"{verb} {path}: {response.status} {text}")
                return json.loads(data) if data else {}
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise BrokerError(f"{verb} {path}: {str(error) or type(error).__name__}") from error

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=32))
        return self._session

    def _tls(self) -> ssl.SSLContext | bool:
        if self._ca_file is None:
            return True
        changed = self._ca_file.stat().st_mtime
        if self._context is None or self._context[0] != changed:
            self._context = (changed, ssl.create_default_context(cafile=str(self._ca_file)))
        return self._context[1]


async def pause(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event, at most so long; tells whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
