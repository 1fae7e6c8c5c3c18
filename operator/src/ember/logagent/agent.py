"""The agent: keeps one follower for each pod the broker names."""

import asyncio
import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress

from prometheus_client import REGISTRY, CollectorRegistry

from ember.logagent.channel import BrokerChannel, BrokerError, Channel, PodOrder
from ember.logagent.follower import Follower, Surroundings
from ember.logagent.options import AgentOptions
from ember.logagent.uploads import ObjectStore
from ember.model.settings import Settings
from ember.store import Store
from ember.telemetry import logs
from ember.telemetry.metrics import AgentMetrics
from ember.telemetry.server import serving

_LOG = logging.getLogger(__name__)
_REPEAT = 2.0
_REMEMBER = 3600.0
_LONGEST_RETRY = 5.0


class Agent:
    """Follows the pods of one node."""

    def __init__(
        self,
        options: AgentOptions,
        channel: Channel,
        store: ObjectStore,
        metrics: AgentMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._channel = channel
        self._metrics = metrics
        self._clock = clock
        self._reader = ThreadPoolExecutor(1, "log-reader")
        self._shared = Surroundings(
            options, channel, store, metrics, self._reader, asyncio.Semaphore(options.uploads_at_once), clock
        )
        self._followers: dict[str, tuple[Follower, asyncio.Task[None]]] = {}
        self._unlisted: dict[str, float] = {}
        self._complete: dict[str, float] = {}
        self._orders: dict[str, PodOrder] = {}
        self._background: set[asyncio.Task[None]] = set()
        self.connected = False
        metrics.pods.set_function(lambda: len(self._followers))
        metrics.pods_failing.set_function(lambda: sum(f.failing for f, _ in self._followers.values()))

    async def run(self) -> None:
        """Ask the broker, for ever."""
        self._clean_scratch()
        known: int | None = None
        delay = 0.2
        while True:
            began = self._clock()
            try:
                revision, orders = await self._channel.pods(known)
            except BrokerError as error:
                self._metrics.broker_errors.inc()
                self.connected = False
                _LOG.warning("the broker cannot be asked: %s", error)
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LONGEST_RETRY)
                # Another broker counts its revisions anew: an equal number would say nothing.
                known = None
                continue
            delay = 0.2
            self.connected = True
            self.take(orders)
            if revision == known and self._clock() - began < delay:
                await asyncio.sleep(delay)  # an answer without news should have taken the whole long poll
            known = revision

    def take(self, orders: list[PodOrder]) -> None:
        """Bring the followers in line with the broker's list."""
        self._orders = {order.uid: order for order in orders}
        now = self._clock()
        for uid, order in self._orders.items():
            self._unlisted.pop(uid, None)
            if uid in self._complete:
                self._repeat_completion(order, now)
            elif uid in self._followers:
                self._followers[uid][0].update(order)
            else:
                self._follow(order)
        # A broker that has just started may list a complete pod again, whose files may be gone by then.
        for uid in [uid for uid, told in self._complete.items() if now - told > _REMEMBER and uid not in self._orders]:
            del self._complete[uid]
        for uid in [uid for uid in self._followers if uid not in self._orders]:
            # A broker that has just started may not know all its pods: closing the files could lose the log.
            if now - self._unlisted.setdefault(uid, now) >= self._options.forget_after:
                self._followers[uid][1].cancel()

    async def close(self) -> None:
        """Upload what there is, within a bound, and stop. The next agent reads the node's files again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.stop_bound):
                refreshing = [follower.refresh() for follower, _ in self._followers.values()]
                await asyncio.gather(*refreshing, return_exceptions=True)
        tasks = [task for _, task in self._followers.values()] + list(self._background)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._reader.shutdown()

    def _follow(self, order: PodOrder) -> None:
        follower = Follower(order, self._shared)
        task = asyncio.create_task(self._guard(follower))
        self._followers[order.uid] = (follower, task)

    async def _guard(self, follower: Follower) -> None:
        """Run a follower; after an unforeseen error begin anew, as reading again gives the same objects."""
        uid = follower.order.uid
        try:
            await follower.run()
            self._complete[uid] = self._clock()
        except Exception as error:
            _LOG.exception("following the log failed", extra={"pod": follower.order.name})
            with suppress(BrokerError):
                await self._channel.report(uid, complete=False, error=f"the log cannot be read: {error}")
            await asyncio.sleep(_LONGEST_RETRY)
        finally:
            self._followers.pop(uid, None)
            self._unlisted.pop(uid, None)
        if uid not in self._complete and uid in self._orders:
            self._follow(self._orders[uid])

    def _repeat_completion(self, order: PodOrder, now: float) -> None:
        """Tell again: a pod that stays in the list means that the broker forgot, or that a reply was lost."""
        if now - self._complete[order.uid] < _REPEAT:
            return
        self._complete[order.uid] = now

        async def tell() -> None:
            with suppress(BrokerError):
                await self._channel.report(order.uid, complete=True, error="")

        task = asyncio.create_task(tell())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _clean_scratch(self) -> None:
        """Remove what an agent before this one left: its compressors' state is gone, the files are of no use."""
        self._options.scratch.mkdir(parents=True, exist_ok=True)
        for left in self._options.scratch.iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)


async def run(
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    registry: CollectorRegistry = REGISTRY,
    stop: asyncio.Event | None = None,
) -> None:
    """Run the agent of a node until SIGTERM, SIGINT or `stop`."""
    environ = os.environ if environ is None else environ
    logs.configure(settings.log_level)
    options = AgentOptions.from_settings(settings, environ)
    stop = stop or asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    channel = BrokerChannel(options.broker_url, options.broker_ca, options.token_file, environ.get("NODE_NAME", ""))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(channel.close)
        ca_bundle = environ.get("AWS_CA_BUNDLE") or None
        store = await stack.enter_async_context(Store(settings.store, channel.credentials, ca_file=ca_bundle))
        agent = Agent(options, channel, store, AgentMetrics(registry))
        stack.push_async_callback(agent.close)
        ready = lambda: "" if agent.connected else "the broker has not answered yet"  # noqa: E731 - too small for a name
        if options.metrics_port is not None:
            await stack.enter_async_context(serving(options.metrics_port, registry, ready=ready))
        running = asyncio.create_task(agent.run())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (running, stopping):
            task.cancel()
        if running.done() and not running.cancelled():
            running.result()
