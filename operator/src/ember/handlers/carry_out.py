"""Carries a plan out: what concerns different objects at the same time, each failure on its own."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from ember.handlers.gather import Gatherer
from ember.kube.apply import Applier
from ember.kube.errors import AlreadyExists, ApiError, Conflict, Forbidden, Invalid, NotFound
from ember.kube.index import Index, Key, Kind, Object, application_of_pod, run_of_pod
from ember.model import labels
from ember.plan import actions
from ember.plan.facts import ExecutorRequest
from ember.plan.view import Problem
from ember.plan.workers import epoch
from ember.store import Store, StoreRefused, StoreUnavailable
from ember.telemetry.metrics import OperatorMetrics

log = logging.getLogger(__name__)
_EVENTS_LATER = 1.5  # seconds
_LAST_EVENTS = 3.0  # seconds: an operator that ends because the API server is away has none to tell
_STORE_SECONDS = 5.0  # that the store gets: all else that was planned for the application waits with it
_STATUS = (actions.SetRunStatus, actions.SetApplicationStatus)


class Failed(Exception):  # noqa: N818 - what became of the plan
    """Some of a plan's actions failed for a passing reason: plan again soon."""


class Hands:
    """Does what plans ask for."""

    def __init__(
        self, index: Index, applier: Applier, store: Store, gatherer: Gatherer, metrics: OperatorMetrics
    ) -> None:
        self._index, self._applier, self._store, self._gatherer = index, applier, store, gatherer
        self._metrics = metrics
        self._news: deque[tuple[Object, actions.Announce]] = deque()
        self._has_news = asyncio.Event()

    async def tell(self) -> None:
        """Post the Events of the plans, for ever: a little later, for a run that starts needs the API server first.

        What there is when it is cancelled is posted at once, as far as a few seconds allow.
        """
        try:
            while True:
                await self._has_news.wait()
                await asyncio.sleep(_EVENTS_LATER)
                self._has_news.clear()
                await self._post_news()
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_EVENTS):
                    await self._post_news()

    async def _post_news(self) -> None:
        while self._news:
            obj, action = self._news.popleft()
            try:
                await self._applier.post_event(obj, action.type, action.reason, action.message)
            except Exception:
                log.exception("an Event could not be posted", extra={"reason": action.reason})

    async def carry_out(self, plan: actions.Plan) -> None:
        """Do all actions. Raises Failed, after all were tried, when it is worth to plan again."""
        deletions = [action for action in plan.actions if isinstance(action, actions.DeleteWorker)]
        failed = await self._do_all([action for action in plan.actions if not isinstance(action, actions.DeleteWorker)])
        # What a pod showed is written before the pod goes: nobody could read it off again. Nothing else keeps it: what
        # cannot be created may need just the room that a deletion makes.
        if not any(isinstance(action, _STATUS) for action, _ in failed):
            failed += await self._do_all(deletions)
        if failed:
            raise Failed("; ".join(str(error) for _, error in failed[:3]))

    async def _do_all(self, wanted: Sequence[actions.Action]) -> list[tuple[actions.Action, Exception]]:
        """Do them all at the same time; returns those that failed for a passing reason."""
        results = await asyncio.gather(*(self._do(action) for action in wanted), return_exceptions=True)
        failed: list[tuple[actions.Action, Exception]] = []
        for action, result in zip(wanted, results, strict=True):
            if isinstance(result, ApiError | StoreUnavailable | Failed):
                failed.append((action, result))
            elif isinstance(result, BaseException):
                raise result
        return failed

    def _do(self, action: actions.Action) -> Awaitable[object]:  # noqa: C901 - a table, not a decision
        match action:
            case actions.SetApplicationStatus(key, status):
                return _unless_gone(self._applier.apply_status(Kind.APPLICATION, *key, status))
            case actions.SetRunStatus(key, status):
                return _unless_gone(self._applier.apply_status(Kind.JOB_RUN, *key, status))
            case actions.CreateDriver():
                return self._create_driver(action)
            case actions.CreateExecutor():
                return self._create_executor(action)
            case actions.Claim():
                return self._claim(action)
            case actions.ResizeWorker(key, uid, resources):
                return _unless_gone(self._give_cpu(key, uid, resources))
            case actions.CreateWarm(pod):
                return self._create_warm(pod)
            case actions.DropRequest(request):
                return _at_once(lambda: self._index.remove_waiting((request.namespace, request.pod_name)))
            case actions.StopWorker(key, uid, reason):
                return _unless_gone(self._applier.stop_pod(*key, uid, reason))
            case actions.DeleteWorker(key, uid):
                return _unless_gone(self._applier.delete_pod(*key, uid, grace=0))
            case actions.Announce():
                return _at_once(lambda: self._announce(action))

    async def _create_driver(self, action: actions.CreateDriver) -> None:
        """Make the event log's directory, then the driver's pod: Spark refuses to start without the former."""
        uid = action.pod["metadata"]["ownerReferences"][0]["uid"]
        async with self._noting_problems(uid):
            await self._event_log(action.event_log_uri, action.run[0])
            self._given(await self._applier.create_pod(action.pod), "cold")

    def _given(self, pod: Object, path: str) -> None:
        """Count a worker that a run has got."""
        namespace, application = application_of_pod(pod)
        role = pod["metadata"]["labels"][labels.COMPONENT]
        self._metrics.workers_given.labels(namespace, application, role, path).inc()

    def _claimed(self, action: actions.Claim, pod: Object) -> None:
        """Count a claim, and how long it was waited for."""
        self._given(pod, "warm")
        run = self._index.get(Kind.JOB_RUN, run_of_pod(pod) or ("", ""))
        created = epoch(((run or {}).get("status") or {}).get("createdAt"))
        asked = created if action.request is None else action.request.asked_at
        if asked is not None:
            self._metrics.claim_wait_seconds.labels(action.worker.role).observe(max(0.0, time.time() - asked))

    async def _event_log(self, uri: str | None, namespace: str) -> None:
        if uri is None:
            return
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                await self._store.ensure_marker(uri, namespace=namespace)
        except TimeoutError as error:
            raise StoreUnavailable(f"no answer within {_STORE_SECONDS:g} s for {uri}", "Timeout") from error

    @asynccontextmanager
    async def _noting_problems(self, uid: str) -> AsyncIterator[None]:
        """Remember why a run could not get its driver, for its status and for how long that is tried."""
        try:
            yield
        except (StoreRefused, Forbidden, Invalid, AlreadyExists) as error:
            # Quota and admission may relent: those are tried for a while; what the store refuses is the user's to mend.
            reason = "LogUriRefused" if isinstance(error, StoreRefused) else "PodRefused"
            self._problem(uid, labels.DRIVER, reason, error)
            raise Failed(str(error)) from error
        except StoreUnavailable as error:
            self._problem(uid, labels.DRIVER, "StoreUnavailable", error)
            raise
        self._gatherer.problems.pop(uid, None)

    def _problem(self, uid: str, role: str, reason: str, error: Exception) -> None:
        held = self._gatherer.problems.get(uid)
        since = held.since if held is not None and held.reason == reason else time.time()
        permanent = isinstance(error, StoreRefused)
        self._gatherer.problems[uid] = Problem(reason, str(error), permanent, since, role)

    async def _claim(self, action: actions.Claim) -> None:
        """Take an idle worker by compare-and-swap and give it its CPU; before, a driver's event log gets its place."""
        worker = action.worker
        if action.request is not None:
            if not self._waits(action.request):
                return
            self._claimed(action, await self._swap(action))
            if not self._waits(action.request):
                # Its driver has withdrawn it meanwhile, when there was no pod yet which could be told to stop.
                await self._applier.stop_pod(worker.namespace, worker.name, worker.uid, labels.REMOVED_BY_SPARK)
                return
            self._index.remove_waiting((action.request.namespace, action.request.pod_name))
        else:
            async with self._noting_problems(action.owner["uid"]):
                await self._event_log(action.event_log_uri, worker.namespace)
                self._claimed(action, await self._swap(action))
        if action.resources is not None:
            await self._give_cpu((worker.namespace, worker.name), worker.uid, action.resources)

    async def _give_cpu(self, key: Key, uid: str, resources: dict[str, Any]) -> None:
        """Raise a claimed worker's CPU; why that is refused (by a ResourceQuota, for one) is said by its run."""
        try:
            await self._applier.resize_pod(*key, resources)
        except (Forbidden, Invalid) as error:
            self._index.refused_cpu[uid] = str(error)
            raise
        self._index.refused_cpu.pop(uid, None)

    async def _swap(self, action: actions.Claim) -> Object:
        worker, identity = action.worker, action.identity
        return await self._applier.claim_pod(
            worker.namespace,
            worker.name,
            annotations=identity["annotations"],
            pod_labels=identity["labels"],
            owner=action.owner,
            uid=worker.uid,
            resource_version=worker.version,
        )

    async def _create_warm(self, pod: Object) -> None:
        """Make a pre-initialized worker; one that is refused is a warm-up that failed."""
        try:
            await self._applier.create_pod(pod)
        except (Forbidden, Invalid) as error:
            self._gatherer.warm_up_refused(pod, str(error))
            raise Failed(str(error)) from error

    async def _create_executor(self, action: actions.CreateExecutor) -> None:
        request = action.request
        if not self._waits(request):
            return
        try:
            self._given(await self._applier.create_pod(action.pod), "cold")
        except (Forbidden, Invalid) as error:
            # The request goes on waiting; the next plan tries again, after a pause.
            self._problem(request.run_uid, labels.EXECUTOR_ROLE, "ExecutorRefused", error)
            raise Failed(str(error)) from error
        self._index.remove_waiting((request.namespace, request.pod_name))

    def _waits(self, request: ExecutorRequest) -> bool:
        """False when its driver has withdrawn it since the plan was made."""
        return self._index.get(Kind.WAITING, (request.namespace, request.pod_name)) is not None

    def _announce(self, action: actions.Announce) -> None:
        obj = self._index.get(Kind(action.kind), action.key)
        if obj is not None:
            self._news.append((obj, action))
            self._has_news.set()


async def _unless_gone(call: Awaitable[object]) -> None:
    """What is gone, or replaced by another object, needs nothing more; the watch will tell."""
    try:
        await call
    except (NotFound, Conflict) as error:
        log.info("the object is gone or is another one now", extra={"error": str(error)})


async def _at_once(call: Callable[[], None]) -> None:
    call()
