"""Who asks a broker of tests/support/broker_world.py, over TLS."""

import json
from typing import Any

import aiohttp

from ember.kube.index import key_of
from tests.support.broker_world import NAMESPACE, RELEASE, RUN, Object, World, executor_pod, trusting


class Client:
    """Requests with a token."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def ask(self, method: str, path: str, token: str = "", body: Any = None, **headers: str) -> tuple[int, Any]:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        async with self.session.request(method, self.url + path, json=body, headers=headers) as answer:
            raw = await answer.read()
            return answer.status, json.loads(raw) if raw else None


def connector(ca: str) -> aiohttp.TCPConnector:
    """What trusts this certificate authority only."""
    return aiohttp.TCPConnector(ssl=trusting(ca))


def agent_token(world: World, node: str = "node-1", account: str = "ember-logagent", namespace: str = RELEASE) -> str:
    """The token of a node's log agent."""
    return world.review(f"system:serviceaccount:{namespace}:{account}", {"pod-name": "agent", "node-name": node})


async def grant(world: World) -> Object:
    """Do what the handlers do for the executor that waits longest."""
    request = world.index.waiting_of_run((NAMESPACE, RUN))[0]
    pod = await world.applier.create_pod(executor_pod(request))
    world.index.remove_waiting(key_of(pod))
    return pod
