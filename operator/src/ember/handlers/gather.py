"""From the index to the view that a plan is made from: memory only; a specification is parsed once a generation."""

import time
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ember.kube.index import Change, Index, Key, Kind, Object, application_of_pod, application_of_run, key_of
from ember.model import labels
from ember.model.application import EMRApplicationSpec, EMRApplicationStatus
from ember.model.base import unsupported
from ember.model.jobrun import JobRunSpec, JobRunStatus
from ember.model.settings import Settings
from ember.model.states import JobRunState, is_terminal
from ember.plan import logs
from ember.plan.pods import PodBuilder
from ember.plan.spark import RunPlan, plan_run
from ember.plan.view import ApplicationView, Problem, RunView, Shard
from ember.plan.warm import Shape, shapes
from ember.plan.warmups import WarmUpHistory
from ember.plan.workers import Worker, epoch, worker_of


@dataclass(frozen=True)
class _Parsed:
    """What follows from a run's specification and its application's."""

    source: tuple[int, str, int]  # the run's generation, and which application in which generation
    spec: JobRunSpec | None
    plan: RunPlan | None
    invalid: str


class Gatherer:
    """Builds shards. `problems` are what did not work, by the UID of the run."""

    def __init__(self, index: Index, settings: Settings, pods: PodBuilder) -> None:
        self.index, self.settings, self.pods = index, settings, pods
        self.since = time.time()
        self.problems: dict[str, Problem] = {}
        self._parsed: dict[str, _Parsed] = {}
        self._warm_ups: dict[Key, WarmUpHistory] = {}
        index.subscribe(self._on_change)

    def shard(self, key: Key, now: float | None = None) -> Shard:
        """Everything known of an application and those of its runs that are not over and cleaned up."""
        application = self._application(self.index.get(Kind.APPLICATION, key))
        pods = self.index.pods_of_application(key)
        by_run: dict[str, list[Object]] = {}
        for pod in pods:
            by_run.setdefault(pod["metadata"]["labels"].get(labels.JOB_RUN_UID, ""), []).append(pod)
        runs = []
        for run in self.index.runs_of_application(key):
            own = by_run.pop(run["metadata"]["uid"], [])
            if own or not _settled(run):
                runs.append(self._run(run, application, own))
            else:
                self.forget(run["metadata"]["uid"])
        pool = tuple(self.worker(pod) for pod in by_run.pop("", []))
        strays = tuple(self.worker(pod) for group in by_run.values() for pod in group)
        runs.sort(key=lambda run: (run.created_at, run.key))
        moment = time.time() if now is None else now
        warm_ups = self._history(key).look(pool, moment)
        if application is None:
            self._warm_ups.pop(key, None)
        return Shard(moment, self.settings, self.pods, application, tuple(runs), strays, pool, warm_ups, self.since)

    def run(self, key: Key) -> tuple[RunView, ApplicationView] | None:
        """One run with its application, whatever its state; None when either is missing."""
        run = self.index.get(Kind.JOB_RUN, key)
        application = self._application(self.index.get(Kind.APPLICATION, application_of_run(run))) if run else None
        if run is None or application is None:
            return None
        uid = run["metadata"]["uid"]
        pods = [p for p in self.index.pods_of_run(key) if p["metadata"]["labels"].get(labels.JOB_RUN_UID) == uid]
        return self._run(run, application, pods), application

    def worker(self, pod: Object) -> Worker:
        """A pod with what its launcher and the log agent said of it."""
        uid = pod["metadata"].get("uid", "")
        index = self.index
        return worker_of(pod, index.reports.get(uid), index.uploads.get(uid), index.refused_cpu.get(uid, ""))

    def _on_change(self, change: Change) -> None:
        if change.kind is Kind.JOB_RUN and change.gone:
            self.forget(change.object["metadata"]["uid"])

    def forget(self, uid: str) -> None:
        """Drop what is remembered of a run that is over."""
        self._parsed.pop(uid, None)
        self.problems.pop(uid, None)

    def warm_up_refused(self, pod: Object, why: str, now: float | None = None) -> None:
        """Remember that this pre-initialized worker could not be created."""
        moment, template = time.time() if now is None else now, pod["metadata"]["labels"][labels.POOL]
        self._history(application_of_pod(pod)).refused(template, f"its pod was refused: {why}", moment)

    def _history(self, application: Key) -> WarmUpHistory:
        return self._warm_ups.setdefault(application, WarmUpHistory())

    def _application(self, obj: Object | None) -> ApplicationView | None:
        if obj is None:
            return None
        meta, spec, invalid = obj["metadata"], None, ""
        wanted: tuple[Shape, ...] = ()
        try:
            spec = EMRApplicationSpec.model_validate(obj["spec"])
            self.settings.release(spec.release_label)
            invalid = "; ".join(unsupported(spec)[:3])
            wanted = shapes(spec, self.settings.spark_defaults)
        except ValueError as error:
            invalid = _reason(error)
        return ApplicationView(
            key=key_of(obj),
            uid=meta["uid"],
            generation=meta.get("generation", 1),
            object=obj,
            spec=spec,
            status=EMRApplicationStatus.model_validate(obj.get("status") or {}),
            shapes=wanted,
            invalid=invalid,
            deleting="deletionTimestamp" in meta,
        )

    def _run(self, obj: Object, application: ApplicationView | None, pods: list[Object]) -> RunView:
        meta = obj["metadata"]
        status = JobRunStatus.model_validate(obj.get("status") or {})
        attempt = status.attempt or 1
        workers = [(self.worker(pod), pod) for pod in pods]
        drivers = [(w, p) for w, p in workers if w.role == labels.DRIVER]
        used = sorted(
            ((w, p) for w, p in drivers if w.attempt == attempt and not w.unused),
            key=lambda d: (d[0].begun_at, d[0].name),
        )
        driver, driver_object = used[0] if used else (None, None)
        executors = tuple(w for w, _ in workers if w.role == labels.EXECUTOR_ROLE)
        there = {executor.executor_id for executor in executors}
        # The answer to its claim may have been lost: then it has its pod, and waits no more.
        wishes = self.index.waiting_of_run(key_of(obj))
        waiting = tuple(w for w in wishes if w.run_uid == meta["uid"] and w.executor_id not in there)
        parsed = self._parse(obj, application, settled=driver is not None)
        return RunView(
            key=key_of(obj),
            uid=meta["uid"],
            generation=meta.get("generation", 1),
            created_at=epoch(meta["creationTimestamp"]) or 0.0,
            object=obj,
            spec=parsed.spec,
            status=status,
            plan=parsed.plan,
            invalid=parsed.invalid,
            deleting="deletionTimestamp" in meta,
            driver=driver,
            driver_object=driver_object,
            executors=executors,
            unused=tuple(w for w, _ in drivers if w.unused),
            surplus=tuple(w for w, _ in drivers if w is not driver and not w.unused),
            waiting=waiting,
            problem=self._problem(meta["uid"], driver, waits=bool(waiting)),
        )

    def _problem(self, uid: str, driver: Worker | None, *, waits: bool) -> Problem | None:
        """What is in the way of a worker that the run still wants; of others, it is forgotten."""
        wanted = labels.DRIVER if driver is None else labels.EXECUTOR_ROLE if waits else ""
        problem = self.problems.get(uid)
        if problem is not None and problem.role != wanted:
            del self.problems[uid]
            return None
        return problem

    def _parse(self, obj: Object, application: ApplicationView | None, *, settled: bool) -> _Parsed:
        """`settled`: it has its driver, and goes on as it was planned, whatever becomes of the application."""
        meta = obj["metadata"]
        known = (application.uid, application.generation) if application is not None else ("", 0)
        source = (meta.get("generation", 1), *known)
        held = self._parsed.get(meta["uid"])
        if held is None or not (held.source == source or (settled and held.plan is not None)):
            held = self._parsed[meta["uid"]] = self._parse_anew(obj["spec"], application, source)
        return held

    def _parse_anew(self, raw: Any, application: ApplicationView | None, source: tuple[int, str, int]) -> _Parsed:
        spec, plan, invalid = None, None, ""
        try:
            spec = JobRunSpec.model_validate(raw)
            invalid = "; ".join(unsupported(spec)[:3])
            if not invalid and application is not None and application.spec is not None:
                plan = plan_run(spec, application.spec, self.settings, application.shapes)
        except ValueError as error:
            invalid = _reason(error)
        return _Parsed(source, spec, plan, invalid)


def _settled(run: Object) -> bool:
    """Whether it is over, and nothing is to be said of it any more: not even what became of its logs."""
    status = run.get("status") or {}
    state = status.get("state")
    if state is None or not is_terminal(JobRunState(state)):
        return False
    wrote_logs = status.get("startedAt") and status.get("logUri")
    said = (c for c in status.get("conditions") or () if c.get("type") == logs.UPLOADED)
    return not wrote_logs or any(c.get("reason") in logs.SETTLED for c in said)


def _reason(error: ValueError) -> str:
    """One sentence a user can act on, without the input: it may hold what is not for the status."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_input=False, include_url=False)[0]
    return f"spec.{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
