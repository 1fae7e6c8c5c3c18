"""The small HTTP server of each process: /metrics, /healthz, /readyz."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder

Check = Callable[[], str]
"""Returns an empty text when all is well, else a sentence saying what is not."""


def _fine() -> str:
    return ""


def application(
    registry: CollectorRegistry = REGISTRY, *, healthy: Check = _fine, ready: Check = _fine
) -> web.Application:
    """Return the routes, for a server of one's own."""

    async def metrics(request: web.Request) -> web.Response:
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": kind})

    def answer(check: Check) -> Callable[[web.Request], web.Response]:
        def respond(_: web.Request) -> web.Response:
            wrong = check()
            return web.Response(status=503 if wrong else 200, text=wrong or "ok")

        return respond

    health, readiness = answer(healthy), answer(ready)

    async def healthz(request: web.Request) -> web.Response:
        return health(request)

    async def readyz(request: web.Request) -> web.Response:
        return readiness(request)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    return app


@asynccontextmanager
async def serving(
    port: int,
    registry: CollectorRegistry = REGISTRY,
    *,
    host: str | None = None,
    healthy: Check = _fine,
    ready: Check = _fine,
) -> AsyncIterator[int]:
    """Serve while the block runs; yields the port (useful with port 0)."""
    runner = web.AppRunner(application(registry, healthy=healthy, ready=ready), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
