"""Gauges, counted from the index every few seconds: nothing to keep in step, nothing to drift."""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping

from prometheus_client import Gauge

from ember.handlers.gather import Gatherer
from ember.handlers.queue import KeyedQueue
from ember.kube.index import Kind, Object, application_of_run, key_of
from ember.model.states import ApplicationState, JobRunState
from ember.plan.pool import KEEPS_POOL, stocks
from ember.plan.view import Shard
from ember.plan.warm import size_of
from ember.telemetry.metrics import OperatorMetrics

log = logging.getLogger(__name__)
_INTERVAL = 5.0
_MIB, _GIB = 1 << 20, 1 << 30
_Labels = tuple[str, ...]
_Values = Mapping[Gauge, Mapping[_Labels, float]]
_Counting = defaultdict[Gauge, defaultdict[_Labels, float]]


async def keep_gauges(gatherer: Gatherer, queue: KeyedQueue, metrics: OperatorMetrics) -> None:
    """Count until cancelled."""
    board = Board()
    while True:
        try:
            metrics.reconcile_queue.set(len(queue))
            board.show(count(gatherer, metrics))
        except Exception:
            log.exception("the gauges were not counted")
        await asyncio.sleep(_INTERVAL)


class Board:
    """Shows values by label, and takes down those that are not there any more."""

    def __init__(self) -> None:
        self._shown: dict[Gauge, set[_Labels]] = {}

    def show(self, values: _Values) -> None:
        """Show these values, of these gauges and of all that were ever shown, and no others."""
        for gauge in self._shown.keys() | values.keys():
            own = values.get(gauge, {})
            for names in self._shown.get(gauge, set()) - own.keys():
                gauge.remove(*names)
            for names, value in own.items():
                gauge.labels(*names).set(value)
            self._shown[gauge] = set(own)


def count(gatherer: Gatherer, metrics: OperatorMetrics) -> _Values:
    """What every gauge with labels shows now."""
    index = gatherer.index
    values: _Counting = defaultdict(lambda: defaultdict(float))
    states = Counter(str((a.get("status") or {}).get("state", "")) for a in index.all(Kind.APPLICATION))
    for shown in ApplicationState:
        values[metrics.applications][shown.value,] = states[shown.value]
    for run in index.all(Kind.JOB_RUN):
        if state := (run.get("status") or {}).get("state"):
            values[metrics.job_runs][state, *application_of_run(run)] += 1
    for obj in index.all(Kind.APPLICATION):
        key = key_of(obj)
        values[metrics.job_runs_queued][key] = values[metrics.job_runs].get((JobRunState.QUEUED, *key), 0)
        _capacity(obj, metrics, values)
        try:
            shard = gatherer.shard(key)
        except Exception:  # one that cannot be read, after a downgrade say, hides no other
            log.exception("an application cannot be counted", extra={"namespace": key[0], "application": key[1]})
            continue
        _executors(shard, key, metrics, values)
        _pool(shard, key, metrics, values)
    return values


def _capacity(obj: Object, metrics: OperatorMetrics, values: _Counting) -> None:
    capacity = (obj.get("status") or {}).get("capacity") or {}
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
            values[gauge][key_of(obj)] = value * unit


def _executors(shard: Shard, key: _Labels, metrics: OperatorMetrics, values: _Counting) -> None:
    executors = [e for run in shard.runs for e in run.executors if not e.ended]
    waiting = sum(len(run.waiting) for run in shard.runs)
    values[metrics.executors_running][key] = sum(1 for e in executors if e.started)
    values[metrics.executors_given][key] = len(executors)
    values[metrics.executors_wanted][key] = len(executors) + waiting


def _pool(shard: Shard, key: _Labels, metrics: OperatorMetrics, values: _Counting) -> None:
    """Pre-initialized workers by what they do; two entries of one type and size are one row."""
    assert shard.application is not None
    kept = shard.application.status.state in KEEPS_POOL
    claimed = Counter(w.pool for run in shard.runs for w in run.workers if w.pool and not w.ended)
    for one in stocks(shard):
        status, names = one.status, (*key, one.shape.role, size_of(one.shape.capacity))
        rows = {
            "wanted": status.wanted if kept else 0,
            "warming": status.warming,
            "idle": status.idle,
            "claimed": claimed[one.template],
        }
        for state, number in rows.items():
            values[metrics.workers_warm][*names, state] += number
