"""The pods of workers, built from our own template; what a driver posted has no say in it.

They meet Pod Security "restricted": no rights, no token for the Kubernetes API, a read-only root file system.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ember.model import labels
from ember.model.capacity import Capacity
from ember.model.settings import Settings
from ember.plan import ids
from ember.plan.facts import ExecutorRequest
from ember.plan.spark import RunPlan
from ember.plan.warm import Shape
from ember.plan.workers import Worker

Object = dict[str, Any]
_SPARK_USER = 185  # of the Spark images
_NODES = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}  # X86_64, the one architecture there is
_CREDENTIALS = f"http://127.0.0.1:{labels.CREDENTIALS_PORT}/credentials"


class PodBuilder:
    """Builds worker pods for one release image; knows the broker's address and certificate."""

    def __init__(self, settings: Settings, broker_ca: str) -> None:
        self.settings, self.broker_ca = settings, broker_ca
        self._templates: dict[tuple[Shape, str, bool], str] = {}

    def driver(self, run: Object, application: str, attempt: int, plan: RunPlan, image: str) -> Object:
        """The driver pod of an attempt, owned by its JobRun."""
        meta = run["metadata"]
        name = ids.driver_pod_name(meta["name"], meta["uid"], attempt)
        identity, owner = driver_identity(run, application, attempt), driver_owner(run)
        identity["annotations"][labels.WORKER] = plan.driver.capacity.to_annotation()
        environment = plan.driver_environment | self._environment(labels.DRIVER, plan.driver.heap_mib)
        container = self._container(labels.DRIVER_CONTAINER, image, plan.driver.capacity, environment)
        return self._pod(meta["namespace"], name, identity, owner, self._spec(container, plan.driver.capacity))

    def executor(self, request: ExecutorRequest, driver: Object, application: str, plan: RunPlan, image: str) -> Object:
        """The pod of one executor, owned by its driver's pod: without its driver it goes too."""
        identity, owner = executor_identity(request, application), executor_owner(driver)
        identity["annotations"][labels.WORKER] = plan.executor.capacity.to_annotation()
        environment = plan.executor_environment | self._environment(labels.EXECUTOR_ROLE, plan.executor.heap_mib)
        container = self._container(labels.EXECUTOR_CONTAINER, image, plan.executor.capacity, environment)
        spec = self._spec(container, plan.executor.capacity)
        spec |= _near(driver["metadata"].get("labels", {}).get(labels.ZONE))
        return self._pod(request.namespace, request.pod_name, identity, owner, spec)

    def template(self, shape: Shape, image: str, *, reserved: bool) -> str:
        """A hash of all that such a worker is made of: a pod with another one is not what would be made now."""
        key = (replace(shape, count=0), image, reserved)  # however many are wanted
        if key not in self._templates:
            spec = self._warm_spec(shape, image, reserved=reserved)
            made_of = [shape.kind, shape.capacity.to_annotation(), spec, self.settings.workers.pod_annotations]
            self._templates[key] = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:10]
        return self._templates[key]

    def warm(self, application: Object, shape: Shape, image: str, name: str, *, reserved: bool) -> Object:
        """A pre-initialized worker, owned by its application until a run claims it."""
        meta = application["metadata"]
        identity = {
            "labels": {
                labels.MANAGED_BY: labels.MANAGED_BY_EMBER,
                labels.COMPONENT: shape.role,
                labels.APPLICATION: ids.label_value(meta["name"]),
                labels.POOL: self.template(shape, image, reserved=reserved),
            },
            "annotations": {
                labels.APPLICATION_NAME: meta["name"],
                labels.WORKER: shape.capacity.to_annotation(),
                labels.HEAP: str(shape.heap_mib),
            },
        }
        owner = _owner(labels.API_VERSION, "EMRApplication", meta["name"], meta["uid"])
        return self._pod(meta["namespace"], name, identity, owner, self._warm_spec(shape, image, reserved=reserved))

    def _warm_spec(self, shape: Shape, image: str, *, reserved: bool) -> Object:
        environment = {**self._environment(shape.role, shape.heap_mib), "EMBER_WARM": "1"}
        kind = labels.DRIVER_CONTAINER if shape.role == labels.DRIVER else labels.EXECUTOR_CONTAINER
        container = self._container(kind, image, shape.capacity, environment)
        if not reserved:  # warming and waiting must not slow down who works: its CPU comes with the claim
            container["resources"]["requests"]["cpu"] = labels.IDLE_CPU
        container["resizePolicy"] = [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]
        # The first is answered as soon as the worker is warm. One that takes too long is ended by the operator.
        container["startupProbe"] = {
            **_probe("/warm", seconds=60),
            "initialDelaySeconds": 5,
            "periodSeconds": 1,
            "failureThreshold": 3600,
        }
        container["readinessProbe"] = {**_probe("/ready", seconds=3), "periodSeconds": 5}
        return self._spec(container, shape.capacity)

    def claimed(self, worker: Worker) -> Object:
        """The resources that change once a run has claimed a pre-initialized worker, by the name of its container."""
        name = labels.DRIVER_CONTAINER if worker.role == labels.DRIVER else labels.EXECUTOR_CONTAINER
        return {name: {"requests": {"cpu": self._resources(worker.capacity)["requests"]["cpu"]}}}

    def _pod(self, namespace: str, name: str, identity: Object, owner: Object, spec: Object) -> Object:
        annotations = self.settings.workers.pod_annotations | identity["annotations"]
        metadata = {"namespace": namespace, "name": name, "ownerReferences": [owner], **identity}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata | {"annotations": annotations},
            "spec": spec,
        }

    def _spec(self, container: Object, size: Capacity) -> Object:
        workers = self.settings.workers
        spec: Object = {
            "restartPolicy": "Never",
            "serviceAccountName": workers.service_account_name,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": workers.termination_grace_period_seconds,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _SPARK_USER,
                "runAsGroup": _SPARK_USER,
                "fsGroup": _SPARK_USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": _volumes(size),
        }
        optional = {
            "nodeSelector": _NODES | workers.node_selector,
            "tolerations": workers.tolerations,
            "imagePullSecrets": [{"name": secret} for secret in workers.image_pull_secrets],
            "priorityClassName": workers.priority_class_name,
        }
        spec.update({key: value for key, value in optional.items() if value})
        return spec

    def _container(self, name: str, image: str, size: Capacity, environment: Mapping[str, str]) -> Object:
        workers = self.settings.workers
        fields = {"POD_IP": "status.podIP", "POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace"}
        env: list[Object] = [{"name": key, "value": value} for key, value in sorted(environment.items())]
        env += [{"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}} for key, path in fields.items()]
        return {
            "name": name,
            "image": image,
            "imagePullPolicy": workers.image_pull_policy,
            "env": env,
            "resources": self._resources(size),
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
                {"name": "run", "mountPath": "/run/ember"},
                {"name": "spark", "mountPath": "/var/lib/spark"},
                {"name": "token", "mountPath": "/var/run/secrets/ember", "readOnly": True},
            ],
            "terminationMessagePolicy": "File",
        }

    def _resources(self, size: Capacity) -> Object:
        """Requests are the size divided by the overcommit; memory and disk are limited, CPU is shared by weight.

        The limit of the disk holds for all that the pod writes: its volumes, ``/tmp`` and its log.
        """
        workers, disk = self.settings.workers, f"{size.disk_gib}Gi"
        requests = {
            "cpu": f"{max(10, round(size.cpu * 1000 / workers.cpu_overcommit))}m",
            "memory": f"{max(64, round(size.memory_mib / workers.memory_overcommit))}Mi",
        }
        requests["ephemeral-storage"] = disk if workers.disk_request == "full" else "0"  # none: it would be the limit
        return {"requests": requests, "limits": {"memory": f"{size.memory_mib}Mi", "ephemeral-storage": disk}}

    def _environment(self, role: str, heap_mib: int) -> dict[str, str]:
        settings = self.settings
        environment = {
            "EMBER_ROLE": role,
            "EMBER_HEAP_MB": str(heap_mib),
            "EMBER_GRACE_SECONDS": str(settings.workers.termination_grace_period_seconds),
            "EMBER_BROKER_URL": settings.broker_url,
            "EMBER_BROKER_CA": self.broker_ca,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": _CREDENTIALS,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/run/ember/credentials-token",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": settings.store.region,
            "SPARK_LOCAL_DIRS": "/var/lib/spark/local",
        }
        if settings.store.endpoint:
            environment["AWS_ENDPOINT_URL_S3"] = settings.store.endpoint
        return environment


def _near(zone: str | None) -> Object:
    """The part of a specification that puts a pod into a zone, where there is room."""
    if not zone:
        return {}
    here = {"matchExpressions": [{"key": labels.ZONE, "operator": "In", "values": [zone]}]}
    preferred = [{"weight": 100, "preference": here}]
    return {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}}


def executor_assignment(request: ExecutorRequest) -> Object:
    """The executor part of the assignment, kept as an annotation: it outlives the operator and holds no secret."""
    return {
        "driverUrl": request.driver_url,
        "executorId": request.executor_id,
        "cores": request.cores,
        "appId": request.app_id,
        "resourceProfileId": request.resource_profile_id,
        "javaOptions": list(request.java_options),
        "decommission": request.decommission,
    }


def driver_identity(run: Object, application: str, attempt: int) -> Object:
    """Labels and annotations that make a pod the driver of an attempt."""
    meta = run["metadata"]
    identity = _identity(labels.DRIVER, application, meta["name"], meta["uid"], attempt)
    identity["labels"] |= {labels.SPARK_APP: ids.external_id(meta["uid"]), labels.SPARK_ROLE: labels.DRIVER}
    return identity


def driver_owner(run: Object) -> Object:
    """A driver's pod goes with its JobRun."""
    return _owner(labels.API_VERSION, "JobRun", run["metadata"]["name"], run["metadata"]["uid"])


def executor_identity(request: ExecutorRequest, application: str) -> Object:
    """Labels and annotations that make a pod an executor that a driver asked for."""
    identity = _identity(labels.EXECUTOR_ROLE, application, request.run_name, request.run_uid, request.attempt)
    identity["labels"] |= {
        **request.labels,
        labels.SPARK_APP: request.app_id,
        labels.SPARK_ROLE: labels.EXECUTOR_ROLE,
        labels.SPARK_EXEC_ID: request.executor_id,
        labels.SPARK_RESOURCE_PROFILE: request.resource_profile_id,
    }
    assignment = json.dumps(executor_assignment(request), separators=(",", ":"))
    identity["annotations"][labels.EXECUTOR] = assignment
    return identity


def executor_owner(driver: Object) -> Object:
    """An executor's pod goes with its driver's."""
    return _owner("v1", "Pod", driver["metadata"]["name"], driver["metadata"]["uid"])


def _identity(role: str, application: str, run_name: str, run_uid: str, attempt: int) -> Object:
    return {
        "labels": {
            labels.MANAGED_BY: labels.MANAGED_BY_EMBER,
            labels.COMPONENT: role,
            labels.APPLICATION: ids.label_value(application),
            labels.JOB_RUN: ids.label_value(run_name),
            labels.JOB_RUN_UID: run_uid,
            labels.ATTEMPT: str(attempt),
        },
        "annotations": {labels.APPLICATION_NAME: application, labels.JOB_RUN_NAME: run_name},
    }


def _owner(api_version: str, kind: str, name: str, uid: str) -> Object:
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": True}


def _probe(path: str, seconds: int) -> Object:
    return {"httpGet": {"path": path, "port": labels.READY_PORT}, "timeoutSeconds": seconds}


def _volumes(size: Capacity) -> list[Object]:
    token = {"audience": labels.BROKER_AUDIENCE, "expirationSeconds": 3600, "path": "token"}
    return [
        {"name": "tmp", "emptyDir": {}},
        {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
        {"name": "spark", "emptyDir": {"sizeLimit": f"{size.disk_gib}Gi"}},
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": token}], "defaultMode": 0o440}},
    ]
