"""What all parts of the broker share, and who is asking."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from ember.broker.derive import Deriver, RunIdentity
from ember.broker.memory import Slots
from ember.broker.problems import Problem
from ember.broker.topics import Topics, pod_topic, run_topic
from ember.broker.views import RunView, has_ended
from ember.kube.apply import Applier
from ember.kube.errors import ApiError
from ember.kube.index import Index, Kind, Object
from ember.kube.secrets import StoreSecrets
from ember.kube.tokens import Caller, TokenReviewer
from ember.model import labels
from ember.model.states import JobRunState, is_terminal
from ember.telemetry.metrics import BrokerMetrics

POLL_SECONDS = 30.0
LATE_WATCH_SECONDS = 5.0  # a pod may ask before the watch has told of it
LOG_AGENT = "ember-logagent"
OPEN_REQUESTS = 8  # long polls or watches of one pod, run or node: a launcher needs one, Spark two


@dataclass
class Context:
    """The broker's surroundings. `assignment_of` says what a worker shall do (None: nothing yet)."""

    index: Index
    applier: Applier
    reviewer: TokenReviewer
    secrets: StoreSecrets
    deriver: Deriver
    assignment_of: Callable[[Object], Object | None]
    destinations_of: Callable[[Object], list[str]]
    release_namespace: str
    metrics: BrokerMetrics
    clock: Callable[[], float] = time.time
    log_agent: str = LOG_AGENT
    slots: Slots = field(default_factory=lambda: Slots(OPEN_REQUESTS))
    topics: Topics = field(init=False)
    stopping: bool = False

    def __post_init__(self) -> None:
        self.topics = Topics(self.index)

    def deadline(self, seconds: float) -> Callable[[], float]:
        """What is left of a wait: at most `seconds` from now on, and nothing once the server stops."""
        end = time.monotonic() + seconds
        return lambda: 0.0 if self.stopping else max(0.0, end - time.monotonic())

    def stop(self) -> None:
        """End all waits: long polls answer what they know, watches end."""
        self.stopping = True
        self.topics.wake_all()


@contextmanager
def waiting(context: Context, route: str, who: str) -> Iterator[None]:
    """Count a request that stays open. Raises Problem 429 when who asks has too many."""
    with context.slots.taken((route, who)), context.metrics.waiting.labels(route).track_inprogress():
        yield


def bearer(request: web.Request) -> str:
    """The token of a request. Raises Problem 401."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(401, "a bearer token is needed")
    return token.strip()


async def caller_of(context: Context, request: web.Request) -> Caller:
    """The ServiceAccount that asks. Raises Problem 401, and 503 when the API server cannot tell."""
    try:
        caller = await context.reviewer.review(bearer(request))
    except ApiError as error:
        raise Problem(503, "the token cannot be reviewed at the moment") from error
    if caller is None:
        raise Problem(401, "the token is not valid for this broker")
    return caller


async def worker_pod(context: Context, request: web.Request) -> Object:
    """The worker pod that asks. Raises Problem 401 if it is no pod of ours, or is not any more."""
    caller = await caller_of(context, request)
    key = (caller.namespace, caller.pod_name)
    deadline = time.monotonic() + LATE_WATCH_SECONDS
    while caller.pod_uid:
        pod: Object | None = context.index.pod_by_uid(key, caller.pod_uid)
        if pod is not None:
            return pod
        left = deadline - time.monotonic()
        if left <= 0 or not await context.topics.wait([pod_topic(key)], left):
            break
    raise Problem(401, "the token belongs to no worker pod of Ember")


async def spark_driver(context: Context, request: web.Request) -> tuple[RunIdentity, RunView]:
    """The Spark driver that asks. Raises Problem 401 for a token that is wrong, of another pod, or of an ended run."""
    identity = context.deriver.identity(bearer(request))
    if identity is None:
        raise Problem(401, "the token is not one of this broker's")
    view = RunView(context.index, identity)
    if view.driver_object() is None:
        await context.topics.wait([run_topic((identity.namespace, identity.run_name))], LATE_WATCH_SECONDS)
    check_alive(context, identity, view)
    return identity, view


def check_alive(context: Context, identity: RunIdentity, view: RunView) -> None:
    """Raise Problem 401 unless the run, its attempt and its driver's process are those of the token and live."""
    run = context.index.get(Kind.JOB_RUN, (identity.namespace, identity.run_name))
    if run is None or run["metadata"]["uid"] != identity.run_uid or run_over(run):
        raise Problem(401, "the job run has ended")
    if int(run.get("status", {}).get("attempt") or identity.attempt) != identity.attempt:
        raise Problem(401, "the token is of another attempt")
    driver = view.driver_object()
    if driver is None or has_ended(driver, context.index.reports.get(identity.driver_uid)):
        raise Problem(401, "the driver has ended")


def run_over(run: Object) -> bool:
    """Whether a run has reached its terminal state."""
    state = run.get("status", {}).get("state")
    return bool(state) and is_terminal(JobRunState(state))


def run_of_worker(pod: Object) -> dict[str, Any]:
    """The run that a pod serves: namespace, name, uid and attempt; name and uid are empty for an idle one."""
    meta = pod["metadata"]
    return {
        "namespace": meta["namespace"],
        "name": meta.get("annotations", {}).get(labels.JOB_RUN_NAME, ""),
        "uid": meta.get("labels", {}).get(labels.JOB_RUN_UID, ""),
        "attempt": int(meta.get("labels", {}).get(labels.ATTEMPT, "1")),
    }


async def json_object(request: web.Request) -> dict[str, Any]:
    """The body. Raises Problem 400 if it is no JSON object (and aiohttp's own 413 if it is too large)."""
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise Problem(400, "the body is not JSON") from error
    if not isinstance(body, dict):
        raise Problem(400, "the body is not a JSON object")
    return body
