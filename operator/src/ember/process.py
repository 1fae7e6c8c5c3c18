"""The operator's process: joins handlers and broker around one index, under one Lease.

Whoever holds the Lease acts; the others stand by. What ends - the Lease, a watch, the broker - ends the process, and
the next one rebuilds everything from a list.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from ember.broker.context import Context
from ember.broker.derive import Deriver
from ember.broker.identity import Identity, ensure
from ember.broker.server import BrokerServer
from ember.handlers.answers import Answers
from ember.handlers.carry_out import Hands
from ember.handlers.gather import Gatherer
from ember.handlers.reconcile import Reconciler
from ember.handlers.record import keep_gauges
from ember.handlers.watch import watch
from ember.kube.apply import Applier
from ember.kube.client import Cluster
from ember.kube.index import Index
from ember.kube.lease import Elector, Timing, label_leader
from ember.kube.resync import Resync
from ember.kube.secrets import StoreSecrets
from ember.kube.tokens import TokenReviewer
from ember.model.settings import Settings
from ember.plan.pods import PodBuilder
from ember.store import Store
from ember.telemetry import logs
from ember.telemetry.metrics import BrokerMetrics, OperatorMetrics
from ember.telemetry.server import serving

log = logging.getLogger(__name__)

LEASE = "ember-operator"
RESYNC_SECONDS = 60.0
CERTIFICATE_SECONDS = 24 * 3600.0
UNHEALTHY_SECONDS = 300.0  # without one good comparison with the cluster: the process is of no use


class Operator:
    """One process's worth of Ember."""

    def __init__(
        self,
        settings: Settings,
        cluster: Cluster,
        metrics: OperatorMetrics,
        pod: str,
        take_signals: Callable[[], None],
    ) -> None:
        self.settings, self.cluster, self.metrics, self.pod = settings, cluster, metrics, pod
        # kopf takes the process's signals for itself when it begins; then they are taken back.
        self._take_signals = take_signals
        self.index = Index()
        self.applier = Applier(cluster, self.index, instance=pod)
        self.resync = Resync(cluster, self.index, settings.served_namespaces)
        self.synced_at = time.monotonic()

    def healthy(self) -> str:
        """Empty, or why the process should be restarted."""
        silent = time.monotonic() - self.synced_at
        return f"no good list of the cluster for {silent:.0f} s" if silent > UNHEALTHY_SECONDS else ""

    async def stand_by(self, elector: Elector) -> None:
        """Wait for the Lease; a standby is healthy."""
        waiting = asyncio.create_task(elector.acquire())
        while not waiting.done():
            self.synced_at = time.monotonic()
            await asyncio.wait({waiting}, timeout=5.0)
        await waiting

    async def lead(self, elector: Elector) -> None:
        """Act until the Lease is lost or anything breaks."""
        self.cluster.fence = elector.held  # a leader that overslept its Lease writes nothing more
        async with asyncio.TaskGroup() as group:
            group.create_task(_ends(elector.hold(), "the lease"), name="lease")
            group.create_task(self._act(), name="act")

    async def _act(self) -> None:
        identity = await self._identity()
        gatherer = Gatherer(self.index, self.settings, PodBuilder(self.settings, identity.ca_pem))
        secrets = StoreSecrets(self.cluster, self.settings.store.secret_name)
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(Store(self.settings.store, secrets.credentials))
            hands = Hands(self.index, self.applier, store, gatherer, self.metrics)
            reconciler = Reconciler(self.index, gatherer, hands, self.metrics)
            await self.resync.run(datetime.now(UTC))  # nothing is decided before everything was seen once
            self.synced_at = time.monotonic()
            context = self._broker_context(gatherer, identity, secrets)
            broker = BrokerServer(context, _any_address(), self.settings.broker.port)
            await broker.start(identity)
            stack.push_async_callback(broker.stop)
            await label_leader(self.cluster, self.settings.release_namespace, self.pod, leads=True)
            self.metrics.leader.set(1)
            log.info("leading", extra={"namespaces": self.settings.served_namespaces})
            async with asyncio.TaskGroup() as group:
                group.create_task(self._renew_certificate(broker), name="certificate")
                group.create_task(_ends(self._watch(), "a watch"), name="watch")
                group.create_task(reconciler.queue.run(), name="reconcile")
                group.create_task(hands.tell(), name="events")
                group.create_task(self._keep_in_step(), name="resync")
                group.create_task(keep_gauges(gatherer, reconciler.queue, self.metrics), name="gauges")

    async def _watch(self) -> None:
        await watch(self.index, self.settings.served_namespaces, self._take_signals)

    async def _identity(self) -> Identity:
        host = self.settings.broker_host
        hosts = [host, f"{host}.cluster.local"] if host.endswith(".svc") else [host]
        return await ensure(self.cluster, self.settings.release_namespace, hosts, datetime.now(UTC))

    def _broker_context(self, gatherer: Gatherer, identity: Identity, secrets: StoreSecrets) -> Context:
        answers = Answers(gatherer)
        return Context(
            index=self.index,
            applier=self.applier,
            reviewer=TokenReviewer(self.cluster),
            secrets=secrets,
            deriver=Deriver(identity.signing_key),
            assignment_of=answers.assignment_of,
            destinations_of=answers.destinations_of,
            release_namespace=self.settings.release_namespace,
            metrics=BrokerMetrics(),
        )

    async def _renew_certificate(self, broker: BrokerServer) -> None:
        """Look once a day whether the broker's certificate is soon over."""
        while True:
            await asyncio.sleep(CERTIFICATE_SECONDS)
            broker.renew(await self._identity())

    async def _keep_in_step(self) -> None:
        """Compare with the cluster from time to time: kopf's watches lose deletions after an expired watch."""
        while True:
            await asyncio.sleep(RESYNC_SECONDS)
            try:
                lost = await self.resync.run(datetime.now(UTC))
            except Exception:
                log.exception("the cluster could not be listed")
                continue
            self.synced_at = time.monotonic()
            if lost:
                log.warning("the watches had lost deletions", extra={"count": len(lost)})


class Ended(Exception):  # noqa: N818 - what happened, not whose fault it is
    """A part that should run for ever came to its end."""


def _any_address() -> str:
    """All addresses of the pod's own network, in the family that the cluster's pods have."""
    return "::" if ":" in os.environ.get("POD_IP", "") else "0.0.0.0"  # noqa: S104


async def _ends(part: Awaitable[None], name: str) -> None:
    await part
    raise Ended(f"{name} ended")


async def run_operator(settings: Settings) -> int:
    """Run until SIGTERM or until something breaks; returns the exit code."""
    logs.configure(settings.log_level)
    metrics = OperatorMetrics()
    pod = os.environ["POD_NAME"]
    stop = asyncio.Event()

    def take_signals() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def observe(verb: str, resource: str, code: str, _seconds: float) -> None:
        metrics.api_requests.labels(verb, resource, code).inc()

    cluster = await Cluster.connect(observe)
    take_signals()
    operator = Operator(settings, cluster, metrics, pod, take_signals)
    leader = settings.leader
    timing = Timing(leader.lease_duration, leader.renew_deadline, leader.retry_period)
    elector = Elector(cluster, settings.release_namespace, LEASE, pod, timing)
    try:
        async with serving(settings.metrics_port, healthy=operator.healthy):
            await label_leader(cluster, settings.release_namespace, pod, leads=False)
            return await _until(stop, _lead_for_ever(operator, elector))
    finally:
        await elector.release()
        await cluster.close()


async def _lead_for_ever(operator: Operator, elector: Elector) -> None:
    await operator.stand_by(elector)
    await operator.lead(elector)


async def _until(stop: asyncio.Event, part: Coroutine[Any, Any, None]) -> int:
    """Run `part` until `stop` is set: 0; when the part ends by itself, log why: 1."""
    running, stopping = asyncio.create_task(part), asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.done():
        running.cancel()
        await asyncio.wait({running}, timeout=10.0)
        return 0
    error = running.exception()
    log.error("the operator ends", exc_info=error)
    return 1
