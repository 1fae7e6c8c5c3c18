"""Every metric of Ember, declared in one place.

The names follow Prometheus' rules: base units, the unit as suffix, `_total` for counters, one unit per metric.
`docs/reference/metrics.md` is generated from these declarations (`python -m ember.telemetry.reference`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_STARTS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0)
_CLAIMS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_WARM_UPS = (5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0)
_ENDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)


@dataclass(frozen=True)
class Declaration:
    """One metric as the reference shows it."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()


class Declarations:
    """Makes metrics in a registry and remembers how each was declared."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.declared: list[Declaration] = []

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """Declare a value that goes up and down."""
        self.declared.append(Declaration(name, "gauge", text, labels))
        return Gauge(name, text, labels, registry=self.registry)

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """Declare a sum that only grows; the name ends in `_total`."""
        self.declared.append(Declaration(name, "counter", text, labels))
        return Counter(name, text, labels, registry=self.registry)

    def histogram(self, name: str, text: str, *labels: str, buckets: Sequence[float] = _QUICK) -> Histogram:
        """Declare a distribution, in base units."""
        self.declared.append(Declaration(name, "histogram", text, labels, tuple(buckets)))
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)


class OperatorMetrics:
    """What the operator's handlers measure."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        make = Declarations(registry)
        run = ("namespace", "application")
        self.applications = make.gauge("ember_applications", "EMRApplications by state.", "state")
        self.job_runs = make.gauge("ember_job_runs", "JobRuns by state.", "state", *run)
        self.job_runs_queued = make.gauge("ember_job_runs_queued", "JobRuns waiting for capacity or a free slot.", *run)
        self.transitions = make.counter(
            "ember_job_run_transitions_total", "Changes of state of JobRuns, by the state entered.", "state", *run
        )
        self.attempts = make.counter("ember_job_run_attempts_total", "Attempts of JobRuns started.", *run)
        self.job_run_start_seconds = make.histogram(
            "ember_job_run_start_seconds",
            "Time from a JobRun's acceptance to its driver running; path is warm (a pre-initialized worker) or cold.",
            "path",
            buckets=_STARTS,
        )
        self.first_task_seconds = make.histogram(
            "ember_job_run_first_task_seconds",
            "Time from a JobRun's creation to its first task, as its driver's log tells it. path: warm (driver and all "
            "executors were pre-initialized workers), mixed or cold.",
            "path",
            buckets=_STARTS,
        )
        self._declare_capacity(make, run)
        self._declare_workers(make, run)
        self._declare_loops(make)
        self.declared = tuple(make.declared)

    def _declare_capacity(self, make: Declarations, run: tuple[str, str]) -> None:
        used, most = "Reserved by the workers of an application", "maximumCapacity of an application"
        self.cpu_used = make.gauge("ember_capacity_cpu_used_cores", f"{used}: CPU.", *run)
        self.memory_used = make.gauge("ember_capacity_memory_used_bytes", f"{used}: memory.", *run)
        self.disk_used = make.gauge("ember_capacity_disk_used_bytes", f"{used}: disk.", *run)
        self.cpu_maximum = make.gauge("ember_capacity_cpu_maximum_cores", f"{most}: CPU.", *run)
        self.memory_maximum = make.gauge("ember_capacity_memory_maximum_bytes", f"{most}: memory.", *run)
        self.disk_maximum = make.gauge("ember_capacity_disk_maximum_bytes", f"{most}: disk.", *run)

    def _declare_workers(self, make: Declarations, run: tuple[str, str]) -> None:
        self.workers_warm = make.gauge(
            "ember_workers_warm",
            "Pre-initialized workers by worker type (driver or executor), size and state: wanted, warming, idle or "
            "claimed.",
            *run,
            "worker_type",
            "size",
            "state",
        )
        self.warm_ups_failed = make.counter(
            "ember_warm_ups_failed_total",
            "Pre-initialized workers that did not get warm, or whose pod was refused.",
            *run,
        )
        self.workers_given = make.counter(
            "ember_workers_given_total",
            "Workers given to JobRuns. path is warm (a pre-initialized one was claimed) or cold: the warm hit ratio is "
            "the share of warm.",
            *run,
            "worker_type",
            "path",
        )
        self.claim_wait_seconds = make.histogram(
            "ember_claim_wait_seconds",
            "Time from asking for a worker (a driver's: the creation of its JobRun; an executor's: Spark's request) to "
            "the claim of a pre-initialized one.",
            "worker_type",
            buckets=_CLAIMS,
        )
        self.executors_wanted = make.gauge("ember_executors_wanted", "Executors that Spark drivers ask for.", *run)
        self.executors_given = make.gauge("ember_executors_given", "Executors that have a pod.", *run)
        self.executors_running = make.gauge("ember_executors_running", "Executors whose process runs.", *run)

    def _declare_loops(self, make: Declarations) -> None:
        self.reconcile_seconds = make.histogram(
            "ember_reconcile_duration_seconds", "Duration of one reconciliation, by kind of object.", "kind"
        )
        self.reconcile_errors = make.counter(
            "ember_reconcile_errors_total", "Reconciliations that ended in an error, by kind of object.", "kind"
        )
        self.reconcile_queue = make.gauge("ember_reconcile_queue_length", "Applications waiting to be reconciled.")
        self.api_requests = make.counter(
            "ember_api_requests_total", "Requests to the Kubernetes API.", "verb", "resource", "code"
        )
        self.leader = make.gauge("ember_leader", "1 while this replica holds the Lease.")


class BrokerMetrics:
    """What the broker measures."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        make = Declarations(registry)
        self.requests = make.counter(
            "ember_broker_requests_total", "Requests to the broker, by route (not by path).", "route", "code"
        )
        self.request_seconds = make.histogram(
            "ember_broker_request_duration_seconds", "Duration of requests which do not wait for news.", "route"
        )
        self.waiting = make.gauge("ember_broker_waiting_requests", "Long polls and watches open now.", "route")
        self.credentials = make.counter(
            "ember_broker_credentials_total", "Store credentials handed out or refused.", "result"
        )
        self.assignment_seconds = make.histogram(
            "ember_claim_assignment_seconds",
            "Time from the claim of a pre-initialized worker to the answer that tells it its job.",
            buckets=_CLAIMS,
        )
        self.warm_up_seconds = make.histogram(
            "ember_worker_warm_up_seconds",
            "Time from the creation of a pre-initialized worker's pod to its readiness.",
            "worker_type",
            buckets=_WARM_UPS,
        )
        self.declared = tuple(make.declared)


class AgentMetrics:
    """What the log agent measures."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        make = Declarations(registry)
        self.pods = make.gauge("ember_log_pods", "Pods of this node whose logs are followed.")
        self.read_bytes = make.counter("ember_log_read_bytes_total", "Bytes read from container logs.")
        self.dropped_bytes = make.counter(
            "ember_log_dropped_bytes_total", "Bytes of container logs given up: written faster than they can be read."
        )
        self.uploads = make.counter(
            "ember_log_uploads_total", "Uploads of log objects; result is ok, unavailable or refused.", "result"
        )
        self.upload_bytes = make.counter("ember_log_upload_bytes_total", "Bytes of log objects uploaded, compressed.")
        self.pods_failing = make.gauge("ember_log_pods_failing", "Pods whose last upload failed.")
        self.completion_seconds = make.histogram(
            "ember_log_completion_seconds",
            "Time from the news of a pod's end to its logs being complete in the store.",
            buckets=_ENDS,
        )
        self.broker_errors = make.counter("ember_log_broker_errors_total", "Requests to the broker that failed.")
        self.declared = tuple(make.declared)
