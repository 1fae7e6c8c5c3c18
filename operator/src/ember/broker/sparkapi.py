"""The part of the Kubernetes API that a Spark driver uses: its own pod, its executors, and nothing else.

What Spark 4.1 asks was seen on the wire; see tests/contract/test_broker_spark.py.
"""

import asyncio
from typing import Any

from aiohttp import web

from ember.broker import watch
from ember.broker.context import Context, json_object, run_over, spark_driver, waiting
from ember.broker.derive import RunIdentity
from ember.broker.problems import Problem
from ember.broker.selectors import Matcher, matcher
from ember.broker.topics import pod_topic
from ember.broker.views import RunView, is_stopped, shown, virtual_pod
from ember.kube.errors import ApiError, Conflict, NotFound
from ember.kube.index import Kind, Object, key_of
from ember.model import labels
from ember.plan.executor import parse_request
from ember.plan.facts import ExecutorRequest

# What a driver cleans up at its end and asks for before it makes an executor; there never are any.
_ALWAYS_EMPTY = {
    "services": "ServiceList",
    "configmaps": "ConfigMapList",
    "persistentvolumeclaims": "PersistentVolumeClaimList",
}
_SUCCESS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
# Far more than the largest allocation batch; a driver that asks without end must not fill the broker's memory.
MOST_WAITING = 5_000
MOST_WAITING_BYTES = 16 * 1024 * 1024
CREATION_SECONDS = 10.0


class SparkApi:
    """Routes under `/api/v1/namespaces/{namespace}`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[web.RouteDef]:
        """What the server adds."""
        pods = "/api/v1/namespaces/{namespace}/pods"
        empty = f"/api/v1/namespaces/{{namespace}}/{{kind:{'|'.join(_ALWAYS_EMPTY)}}}"
        return [
            web.get(pods, self.list_or_watch),
            web.post(pods, self.create),
            web.delete(pods, self.delete_many),
            web.get(pods + "/{name}", self.get),
            web.patch(pods + "/{name}", self.patch),
            web.delete(pods + "/{name}", self.delete_one),
            web.get(empty, self.empty),
            web.delete(empty, self.success),
        ]

    async def get(self, request: web.Request) -> web.Response:
        """One pod that the driver may see. A stopped executor is not there."""
        _, view = await self._driver(request)
        return web.json_response(_one(view, request.match_info["name"]))

    async def list_or_watch(self, request: web.Request) -> web.StreamResponse:
        """The pods that match, now or from now on."""
        identity, view = await self._driver(request)
        matches = _matcher(request)
        if request.query.get("watch") in ("true", "1"):
            with waiting(self._context, "/api watch", identity.driver_uid):
                return await watch.serve(self._context, request, identity, matches)
        items = [pod for pod in view.pods().values() if matches(pod)]
        meta = {"resourceVersion": str(self._context.index.revision)}
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": items})

    async def create(self, request: web.Request) -> web.Response:
        """Take in the wish for an executor. It is answered at once by a virtual pod, and granted when there is room."""
        identity, view = await self._driver(request)
        body = await json_object(request)
        # Only now: while the body came in, the run may have ended, and others of its requests may have got in.
        self._check_may_grow(identity, view)
        wish = self._parse(body, identity)
        # A repeat of a request whose answer was lost; or a job's second context, whose ids begin at 1 again: it then
        # takes the next one.
        if view.waiting(wish.pod_name) is not None or view.executor_object(wish.pod_name) is not None:
            raise Problem(409, f'pods "{wish.pod_name}" already exists', "AlreadyExists")
        self._context.index.add_waiting(wish)
        return web.json_response(virtual_pod(wish), status=201)

    async def delete_one(self, request: web.Request) -> web.Response:
        """End one executor, by its launcher: Spark's own pod goes when its logs are kept."""
        _, view = await self._driver(request)
        pod = _one(view, request.match_info["name"])
        await self._stop(view, [pod["metadata"]["name"]])
        return web.json_response(_SUCCESS)

    async def delete_many(self, request: web.Request) -> web.Response:
        """End the executors that match; never the driver."""
        _, view = await self._driver(request)
        matches = _matcher(request)
        await self._stop(view, [name for name, pod in view.pods().items() if matches(pod)])
        return web.json_response(_SUCCESS)

    async def patch(self, request: web.Request) -> web.Response:
        """Set the one label that Spark sets: `spark-exec-inactive`."""
        _, view = await self._driver(request)
        name = request.match_info["name"]
        seen = _one(view, name)
        value = _inactive_label(await _json(request))
        held = view.executor_object(name)
        if held is None:
            raise Problem(403, "only an executor that has a pod can be marked inactive")
        marks: dict[str, str | None] = {labels.SPARK_EXEC_INACTIVE: value}
        try:
            uid = held["metadata"].get("uid")
            answer = await self._context.applier.annotate_pod(*key_of(held), pod_labels=marks, uid=uid)
        except (NotFound, Conflict) as error:
            raise Problem(404, f'pods "{name}" not found') from error
        except ApiError as error:
            raise Problem(503, "the label cannot be set at the moment") from error
        return web.json_response(shown(answer, None) if answer else seen)

    async def empty(self, request: web.Request) -> web.Response:
        """An empty list of what a driver never has."""
        await self._driver(request)
        kind = _ALWAYS_EMPTY[request.match_info["kind"]]
        meta = {"resourceVersion": str(self._context.index.revision)}
        return web.json_response({"kind": kind, "apiVersion": "v1", "metadata": meta, "items": []})

    async def success(self, request: web.Request) -> web.Response:
        """What is not there is deleted."""
        await self._driver(request)
        return web.json_response(_SUCCESS)

    # ---- inside

    async def _driver(self, request: web.Request) -> tuple[RunIdentity, RunView]:
        """Who asks. Raises Problem 401, and 403 for another namespace."""
        identity, view = await spark_driver(self._context, request)
        if request.match_info["namespace"] != identity.namespace:
            raise Problem(403, "a driver may only see its own namespace")
        return identity, view

    def _check_may_grow(self, identity: RunIdentity, view: RunView) -> None:
        driver = view.driver_object()
        run = self._context.index.get(Kind.JOB_RUN, (identity.namespace, identity.run_name))
        ending = run is None or run_over(run) or run.get("status", {}).get("state") == "CANCELLING"
        if ending or driver is None or is_stopped(driver) or "deletionTimestamp" in driver["metadata"]:
            raise Problem(403, "the job run is ending")
        wishes = view.all_waiting()
        if len(wishes) >= MOST_WAITING or sum(wish.size for wish in wishes) >= MOST_WAITING_BYTES:
            raise Problem(429, f"{len(wishes)} executors wait already")

    def _parse(self, pod: Object, identity: RunIdentity) -> ExecutorRequest:
        try:
            return parse_request(
                pod,
                namespace=identity.namespace,
                run_name=identity.run_name,
                run_uid=identity.run_uid,
                attempt=identity.attempt,
                now=self._context.clock(),
            )
        except ValueError as error:
            raise Problem(422, str(error)) from error

    async def _stop(self, view: RunView, names: list[str]) -> None:
        """Forget executors that wait, and tell the others' launchers to end. Raises Problem 503 if one was not told."""
        told = []
        pods, wishes = view.executors(), {wish.pod_name: wish for wish in view.all_waiting()}
        for name in names:
            pod, wish = pods.get(name), wishes.get(name)
            if pod is not None and not is_stopped(pod):
                told.append(self._tell(pod))
            if wish is not None:
                self._context.index.remove_waiting((wish.namespace, wish.pod_name))
        results = await asyncio.gather(*told, return_exceptions=True)
        for error in (result for result in results if isinstance(result, BaseException)):
            if not isinstance(error, ApiError):
                raise error  # also a Problem
            raise Problem(503, "an executor could not be told to stop") from error

    async def _tell(self, pod: Object) -> None:
        uid = await self._uid_of(pod)
        try:
            await self._context.applier.stop_pod(*key_of(pod), uid, labels.REMOVED_BY_SPARK)
        except (NotFound, Conflict):
            self._context.index.remove(Kind.POD, key_of(pod), uid)

    async def _uid_of(self, pod: Object) -> str:
        """The UID of a pod that may be under way to the API server. Raises Problem 503 if it takes too long."""
        key, left = key_of(pod), self._context.deadline(CREATION_SECONDS)
        while True:
            held = self._context.index.get(Kind.POD, key)
            uid = held["metadata"].get("uid") if held is not None else None
            if uid:
                return str(uid)
            if left() <= 0 or not await self._context.topics.wait([pod_topic(key)], left()):
                raise Problem(503, "the executor is just being made")


def _one(view: RunView, name: str) -> Object:
    pod = view.pod(name)
    if pod is None:
        raise Problem(404, f'pods "{name}" not found')
    return pod


def _matcher(request: web.Request) -> Matcher:
    try:
        return matcher(request.query.get("labelSelector", ""), request.query.get("fieldSelector", ""))
    except ValueError as error:
        raise Problem(400, str(error)) from error


async def _json(request: web.Request) -> Any:
    try:
        return await request.json()
    except (ValueError, RecursionError) as error:
        raise Problem(400, "the body is not JSON") from error


def _inactive_label(body: Any) -> str:
    """The label's value in a merge patch or a JSON patch that does nothing else. Raises Problem 403 for any other."""
    path = f"/metadata/labels/{labels.SPARK_EXEC_INACTIVE}"
    for value in ("true", "false"):
        patches = [[{"op": operation, "path": path, "value": value}] for operation in ("add", "replace")]
        if body in patches or body == {"metadata": {"labels": {labels.SPARK_EXEC_INACTIVE: value}}}:
            return value
    raise Problem(403, f"only the label {labels.SPARK_EXEC_INACTIVE} of an executor may be set")
