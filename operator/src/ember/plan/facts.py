"""Facts about workers that no Kubernetes object holds: what a launcher, a Spark driver or a log agent told the broker.

All of them may be lost (an operator restart): each has a slower fallback on an object, named in its docstring.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class WorkerReport:
    """What a launcher said of its process, or (`assigned`) that the broker told it its run.

    Fallback: the pod's container status, which is up to two seconds late; and the launcher says with each long poll
    whether it is ready or started.
    """

    event: str  # ready | assigned | started | ended, in this order
    at: float  # epoch seconds, the broker's clock
    exit_code: int | None = None
    reason: str = ""
    marks: dict[str, float] = field(default_factory=dict)  # seconds since the launcher's start


@dataclass(frozen=True)
class UploadReport:
    """What a log agent said of a pod's logs. Fallback: the agent tells it again."""

    complete: bool
    at: float
    error: str = ""
    first_task_at: float | None = None  # epoch seconds, by the node's clock: when a driver's log showed its first task


@dataclass(frozen=True)
class ExecutorRequest:
    """One executor that a Spark driver asked for by POSTing a pod; nothing else of the posted pod is used.

    Fallback: Spark asks again for what it no longer sees, and for what it never saw after
    `spark.kubernetes.allocation.executor.timeout` (`ember.plan.assignment`).
    """

    namespace: str
    pod_name: str  # the name of the pod that will be created; also that of the virtual pod
    run_name: str
    run_uid: str
    attempt: int
    asked_at: float
    executor_id: str
    driver_url: str
    app_id: str
    resource_profile_id: str
    cores: int
    java_options: tuple[str, ...] = ()
    decommission: bool = False  # whether it can move its blocks away before it ends
    size: int = 0  # bytes, about, of what is kept of it
    labels: dict[str, str] = field(default_factory=dict)  # Spark's own labels, kept so that Spark finds its pods
