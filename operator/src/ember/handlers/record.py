"""Gauges, counted from the index every few seconds: nothing to keep in step, nothing to drift."""

import asyncio
from collections import Counter

from ember.handlers.queue import KeyedQueue
from ember.kube.index import Index, Key, Kind, Object, application_of_run, key_of
from ember.model import labels
from ember.model.states import ApplicationState, JobRunState
from ember.plan.workers import worker_of
from ember.telemetry.metrics import OperatorMetrics

_INTERVAL = 5.0
_MIB, _GIB = 1 << 20, 1 << 30


async def keep_gauges(index: Index, queue: KeyedQueue, metrics: OperatorMetrics) -> None:
    """Count until cancelled."""
    while True:
        count(index, queue, metrics)
        await asyncio.sleep(_INTERVAL)


def count(index: Index, queue: KeyedQueue, metrics: OperatorMetrics) -> None:
    """Set every gauge from what the index holds now."""
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
    _pool(index, key, metrics)
    waiting = sum(len(index.waiting_of_run(key_of(run))) for run in index.runs_of_application(key))
    executors = [p for p in index.pods_of_application(key) if p["metadata"]["labels"].get("spark-role") == "executor"]
    running = sum(1 for pod in executors if (pod.get("status") or {}).get("phase") == "Running")
    metrics.executors_running.labels(*key).set(running)
    metrics.executors_wanted.labels(*key).set(len(executors) + waiting)


def _pool(index: Index, key: Key, metrics: OperatorMetrics) -> None:
    """Pre-initialized workers of an application by what they do."""
    counts: Counter[tuple[str, str]] = Counter()
    for pod in index.pods_of_application(key):
        worker = worker_of(pod, index.reports.get(pod["metadata"].get("uid", "")), None)
        if worker.pool and not worker.ended:
            counts[(worker.role, "claimed" if worker.run_uid else "idle" if worker.ready else "warming")] += 1
    for role in (labels.DRIVER, labels.EXECUTOR_ROLE):
        for state in ("warming", "idle", "claimed"):
            metrics.workers_warm.labels(*key, role, state).set(counts[(role, state)])
