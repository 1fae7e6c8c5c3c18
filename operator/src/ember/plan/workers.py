"""What a worker pod is, read from its Kubernetes object and from what its launcher and the log agent said."""

import contextlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ember.model import labels
from ember.model.capacity import Capacity
from ember.plan.facts import UploadReport, WorkerReport

BEGAN = "submit"  # the mark that a launcher sets when it hands the job to Spark
# Seconds a launcher has to end after it was told to: far above what it gives the JVM and its last report.
STOP_TIMEOUT = 240.0
# Seconds in which a claimed worker hears of its run: its launcher's question is open all the time.
ASK_TIMEOUT = 15.0
_LONGEST_NUMBER = 10  # digits
# Waiting reasons of a container that will not mend themselves; the kubelet goes on trying, we do not wait for ever.
STUCK_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
    }
)


@dataclass(frozen=True)
class Worker:
    """One worker pod as plans see it. Times are epoch seconds."""

    namespace: str
    name: str
    uid: str
    role: str  # driver | executor
    run_name: str  # empty for an idle warm worker
    run_uid: str
    attempt: int
    executor_id: str
    capacity: Capacity
    created_at: float
    scheduled: bool
    running: bool  # its container runs
    started: bool  # its launcher said that Spark starts; of a cold one: or its container runs
    ended: bool
    # It counts against the maximum: from its creation until all can see that its container ended, or nobody ever will.
    holds_capacity: bool
    exit_code: int | None
    end_reason: str
    ended_at: float | None
    stuck: str  # why its container cannot start; empty when it can
    stop: str  # why it was told to stop; empty when it was not
    stopped_at: float | None  # when
    deleting: bool
    logs_complete: bool
    logs_error: str
    pool: str = ""  # the template that a pre-initialized worker was made from; empty for a cold one
    ready: bool = False  # a pre-initialized worker that is warm
    unused: bool = False  # a claimed pre-initialized worker whose job is known not to have begun, and never to begin
    lost: bool = False  # its node answers no more: nobody knows how it is
    starved: bool = False  # its container asks for no more CPU than an idle pre-initialized worker
    heap_mib: int = 0
    image: str = ""
    zone: str = ""
    ready_at: float | None = None  # when it said that it is warm, as long as that was its last word
    claimed_at: float | None = None  # when a run claimed it; of a cold one never
    started_at: float | None = None  # when it started to work for its run, as far as that is known
    short_of_cpu: str = ""  # why its container has not got the CPU that was asked for at its claim; empty when it has
    first_task_at: float | None = None  # a driver's, as its log says
    version: str = ""  # resourceVersion, for a compare-and-swap

    @property
    def idle(self) -> bool:
        """A warm worker that nobody has claimed, and that may be."""
        return self.ready and self.stays and not self.run_uid

    @property
    def stays(self) -> bool:
        """Neither ended nor about to, nor lost with its node."""
        return not (self.ended or self.deleting or self.stop or self.lost)

    @property
    def abandoned(self) -> bool:
        """Deleted while its node is lost: nobody is there to end it, and it would be there for ever."""
        return self.lost and self.deleting

    def is_untold(self, now: float) -> bool:
        """Whether it was claimed so long ago that its launcher, which asks all the time, must be gone with its node."""
        if self.ended or self.ready_at is None or self.claimed_at is None:
            return False
        return now - self.claimed_at > ASK_TIMEOUT

    def is_deaf(self, now: float) -> bool:
        """Whether it was told to stop so long ago that it never will."""
        return not self.ended and self.stopped_at is not None and now - self.stopped_at > STOP_TIMEOUT

    @property
    def begun_at(self) -> float:
        """When it began to be for its run."""
        return self.created_at if self.claimed_at is None else self.claimed_at


def worker_of(
    pod: dict[str, Any], report: WorkerReport | None, upload: UploadReport | None, refused_cpu: str = ""
) -> Worker:
    """Read a worker pod. Reports win over the pod's status, which the kubelet brings up to two seconds late.

    Not so for capacity: a launcher shares its pod with the run's own code, whose word must not lift the maximum.

    Never raises: who may change pods in the tenant's namespace may have written anything into labels and annotations.
    """
    meta, status = pod["metadata"], pod.get("status", {})
    names, notes = meta.get("labels", {}), meta.get("annotations", {})
    container = _container_state(status)
    terminated = container.get("terminated")
    said_end = report is not None and report.event == "ended"
    phase = status.get("phase", "Pending")
    seen_ended = terminated is not None or phase in ("Succeeded", "Failed")
    ended = said_end or seen_ended
    exit_code, end_reason = _exit(report if said_end else None, terminated, status)
    lost, deleting, pool = _lost(status), "deletionTimestamp" in meta, names.get(labels.POOL, "")
    stop, claimed_at = notes.get(labels.STOP, ""), _moment(notes.get(labels.CLAIMED_AT))
    return Worker(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta.get("uid", ""),
        role=names.get(labels.COMPONENT, ""),
        run_name=notes.get(labels.JOB_RUN_NAME, ""),
        run_uid=names.get(labels.JOB_RUN_UID, ""),
        attempt=_number(names.get(labels.ATTEMPT, "1")),
        executor_id=names.get(labels.SPARK_EXEC_ID, ""),
        capacity=_capacity(notes.get(labels.WORKER)),
        created_at=epoch(meta.get("creationTimestamp")) or 0.0,
        scheduled=bool(pod.get("spec", {}).get("nodeName")),
        running="running" in container,
        started=_started(report, container, warm=bool(pool)),
        ended=ended,
        holds_capacity=not (seen_ended or (lost and deleting)),
        exit_code=exit_code if ended else None,
        end_reason=end_reason if ended else "",
        ended_at=_ended_at(report if said_end else None, terminated, status) if ended else None,
        stuck=_stuck(container) or _unschedulable(status),
        stop=stop,
        stopped_at=_moment(notes.get(labels.STOPPED_AT)),
        deleting=deleting,
        logs_complete=upload is not None and upload.complete,
        logs_error=upload.error if upload is not None else "",
        pool=pool,
        ready=bool(pool) and not lost and (_said_ready(report) or _is(status, "Ready", "True")),
        unused=bool(pool) and _never_began(report, terminated) if ended else bool(stop) and _untold(report),
        lost=lost,
        starved=_cpu_request(pod) == labels.IDLE_CPU,
        heap_mib=_number(notes.get(labels.HEAP, "0")),
        image=_container(pod).get("image", ""),
        zone=names.get(labels.ZONE, ""),
        ready_at=report.at if report is not None and report.event == "ready" else None,
        claimed_at=claimed_at,
        started_at=claimed_at or _moment((terminated or container.get("running") or {}).get("startedAt")),
        short_of_cpu=refused_cpu or _resize_pending(status),
        first_task_at=upload.first_task_at if upload is not None else None,
        version=meta.get("resourceVersion", ""),
    )


def epoch(timestamp: str | None) -> float | None:
    """Epoch seconds of an RFC 3339 time as Kubernetes writes it; None for none."""
    return datetime.fromisoformat(timestamp).timestamp() if timestamp else None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < _LONGEST_NUMBER else 0


def _moment(text: str | None) -> float | None:
    with contextlib.suppress(ValueError):
        return epoch(text)
    return None


def _capacity(text: str | None) -> Capacity:
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
        return Capacity.from_annotation(text or "")
    return Capacity.zero()


def _started(report: WorkerReport | None, container: dict[str, Any], *, warm: bool) -> bool:
    """A warm worker's container runs long before its job does, so only its launcher's word counts."""
    if report is not None and report.event not in ("ready", "assigned"):
        return True
    return not warm and "running" in container


def _said_ready(report: WorkerReport | None) -> bool:
    """Whether its launcher was ever ready; one whose warm-up failed has only said that it ended."""
    return report is not None and (report.event != "ended" or "ready" in report.marks)


def _never_began(report: WorkerReport | None, terminated: dict[str, Any] | None) -> bool:
    """Whether the job has surely not begun: by its launcher's own words, or because it was never told its run."""
    if report is not None and report.event == "ended":
        return BEGAN not in report.marks
    said = _parting_words(terminated)
    return said["began"] is False if "began" in said else _untold(report)


def _untold(report: WorkerReport | None) -> bool:
    """Whether it was never told its run: that would be its last word. Who is to stop is told so before all else."""
    return report is not None and report.event == "ready"


def _parting_words(terminated: dict[str, Any] | None) -> dict[str, Any]:
    """The launcher's termination message, if it wrote one; the run's own code may have written anything there."""
    try:
        said = json.loads((terminated or {}).get("message") or "{}")
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _cpu_request(pod: dict[str, Any]) -> str:
    return str(((_container(pod).get("resources") or {}).get("requests") or {}).get("cpu", ""))


def _container(pod: dict[str, Any]) -> dict[str, Any]:
    containers: list[dict[str, Any]] = pod.get("spec", {}).get("containers") or [{}]
    return containers[0]


def _is(status: dict[str, Any], condition: str, value: str) -> bool:
    return any(c.get("type") == condition and c.get("status") == value for c in status.get("conditions") or ())


def _lost(status: dict[str, Any]) -> bool:
    """Whether the cluster has lost its node: then it takes back that the pod is ready, and nothing else.

    A kubelet never says so itself: without readiness gates it sets both conditions alike.
    Source: Kubernetes, pkg/controller/util/node, MarkPodsNotReady.
    """
    return _is(status, "Ready", "False") and _is(status, "ContainersReady", "True")


def _container_state(status: dict[str, Any]) -> dict[str, Any]:
    statuses = status.get("containerStatuses") or [{}]
    state: dict[str, Any] = statuses[0].get("state") or {}
    return state


def _exit(
    report: WorkerReport | None, terminated: dict[str, Any] | None, status: dict[str, Any]
) -> tuple[int | None, str]:
    """Exit code and a reason that a human understands, from the best witness there is."""
    if terminated is not None and terminated.get("reason") == "OOMKilled":
        return terminated.get("exitCode", 137), "OOMKilled: the worker used more memory than its size allows"
    if report is not None:
        return report.exit_code, report.reason
    if terminated is not None:
        said = str(_parting_words(terminated).get("reason", ""))
        return terminated.get("exitCode"), said or terminated.get("reason", "")
    if status.get("reason"):  # evicted, preempted, node lost: the pod failed as a whole
        return None, f"{status['reason']}: {status.get('message', '')}".strip(": ")
    return None, ""


def _ended_at(report: WorkerReport | None, terminated: dict[str, Any] | None, status: dict[str, Any]) -> float | None:
    if report is not None:
        return report.at
    if terminated is not None:
        return epoch(terminated.get("finishedAt"))
    # It failed as a whole: evicted, or its node was lost.
    changes = [epoch(c.get("lastTransitionTime")) for c in status.get("conditions") or ()]
    return max((change for change in changes if change is not None), default=None)


def _stuck(container: dict[str, Any]) -> str:
    waiting = container.get("waiting") or {}
    if waiting.get("reason") in STUCK_REASONS:
        return f"{waiting['reason']}: {waiting.get('message', '')}".strip(": ")
    return ""


def _unschedulable(status: dict[str, Any]) -> str:
    """Why the scheduler finds no node, in its own words."""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return f"no node has room: {condition.get('message', '')}".strip(": ")
    return ""


def _resize_pending(status: dict[str, Any]) -> str:
    """Why the kubelet has not raised the CPU, in its own words. Source: KEP-1287, the condition PodResizePending."""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodResizePending" and condition.get("status") == "True":
            return f"{condition.get('reason', '')}: {condition.get('message', '')}".strip(": ")
    return ""
