"""Watches of one driver's pods: by websocket, as Spark's client asks, or as lines of JSON.

A watch keeps no queue of events but what it last sent: it compares that with what the driver may see now. However slow
its reader is, it needs no more memory than the pods themselves, and nothing is out of order.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from ember.broker.context import Context, check_alive
from ember.broker.derive import RunIdentity
from ember.broker.problems import Problem
from ember.broker.selectors import Matcher
from ember.broker.topics import run_topic
from ember.broker.views import RunView
from ember.kube.index import Object

HEARTBEAT_SECONDS = 30.0
LONGEST_WATCH_SECONDS = 3600.0
PODS_PER_SECOND = 5000.0

Event = dict[str, object]


class Differ:
    """What changed between two looks. Pure."""

    def __init__(self, matches: Matcher) -> None:
        self._matches = matches
        self._sent: dict[str, Object] = {}

    def events(self, seen: dict[str, Object]) -> list[Event]:
        """Events that bring the reader from what it knows to what is seen now."""
        now = {name: pod for name, pod in seen.items() if self._matches(pod)}
        gone = [_event("DELETED", pod) for name, pod in self._sent.items() if name not in now]
        news = [
            _event("MODIFIED" if name in self._sent else "ADDED", pod)
            for name, pod in now.items()
            if self._sent.get(name) != pod
        ]
        self._sent = now
        return gone + news


async def serve(context: Context, request: web.Request, identity: RunIdentity, matches: Matcher) -> web.StreamResponse:
    """Answer a watch until the reader goes, its time is over, or the run has ended."""
    seconds = min(float(request.query.get("timeoutSeconds") or LONGEST_WATCH_SECONDS), LONGEST_WATCH_SECONDS)
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return await _websocket(context, request, identity, matches, seconds)
    return await _lines(context, request, identity, matches, seconds)


async def _websocket(
    context: Context, request: web.Request, identity: RunIdentity, matches: Matcher, seconds: float
) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, max_msg_size=65536)
    await socket.prepare(request)
    sender = asyncio.create_task(_follow(context, identity, matches, seconds, socket.send_str))
    reader = asyncio.create_task(_read(socket))  # answers pings and notices the end; the reader has nothing to say
    try:
        await asyncio.wait((sender, reader), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _end(sender, reader)
        await socket.close()
    return socket


async def _lines(
    context: Context, request: web.Request, identity: RunIdentity, matches: Matcher, seconds: float
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(request)

    async def send(line: str) -> None:
        await response.write(line.encode() + b"\n")

    with contextlib.suppress(ConnectionError):
        await _follow(context, identity, matches, seconds, send)
    return response


async def _follow(
    context: Context, identity: RunIdentity, matches: Matcher, seconds: float, send: Callable[[str], Awaitable[None]]
) -> None:
    view, differ, left = RunView(context.index, identity), Differ(matches), context.deadline(seconds)
    topic = run_topic((identity.namespace, identity.run_name))
    while True:
        # No await between the look and the wait: `send` may pause, so look again until there is nothing new.
        while events := differ.events(seen := view.pods()):
            for event in events:
                await send(json.dumps(event))
            # A look at 1,000 pods takes 12 ms: while many of them change, look less often and send more at once.
            await asyncio.sleep(len(seen) / PODS_PER_SECOND)
        try:
            check_alive(context, identity, view)
        except Problem:
            return
        if left() <= 0:
            return
        await context.topics.wait([topic], min(left(), HEARTBEAT_SECONDS))


async def _read(socket: web.WebSocketResponse) -> None:
    async for _ in socket:
        pass


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _event(kind: str, pod: Object) -> Event:
    return {"type": kind, "object": pod}
