"""Declared metrics, their page, and the server."""

import re
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from ember.telemetry.metrics import AgentMetrics, BrokerMetrics, Declaration, OperatorMetrics
from ember.telemetry.reference import reference
from ember.telemetry.server import serving

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"


def declared() -> list[Declaration]:
    registry = CollectorRegistry()
    kinds = (OperatorMetrics, BrokerMetrics, AgentMetrics)
    return [metric for kind in kinds for metric in kind(registry).declared]


@pytest.mark.parametrize("metric", declared(), ids=lambda metric: metric.name)
def test_names_follow_the_rules(metric: Declaration) -> None:
    assert re.fullmatch(r"ember_[a-z][a-z0-9_]*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert not re.search(r"_(milliseconds|minutes|hours|kib|mib|gib|mb|gb|ms)(_|$)", metric.name)
    assert metric.kind != "histogram" or metric.name.endswith(("_seconds", "_bytes"))
    assert metric.text.endswith(".")
    assert all(re.fullmatch(r"[a-z][a-z_]*", label) for label in metric.labels)


def test_the_page_is_that_of_the_declarations() -> None:
    assert PAGE.read_text() == reference(), "run: python -m ember.telemetry.reference > docs/reference/metrics.md"


async def test_the_server_serves_metrics_and_health() -> None:
    registry = CollectorRegistry()
    OperatorMetrics(registry).transitions.labels("RUNNING", "team-a", "etl").inc()
    wrong = ""
    async with (
        serving(0, registry, host="127.0.0.1", healthy=lambda: wrong, ready=lambda: "no leader") as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        async with http.get("/metrics") as answer:
            text = await answer.text()
        assert 'ember_job_run_transitions_total{application="etl",namespace="team-a",state="RUNNING"} 1.0' in text
        async with http.get("/healthz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok")
        async with http.get("/readyz") as answer:
            assert (answer.status, await answer.text()) == (503, "no leader")
        wrong = "stuck"
        async with http.get("/healthz") as answer:
            assert answer.status == 503
