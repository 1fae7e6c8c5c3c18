"""The HTTPS server itself: routes, limits, errors, counts."""

import logging
import ssl
import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ember.broker.context import Context
from ember.broker.identity import Identity
from ember.broker.nodes import NodeChannel
from ember.broker.problems import Problem, answer, of_http
from ember.broker.sparkapi import SparkApi
from ember.broker.workers import WorkerChannel

log = logging.getLogger(__name__)

LARGEST_BODY = 1 << 20
SHUTDOWN_SECONDS = 5.0


def application(context: Context) -> web.Application:
    """The routes with what is around them. Each handler checks who asks before it reads a body."""
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_counting(context), _refusing])
    app.router.add_get("/healthz", _healthz)
    for part in (WorkerChannel(context), NodeChannel(context), SparkApi(context)):
        app.router.add_routes(part.routes())

    async def stop(_: web.Application) -> None:
        context.stop()

    app.on_shutdown.append(stop)
    return app


class BrokerServer:
    """Listens with TLS; the certificate can be renewed without a pause."""

    def __init__(self, context: Context, host: str, port: int) -> None:
        # No access log: it would hold a line for each long poll. Counts are in the metrics.
        # Handlers are cancelled when who asked goes away: else dead long polls would keep their slots.
        self._runner = web.AppRunner(
            application(context), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, handler_cancellation=True
        )
        self._host, self._port = host, port
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    async def start(self, identity: Identity) -> int:
        """Begin to listen; returns the port (one chosen by the system when it was 0)."""
        identity.load_into(self._tls)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, ssl_context=self._tls, backlog=1024).start()
        port: int = self._runner.addresses[0][1]
        log.info("the broker listens", extra={"port": port})
        return port

    def renew(self, identity: Identity) -> None:
        """Use another certificate for new connections."""
        identity.load_into(self._tls)

    async def stop(self) -> None:
        """Answer open long polls, end watches and close."""
        await self._runner.cleanup()


def _counting(context: Context) -> Middleware:
    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        started, code = time.monotonic(), 499  # who asked went away before the answer
        try:
            response = await handler(request)
            code = response.status
            return response
        finally:
            resource = request.match_info.route.resource
            route = resource.canonical if resource is not None else "unknown"
            context.metrics.requests.labels(route, str(code)).inc()
            waits = "known" in request.query or "watch" in request.query
            if not waits:
                context.metrics.request_seconds.labels(route).observe(time.monotonic() - started)

    return count


@web.middleware
async def _refusing(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Problem as problem:
        return answer(request.path, problem)
    except web.HTTPException as error:
        return answer(request.path, of_http(error))
    except (ConnectionError, TimeoutError):
        raise
    except Exception:
        log.exception("a request failed", extra={"path": request.path, "method": request.method})
        return answer(request.path, Problem(500, "an error inside the broker; its log has more"))


async def _healthz(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
