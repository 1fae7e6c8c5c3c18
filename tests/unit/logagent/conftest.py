import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from ember.logagent import Agent, AgentOptions
from ember.telemetry.metrics import AgentMetrics
from tests.unit.logagent import fakes


@dataclass
class Node:
    """An agent's surroundings; `agent()` runs one."""

    options: AgentOptions
    channel: fakes.FakeChannel
    store: fakes.FakeStore
    registry: CollectorRegistry

    def log(self, pod: Any = None) -> fakes.ContainerLog:
        return fakes.ContainerLog(self.options.node_logs, pod or fakes.order())

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    @asynccontextmanager
    async def agent(self, *, gracefully: bool = True) -> AsyncIterator[Agent]:
        self.registry = CollectorRegistry()
        agent = Agent(self.options, self.channel, self.store, AgentMetrics(self.registry))
        running = asyncio.create_task(agent.run())
        try:
            yield agent
        finally:
            running.cancel()
            if not gracefully:
                self.store.fail()
            await agent.close()
            self.store.failing.clear()


@pytest.fixture
def node(tmp_path: Path) -> Callable[..., Node]:
    """Make a node, with changed options."""

    def make(**changes: Any) -> Node:
        return Node(fakes.options(tmp_path, **changes), fakes.FakeChannel(), fakes.FakeStore(), CollectorRegistry())

    return make
