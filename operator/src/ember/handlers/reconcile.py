"""The one reconcile function: gather, plan, apply, record; and what makes it run."""

import logging
import time
from datetime import datetime
from typing import Any

from ember.handlers.carry_out import Failed, Hands
from ember.handlers.gather import Gatherer
from ember.handlers.queue import KeyedQueue, NotDone
from ember.kube.index import Change, Index, Key, Kind, application_of_pod, application_of_run
from ember.plan.actions import Plan, SetRunStatus
from ember.plan.application import plan_shard
from ember.plan.warmups import WarmUps
from ember.telemetry.metrics import OperatorMetrics

log = logging.getLogger(__name__)


class Reconciler:
    """Decides for one application and its runs at a time, whenever anything of theirs changed."""

    def __init__(self, index: Index, gatherer: Gatherer, hands: Hands, metrics: OperatorMetrics) -> None:
        self._index, self._gatherer, self._hands, self._metrics = index, gatherer, hands, metrics
        self._failed_warm_ups: dict[Key, int] = {}
        self.queue = KeyedQueue(self.reconcile)
        index.subscribe(self._on_change)

    async def reconcile(self, key: Key) -> float | None:
        """Bring one application and its runs a step further. Raises NotDone when some of the plan failed."""
        began = time.monotonic()
        try:
            shard = self._gatherer.shard(key)
            plan = plan_shard(shard)
            self._record_warm_ups(key, shard.warm_ups)
            self._record(plan)
            await self._hands.carry_out(plan)
        except Exception as error:
            self._metrics.reconcile_errors.labels("EMRApplication").inc()
            if not isinstance(error, Failed):
                raise
            names = {"namespace": key[0], "application": key[1]}
            log.warning("not all could be done", extra={**names, "error": str(error)})
            raise NotDone from error
        finally:
            self._metrics.reconcile_seconds.labels("EMRApplication").observe(time.monotonic() - began)
        return plan.look_again_in

    def _record_warm_ups(self, key: Key, known: WarmUps) -> None:
        """One line and one count for warm-ups that failed since the last time."""
        more = known.failed - self._failed_warm_ups.get(key, 0)
        if more:
            self._failed_warm_ups[key] = known.failed
            self._metrics.warm_ups_failed.labels(*key).inc(more)
            log.warning("a warm-up failed: %s", known.failure, extra={"namespace": key[0], "application": key[1]})

    def _record(self, plan: Plan) -> None:
        """One line and one count for each run that enters another state."""
        for action in plan.actions:
            if not isinstance(action, SetRunStatus):
                continue
            run = self._index.get(Kind.JOB_RUN, action.key)
            before = (run.get("status") or {}) if run is not None else {}
            self._record_first_task(before, action.status)
            old, new = before.get("state"), action.status["state"]
            if run is None or new == old:
                continue
            application = run["spec"]["applicationRef"]["name"]
            self._metrics.transitions.labels(new, action.key[0], application).inc()
            self._record_start(before, action.status, application, action.key[0])
            ids = {"jobRunId": action.status.get("jobRunId"), "applicationId": action.status.get("applicationId")}
            names = {"namespace": action.key[0], "application": application, "jobRun": action.key[1]}
            details = action.status.get("stateDetails", "")
            log.info("job run is %s", new, extra={**names, **ids, "state": new, "was": old, "details": details})

    def _record_first_task(self, before: dict[str, Any], status: dict[str, Any]) -> None:
        """How long a run took to its first task, by path; once, when it becomes known."""
        startup = status.get("startup") or {}
        first = startup.get("firstTaskMilliseconds")
        if first is None or (before.get("startup") or {}).get("firstTaskMilliseconds") is not None:
            return
        kinds = {startup.get("driver")}
        kinds |= {"WARM"} if startup.get("warmExecutors") else set()
        kinds |= {"COLD"} if startup.get("coldExecutors") else set()
        path = "mixed" if len(kinds) > 1 else str(kinds.pop()).lower()
        self._metrics.first_task_seconds.labels(path).observe(first / 1000)

    def _record_start(self, before: dict[str, Any], status: dict[str, Any], application: str, namespace: str) -> None:
        """How long a run took from its creation to its driver, by path; once, when its start becomes known."""
        if "startedAt" in before or "startedAt" not in status:
            return
        self._metrics.attempts.labels(namespace, application).inc()
        begun, created = datetime.fromisoformat(status["startedAt"]), datetime.fromisoformat(status["createdAt"])
        path = str((status.get("startup") or {}).get("driver", "COLD")).lower()
        self._metrics.job_run_start_seconds.labels(path).observe(max(0.0, (begun - created).total_seconds()))

    def _on_change(self, change: Change) -> None:
        key = self._shard_of(change)
        if key is not None and key[1]:
            self.queue.add(key)

    def _shard_of(self, change: Change) -> Key | None:
        match change.kind:
            case Kind.APPLICATION:
                return change.key
            case Kind.JOB_RUN:
                return application_of_run(change.object)
            case Kind.POD:
                return application_of_pod(change.object)
            case Kind.WAITING:
                run = self._index.get(Kind.JOB_RUN, (change.object.namespace, change.object.run_name))
                return application_of_run(run) if run is not None else None
