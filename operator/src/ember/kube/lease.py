"""Leader election by a Lease: at most one operator acts.

kubernetes.aio.leaderelection is not used: it measures with the wall clock, its requests may take five minutes (far
longer than the lease), it ends in a traceback when a connection breaks, and it cannot give the lease back. Here time is
monotonic, a holder gives up well before others may take over, and writes of one that overslept are refused (`held`).
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from ember.kube.client import Cluster
from ember.kube.errors import ApiError, NotFound
from ember.kube.index import Object
from ember.kube.resources import LEASES, PODS
from ember.kube.retry import ONCE
from ember.model import labels

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """Seconds. The holder's last try to renew begins `duration - deadline` before anyone else may take over."""

    duration: float = 15.0
    deadline: float = 10.0
    period: float = 2.0

    def __post_init__(self) -> None:
        if not self.period < self.deadline < self.duration:
            raise ValueError("a lease needs period < deadline < duration")


class Elector:
    """One candidate for one Lease."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        identity: str,
        timing: Timing | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._namespace, self._name, self._identity = namespace, name, identity
        self._timing = timing or Timing()
        self._monotonic = monotonic
        self._renewed = float("-inf")  # when the last successful renewal was sent
        self._seen: tuple[object, float] = (None, 0.0)  # another's record, and since when it has not changed

    def held(self) -> bool:
        """Whether this candidate may act at this moment, as far as it can know without asking."""
        return self._monotonic() < self._renewed + self._timing.duration

    async def acquire(self) -> None:
        """Wait until this candidate is the leader."""
        while not await self._try():  # noqa: ASYNC110  nobody here could set an event: the others are other processes
            await asyncio.sleep(self._timing.period)
        log.info("this instance is the leader", extra={"lease": self._name, "identity": self._identity})

    async def hold(self) -> None:
        """Renew until the lease is lost; then return: the process must end, for others may act from now on."""
        while True:
            await asyncio.sleep(self._timing.period)
            # One request that hangs must not use up the deadline, and a machine that was frozen needs time for one.
            # It may pass the deadline by this: what is written after the duration is refused anyway.
            if await self._try(seconds=self._timing.deadline / 2):
                continue
            if self._seen[0] is not None or self._monotonic() >= self._renewed + self._timing.deadline:
                self._renewed = float("-inf")
                log.error("the lease is lost", extra={"lease": self._name, "identity": self._identity})
                return

    async def release(self) -> None:
        """Give the lease back at a regular end, so that the next one need not wait; failures do no harm."""
        try:
            lease = await self._cluster.get(LEASES, self._namespace, self._name, retry=ONCE)
            if lease["spec"].get("holderIdentity") == self._identity:
                lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                await self._cluster.replace(LEASES, lease, retry=ONCE)
        except ApiError as error:
            log.warning("the lease could not be given back", extra={"error": str(error)})
        finally:
            self._renewed = float("-inf")

    # ---- inside

    async def _try(self, seconds: float | None = None) -> bool:
        sent = self._monotonic()
        try:
            async with asyncio.timeout(self._timing.deadline if seconds is None else seconds):
                done = await self._take_or_renew()
        except (ApiError, TimeoutError) as error:
            log.warning("the lease could not be renewed", extra={"lease": self._name, "error": str(error)})
            return False
        if done:
            self._renewed, self._seen = sent, (None, 0.0)
        return done

    async def _take_or_renew(self) -> bool:
        try:
            lease = await self._cluster.get(LEASES, self._namespace, self._name, retry=ONCE)
        except NotFound:
            meta = {"namespace": self._namespace, "name": self._name}
            body = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": meta, "spec": self._spec({})}
            await self._cluster.create(LEASES, body, retry=ONCE)
            return True
        spec = lease.get("spec", {})
        if spec.get("holderIdentity") not in (self._identity, "", None) and not self._expired(spec):
            return False
        # With the resourceVersion that was read: of two takers one meets Conflict.
        await self._cluster.replace(LEASES, {**lease, "spec": self._spec(spec)}, retry=ONCE)
        return True

    def _expired(self, spec: Object) -> bool:
        """Whether another's record has not changed for its duration, by our own clock: clocks of nodes may differ."""
        record = (spec.get("holderIdentity"), spec.get("renewTime"), spec.get("acquireTime"))
        now = self._monotonic()
        if self._seen[0] != record:
            self._seen = (record, now)
        return now - self._seen[1] > float(spec.get("leaseDurationSeconds") or self._timing.duration)

    def _spec(self, old: Object) -> Object:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        mine = old.get("holderIdentity") == self._identity
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._timing.duration)),
            "acquireTime": old["acquireTime"] if mine and old.get("acquireTime") else now,
            "renewTime": now,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + (0 if mine or not old else 1),
        }


async def label_leader(cluster: Cluster, namespace: str, pod: str, leads: bool) -> None:
    """Mark our own pod as the leader's, where the broker's Service looks for it; or take the mark off at start-up."""
    mark = {labels.LEADER: "true" if leads else None}
    await cluster.patch(PODS, namespace, pod, {"metadata": {"labels": mark}})
