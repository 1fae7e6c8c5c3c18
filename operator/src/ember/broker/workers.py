"""The channel of a worker's launcher: `/worker/v1`. See docs/architecture.md for what is said."""

import hashlib
import json
import logging
from typing import Any

from aiohttp import web

from ember.broker.context import POLL_SECONDS, Context, json_object, run_of_worker, run_over, waiting, worker_pod
from ember.broker.derive import RunIdentity
from ember.broker.memory import PodMemory
from ember.broker.problems import Problem
from ember.broker.topics import job_topic, pod_topic
from ember.broker.views import has_ended, is_stopped
from ember.kube.errors import ApiError
from ember.kube.index import Index, Key, Kind, Object, key_of, run_of_pod
from ember.kube.secrets import NoCredentials
from ember.model import labels
from ember.plan.facts import WorkerReport
from ember.plan.workers import epoch

log = logging.getLogger(__name__)

_EVENTS = ("ready", "assigned", "started", "ended")  # in their order
_LONGEST_REASON = 1024
_MOST_MARKS = 64


class WorkerChannel:
    """Routes for launchers. Each request is that of one pod, which its token proves."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._given: PodMemory[str] = PodMemory(context.index)  # the revision of each pod's run, which never changes

    def routes(self) -> list[web.RouteDef]:
        """What the server adds."""
        return [
            web.get("/worker/v1/assignment", self.assignment),
            web.post("/worker/v1/report", self.report),
            web.get("/worker/v1/credentials", self.credentials),
        ]

    async def assignment(self, request: web.Request) -> web.Response:
        """Answer what the pod shall do, at once when that is not what it knows, else after news or 30 s."""
        pod = await worker_pod(self._context, request)
        self._remember(pod, request.query.get("state", ""))
        with waiting(self._context, "/worker/v1/assignment", pod["metadata"]["uid"]):
            content = await self._news(key_of(pod), pod["metadata"]["uid"], request.query.get("known", ""))
        return web.json_response(content)

    async def _news(self, key: Key, uid: str, known: str) -> Object:
        context, left = self._context, self._context.deadline(POLL_SECONDS)
        while True:
            pod = context.index.pod_by_uid(key, uid)
            if pod is None or has_ended(pod, context.index.reports.get(uid)):
                raise Problem(410, "this pod has ended")
            topics = [pod_topic(key)]
            # Once it runs, only a change of the pod itself can mean anything to it: do not even look at the run.
            if is_stopped(pod) or self._given.get(uid) != known or left() <= 0:
                content = self._content(pod)
                if content["phase"] == "run" and self._given.get(uid) is None:
                    self._given.put(uid, str(content["revision"]))
                    self._note_assigned(pod, uid)
                if str(content["revision"]) != known or left() <= 0:
                    return content
                run = run_of_pod(pod)
                topics += [job_topic(run)] if run and content["phase"] == "idle" else []
            await context.topics.wait(topics, left())

    def _remember(self, pod: Object, state: str) -> None:
        """Take in how far a worker is by its own words, if this broker has only just started and knows nothing."""
        index, uid = self._context.index, pod["metadata"]["uid"]
        if state in _EVENTS[:-1] and uid not in index.reports:
            index.report(pod, WorkerReport(state, self._context.clock()))

    def _note_assigned(self, pod: Object, uid: str) -> None:
        """From here on a pre-initialized worker may have begun its job, whatever it says or does not say later."""
        index, now = self._context.index, self._context.clock()
        if labels.POOL not in pod["metadata"].get("labels", {}):
            return
        claimed = epoch(pod["metadata"].get("annotations", {}).get(labels.CLAIMED_AT))
        if claimed is not None:
            self._context.metrics.assignment_seconds.observe(max(0.0, now - claimed))
        index.report(pod, _merged(WorkerReport("assigned", now), index, uid))

    def _note_warm_up(self, pod: Object, report: WorkerReport, now: float) -> None:
        """Measure a warm-up that succeeded; tell of one that failed, for its pod goes and no log is kept of it."""
        meta = pod["metadata"]
        role, created = meta["labels"][labels.COMPONENT], epoch(meta.get("creationTimestamp"))
        if report.event == "ready" and created is not None:
            self._context.metrics.warm_up_seconds.labels(role).observe(max(0.0, now - created))
        if report.event == "ended" and run_of_pod(pod) is None:
            names = {"namespace": meta["namespace"], "pod": meta["name"], "workerType": role}
            log.warning("a pre-initialized worker has ended", extra={**names, "reason": report.reason})

    async def report(self, request: web.Request) -> web.Response:
        """Take in what a launcher says of its process."""
        pod = await worker_pod(self._context, request)
        body = await json_object(request)
        index, now = self._context.index, self._context.clock()
        report = _report(body, now)
        self._note_warm_up(pod, report, now)
        index.report(pod, _merged(report, index, pod["metadata"]["uid"]))
        return web.Response(status=204)

    async def credentials(self, request: web.Request) -> web.Response:
        """Hand out credentials for the object store while the pod serves a run that lives."""
        context = self._context
        pod = await worker_pod(context, request)
        run = run_of_worker(pod)
        if not run["uid"]:
            raise Problem(404, "this worker has no job run yet")
        held = context.index.get(Kind.JOB_RUN, (run["namespace"], run["name"]))
        over = held is None or held["metadata"]["uid"] != run["uid"] or run_over(held)
        if over or has_ended(pod, context.index.reports.get(pod["metadata"]["uid"])):
            context.metrics.credentials.labels("refused").inc()
            raise Problem(403, "the job run has ended")
        return await store_credentials(context, run["namespace"])

    def _content(self, pod: Object) -> dict[str, Any]:
        stop = pod["metadata"].get("annotations", {}).get(labels.STOP)
        if stop is not None:
            return _revised({"phase": "stop", "reason": stop})
        assigned = self._context.assignment_of(pod)
        if assigned is None:
            return _revised({"phase": "idle", "reason": ""})
        return _revised({"phase": "run", "reason": "", "secrets": self._secrets(pod), **assigned})

    def _secrets(self, pod: Object) -> dict[str, str]:
        """What a worker may know: both ends of Spark's RPC share one secret; only the driver asks for executors."""
        meta, run, deriver = pod["metadata"], run_of_worker(pod), self._context.deriver
        secrets = {"spark-auth": deriver.spark_secret(run["uid"], run["attempt"])}
        if meta["labels"].get(labels.COMPONENT) == labels.DRIVER:
            identity = RunIdentity(run["namespace"], run["name"], run["uid"], run["attempt"], meta["uid"])
            secrets["spark-token"] = deriver.api_token(identity)
        return secrets


async def store_credentials(context: Context, namespace: str) -> web.Response:
    """Credentials of a namespace as SDKs read them. Raises Problem 403 if there are none, 503 if nobody can tell."""
    try:
        credentials = await context.secrets.credentials(namespace)
    except NoCredentials as error:
        context.metrics.credentials.labels("missing").inc()
        raise Problem(403, str(error)) from error
    except ApiError as error:
        context.metrics.credentials.labels("unavailable").inc()
        raise Problem(503, "the store's Secret cannot be read at the moment") from error
    context.metrics.credentials.labels("given").inc()
    return web.json_response(credentials, headers={"Cache-Control": "no-store"})


def revision_of(content: Any) -> int:
    """A number that is the same for the same content, in each process: long polls survive a change of leader."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")  # 48 bits: exact in every JSON reader


def _revised(content: dict[str, Any]) -> dict[str, Any]:
    return {"revision": revision_of(content), **content}


def _report(body: dict[str, Any], now: float) -> WorkerReport:
    event, code, marks = body.get("event"), body.get("exitCode"), body.get("marks") or {}
    if event not in _EVENTS:
        raise Problem(400, f"event is none of {', '.join(_EVENTS)}")
    if not (code is None or (type(code) is int and -(2**31) <= code < 2**31)):
        raise Problem(400, "exitCode is not a 32-bit integer")
    if not isinstance(marks, dict) or len(marks) > _MOST_MARKS or not all(map(_is_number, marks.values())):
        raise Problem(400, f"marks are not at most {_MOST_MARKS} numbers")
    reason = str(body.get("reason") or "")[:_LONGEST_REASON]
    return WorkerReport(event, now, code, reason, {str(k)[:64]: float(v) for k, v in marks.items()})


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -1e12 < value < 1e12  # neither NaN nor infinite


def _merged(new: WorkerReport, index: Index, uid: str) -> WorkerReport:
    """The last word in the order of things: a repeated `started` does not undo `ended`; marks add up."""
    old = index.reports.get(uid)
    if old is None:
        return new
    last = old if _EVENTS.index(old.event) > _EVENTS.index(new.event) or old.event == "ended" else new
    marks = dict(list({**old.marks, **new.marks}.items())[:_MOST_MARKS])  # a worker that reports for ever stays small
    return WorkerReport(last.event, last.at, last.exit_code, last.reason, marks)
