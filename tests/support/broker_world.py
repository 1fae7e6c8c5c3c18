"""The broker with everything around it in memory: a cluster, one application, one run with its driver's pod."""

import base64
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry

from ember.broker.context import Context
from ember.broker.derive import Deriver, RunIdentity
from ember.broker.identity import ensure
from ember.broker.server import BrokerServer
from ember.kube.apply import Applier
from ember.kube.index import Index
from ember.kube.secrets import StoreSecrets
from ember.kube.tokens import TokenReviewer
from ember.model import labels
from ember.plan import ids
from ember.plan.facts import ExecutorRequest
from ember.plan.pods import executor_assignment
from ember.telemetry.metrics import BrokerMetrics
from tests.support.memory_api import MemoryCluster

Object = dict[str, Any]
NAMESPACE, RUN, APPLICATION, RELEASE = "team-a", "etl", "analytics", "ember-system"
RUN_UID = "5d0c0ad6-0000-4000-8000-000000000001"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
RUNS = f"/apis/{labels.API_VERSION}/namespaces/{NAMESPACE}/jobruns"


def job_run(name: str = RUN, uid: str = RUN_UID, state: str = "RUNNING", attempt: int = 1) -> Object:
    """A run that has come as far as `state`."""
    return {
        "apiVersion": labels.API_VERSION,
        "kind": "JobRun",
        "metadata": {"namespace": NAMESPACE, "name": name, "uid": uid},
        "spec": {"applicationRef": {"name": APPLICATION}},
        "status": {"state": state, "attempt": attempt},
    }


def driver_pod(run: str = RUN, run_uid: str = RUN_UID, attempt: int = 1, node: str = "node-1") -> Object:
    """The running driver of an attempt."""
    name = ids.driver_pod_name(run, run_uid, attempt)
    pod = _worker(name, labels.DRIVER, labels.DRIVER_CONTAINER, run, run_uid, attempt, node)
    pod["metadata"]["labels"] |= {labels.SPARK_APP: ids.external_id(run_uid), labels.SPARK_ROLE: labels.DRIVER}
    return pod


def executor_pod(request: ExecutorRequest, node: str = "node-1") -> Object:
    """The pod that grants a request."""
    run = (request.run_name, request.run_uid, request.attempt)
    pod = _worker(request.pod_name, labels.EXECUTOR_ROLE, labels.EXECUTOR_CONTAINER, *run, node)
    pod["metadata"]["labels"] |= {
        **request.labels,
        labels.SPARK_APP: request.app_id,
        labels.SPARK_ROLE: labels.EXECUTOR_ROLE,
        labels.SPARK_EXEC_ID: request.executor_id,
        labels.SPARK_RESOURCE_PROFILE: request.resource_profile_id,
    }
    pod["metadata"]["annotations"][labels.EXECUTOR] = json.dumps(executor_assignment(request))
    return pod


def _worker(name: str, role: str, container: str, run: str, run_uid: str, attempt: int, node: str) -> Object:
    names = {
        labels.MANAGED_BY: labels.MANAGED_BY_EMBER,
        labels.COMPONENT: role,
        labels.JOB_RUN_UID: run_uid,
        labels.ATTEMPT: str(attempt),
    }
    notes = {labels.APPLICATION_NAME: APPLICATION, labels.JOB_RUN_NAME: run}
    owner = {"apiVersion": labels.API_VERSION, "kind": "JobRun", "name": run, "uid": run_uid, "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": NAMESPACE,
            "name": name,
            "labels": names,
            "annotations": notes,
            "ownerReferences": [owner],
        },
        "spec": {"nodeName": node, "containers": [{"name": container, "image": "x", "env": [{"name": "A"}]}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": container, "ready": True, "state": {"running": {}}}],
        },
    }


def executor_wish(executor_id: str = "1", **environment: str) -> Object:
    """The pod that a Spark driver posts."""
    values = {
        "SPARK_DRIVER_URL": "spark://CoarseGrainedScheduler@10.0.0.1:7078",
        "SPARK_EXECUTOR_CORES": "1",
        "SPARK_RESOURCE_PROFILE_ID": "0",
        "SPARK_JAVA_OPT_0": "-Dspark.driver.port=7078",
        **environment,
    }
    env = [{"name": name, "value": value} for name, value in values.items()]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"whatever-exec-{executor_id}", "labels": {labels.SPARK_EXEC_ID: executor_id}},
        "spec": {"containers": [{"name": "spark-kubernetes-executor", "env": env}]},
    }


@dataclass
class World:
    """What a test of the broker turns."""

    index: Index = field(default_factory=Index)
    assignments: dict[str, Object] = field(default_factory=dict)  # by pod name
    destinations: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cluster = MemoryCluster(self.index)
        self.applier = Applier(self.cluster, self.index)
        self.deriver = Deriver(b"k" * 32)
        self.context = Context(
            index=self.index,
            applier=self.applier,
            reviewer=TokenReviewer(self.cluster),
            secrets=StoreSecrets(self.cluster, "ember-store"),
            deriver=self.deriver,
            assignment_of=lambda pod: self.assignments.get(pod["metadata"]["name"]),
            destinations_of=lambda pod: self.destinations.get(pod["metadata"]["name"], []),
            release_namespace=RELEASE,
            metrics=BrokerMetrics(CollectorRegistry()),
        )

    async def add(self, resource: str, obj: Object) -> Object:
        """Put an object into the cluster, and so into the index."""
        _, answer = self.cluster._create(resource, obj)
        return answer

    async def start_run(self, **changes: Any) -> Object:
        """A run with its driver; returns the driver's pod."""
        run = await self.add(RUNS, job_run(**changes))
        meta = run["metadata"]
        return await self.add(PODS, driver_pod(meta["name"], meta["uid"], run["status"]["attempt"]))

    def token_of(self, driver: Object) -> str:
        """The bearer token of a driver for the pods API."""
        names, notes = driver["metadata"]["labels"], driver["metadata"]["annotations"]
        return self.deriver.api_token(
            RunIdentity(
                NAMESPACE,
                notes[labels.JOB_RUN_NAME],
                names[labels.JOB_RUN_UID],
                int(names[labels.ATTEMPT]),
                driver["metadata"]["uid"],
            )
        )

    def pod_token(self, pod: Object) -> str:
        """The projected token of a worker pod, as TokenReview will judge it."""
        meta = pod["metadata"]
        extra = {"pod-name": meta["name"], "pod-uid": meta["uid"], "node-name": pod["spec"].get("nodeName", "")}
        return self.review(f"system:serviceaccount:{meta['namespace']}:ember-worker", extra)

    def review(self, username: str, extra: dict[str, str]) -> str:
        """A new token that TokenReview takes for this user."""
        claims = json.dumps({"exp": time.time() + 3600, "n": len(self.cluster.tokens)}).encode()
        token = f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.sig"
        self.cluster.tokens[token] = {
            "authenticated": True,
            "audiences": [labels.BROKER_AUDIENCE],
            "user": {
                "username": username,
                "extra": {f"authentication.kubernetes.io/{key}": [value] for key, value in extra.items() if value},
            },
        }
        return token

    def store_secret(self, **values: str) -> None:
        """The tenant's Secret."""
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        meta = {"namespace": NAMESPACE, "name": "ember-store", "uid": "secret"}
        self.cluster._store(f"/api/v1/namespaces/{NAMESPACE}/secrets/ember-store", {"metadata": meta, "data": data})

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[tuple[str, str]]:
        """Run the server with TLS on loopback; gives its URL and the CA (PEM)."""
        identity = await ensure(self.cluster, RELEASE, ["127.0.0.1", "localhost"], datetime.now(UTC))
        server = BrokerServer(self.context, "127.0.0.1", 0)
        port = await server.start(identity)
        try:
            yield f"https://127.0.0.1:{port}", identity.ca_pem
        finally:
            await server.stop()


def trusting(ca_pem: str) -> ssl.SSLContext:
    """A client's TLS context which trusts that CA only, as strictly as Python can."""
    context = ssl.create_default_context(cadata=ca_pem)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context
