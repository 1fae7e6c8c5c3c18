"""Gauges, counted from the index every few seconds: nothing to keep in step, nothing to drift."""

import asyncio
import logging
from collections import Counter

from ember.handlers.gather import Gatherer
from ember.handlers.queue import KeyedQueue
from ember.kube.index import Index, Kind, Object, application_of_run, key_of
from ember.model import labels
from ember.model.states import ApplicationState, JobRunState
from ember.plan.pool import stocks
from ember.plan.warm import size_of
from ember.plan.workers import worker_of
from ember.telemetry.metrics import OperatorMetrics

log = logging.getLogger(__name__)
_INTERVAL = 5.0
_MIB, _GIB = 1 << 20, 1 << 30


async def keep_gauges(gatherer: Gatherer, queue: KeyedQueue, metrics: OperatorMetrics) -> None:
    """Count until cancelled."""
    while True:
        try:
            count(gatherer, queue, metrics)
        except Exception:
            log.exception("the gauges were not counted")
        await asyncio.sleep(_INTERVAL)


def count(gatherer: Gatherer, queue: KeyedQueue, metrics: OperatorMetrics) -> None:
    """Set every gauge from what the index holds now."""
    index = gatherer.index
    metrics.reconcile_queue.set(len(queue))
    states = Counter(str((a.get("status") or {}).get("state", "")) for a in index.all(Kind.APPLICATION))
    for shown in ApplicationState:
        metrics.applications.labels(shown).set(states[shown.value])
    metrics.job_runs.clear()
    runs: Counter[tuple[str, str, str]] = Counter()
    for run in index.all(Kind.JOB_RUN):
        runs[((run.get("status") or {}).get("state", ""), *application_of_run(run))] += 1
    for (state, namespace, application), number in runs.items():
        if state:
            metrics.job_runs.labels(state, namespace, application).set(number)
    for obj in index.all(Kind.APPLICATION):
        _application(index, obj, runs, metrics)
    _pool(gatherer, metrics)


def _application(index: Index, obj: Object, runs: Counter[tuple[str, str, str]], metrics: OperatorMetrics) -> None:
    key = key_of(obj)
    capacity = (obj.get("status") or {}).get("capacity") or {}
    metrics.job_runs_queued.labels(*key).set(runs[(JobRunState.QUEUED.value, *key)])
    gauges = (
        ("used", "cpu", 1, metrics.cpu_used),
        ("used", "memoryMiB", _MIB, metrics.memory_used),
        ("used", "diskGiB", _GIB, metrics.disk_used),
        ("maximum", "cpu", 1, metrics.cpu_maximum),
        ("maximum", "memoryMiB", _MIB, metrics.memory_maximum),
        ("maximum", "diskGiB", _GIB, metrics.disk_maximum),
    )
    for part, field, unit, gauge in gauges:
        value = (capacity.get(part) or {}).get(field)
        if value is not None:
            gauge.labels(*key).set(value * unit)
    waiting = sum(len(index.waiting_of_run(key_of(run))) for run in index.runs_of_application(key))
    workers = [
        worker_of(pod, index.reports.get(pod["metadata"].get("uid", "")), None)
        for pod in index.pods_of_application(key)
    ]
    executors = [w for w in workers if w.role == labels.EXECUTOR_ROLE and w.run_uid and not w.ended]
    metrics.executors_running.labels(*key).set(sum(1 for w in executors if w.started))
    metrics.executors_given.labels(*key).set(len(executors))
    metrics.executors_wanted.labels(*key).set(len(executors) + waiting)


def _pool(gatherer: Gatherer, metrics: OperatorMetrics) -> None:
    """Pre-initialized workers of all applications by what they do."""
    metrics.workers_warm.clear()
    for obj in gatherer.index.all(Kind.APPLICATION):
        shard = gatherer.shard(key_of(obj))
        claimed = Counter(w.pool for run in shard.runs for w in run.workers if w.pool and not w.ended)
        for one in stocks(shard):
            names = (*key_of(obj), one.shape.kind, size_of(one.shape.capacity))
            counts = {**dict(one.status), "claimed": claimed[one.template]}
            for state, number in counts.items():
                metrics.workers_warm.labels(*names, state).set(number)
