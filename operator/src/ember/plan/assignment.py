"""What the broker answers a driver's launcher: how to run Spark for one attempt."""

from dataclasses import replace
from typing import Any

from ember.model import labels
from ember.model.jobrun import JobRunSpec
from ember.model.settings import Settings
from ember.model.submit import SubmitParameters
from ember.plan import ids, logs
from ember.plan.spark import RunPlan

Object = dict[str, Any]


def driver_assignment(
    run: Object, spec: JobRunSpec, plan: RunPlan, settings: Settings, pod_name: str, prefix: str | None
) -> Object:
    """The `driver` part of the assignment and the JVM options; see docs/architecture.md, "The channel of a worker".

    `prefix` is where the run's logs are kept, None if nowhere.
    """
    submit = spec.job_driver.spark_submit
    assert submit is not None
    name = spec.name or run["metadata"]["name"]
    properties = {**_defaults(name, prefix), **plan.properties, **_owned(run, settings, pod_name, prefix)}
    for name in ("spark.driver.extraJavaOptions", "spark.driver.defaultJavaOptions"):
        properties.pop(name, None)
    parameters = _with_own_jar(plan.parameters, submit.entry_point, properties.get("spark.jars", ""))
    arguments = [*parameters.submit_arguments(), submit.entry_point, *(submit.entry_point_arguments or ())]
    return {
        "jvmOptions": list(plan.driver_options),
        "driver": {"properties": properties, "submitArguments": arguments},
    }


def _with_own_jar(parameters: SubmitParameters, entry_point: str, jars: str) -> SubmitParameters:
    """Give a job's own jar to its executors too.

    spark-submit would do that, but not inside a driver's pod: there it takes it that the client outside has done it.
    """
    if entry_point.endswith((".py", ".R", ".r")):
        return parameters
    others = parameters.jars or tuple(jar.strip() for jar in jars.split(",") if jar.strip())
    return replace(parameters, jars=(*others, entry_point))


def _owned(run: Object, settings: Settings, pod_name: str, prefix: str | None) -> dict[str, str]:
    """The settings that make a driver Ember's: nobody can override them."""
    meta, store = run["metadata"], settings.store
    owned = {
        "spark.master": f"k8s://{settings.broker_url}",
        "spark.submit.deployMode": "client",
        "spark.app.id": ids.external_id(meta["uid"]),
        "spark.driver.port": str(labels.DRIVER_PORT),
        "spark.driver.blockManager.port": str(labels.BLOCK_MANAGER_PORT),
        "spark.blockManager.port": str(labels.BLOCK_MANAGER_PORT),
        "spark.kubernetes.namespace": meta["namespace"],
        "spark.kubernetes.driver.pod.name": pod_name,
        "spark.kubernetes.container.image": "decided-by-ember",  # Spark insists on one; the broker does not read it
        "spark.kubernetes.executor.disableConfigMap": "true",
        # There are no services and no claims of volumes; to ask for them, at each executor and at the end, takes time.
        "spark.kubernetes.driver.service.deleteOnTermination": "false",
        "spark.kubernetes.driver.ownPersistentVolumeClaim": "false",
        "spark.kubernetes.driver.reusePersistentVolumeClaim": "false",
        # Asking is cheap (the broker queues what does not fit): ask for all at once, and soon again.
        "spark.kubernetes.allocation.batch.size": "50",
        "spark.kubernetes.allocation.batch.delay": "200ms",
        # One that is not seen so long was forgotten by a broker that has ended: Spark would wait for it for 10 minutes.
        # It looks at all of them each 30 s, whatever it was told meanwhile.
        "spark.kubernetes.allocation.executor.timeout": "40s",
        # The defaults, 10 s, would fail a driver that starts while the broker changes its leader.
        "spark.kubernetes.driver.connectionTimeout": "60000",
        "spark.kubernetes.driver.requestTimeout": "120000",
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
        "spark.hadoop.fs.s3a.path.style.access": str(store.path_style).lower(),
        "spark.hadoop.fs.s3a.endpoint.region": store.region,
    }
    if store.endpoint:
        owned["spark.hadoop.fs.s3a.endpoint"] = store.endpoint
        owned["spark.hadoop.fs.s3a.connection.ssl.enabled"] = str(store.endpoint.startswith("https:")).lower()
    kept = {"spark.eventLog.enabled": "false"} if prefix is None else {"spark.eventLog.dir": logs.event_log_uri(prefix)}
    return owned | kept


def _defaults(name: str, prefix: str | None) -> dict[str, str]:
    """What a run may set otherwise.

    With an object store, shuffle blocks of executors that leave without a successor go there; without, executors stay
    as long as anybody may read their blocks.
    """
    defaults = {
        "spark.app.name": name,
        "spark.scheduler.minRegisteredResourcesRatio": "0",  # Spark's own polls every 100 ms before the first task
        "spark.dynamicAllocation.shuffleTracking.enabled": str(prefix is None).lower(),
    }
    if prefix is not None:
        defaults["spark.eventLog.overwrite"] = "true"  # a job's second SparkContext has the same id
        defaults["spark.storage.decommission.fallbackStorage.path"] = f"{prefix.replace('s3://', 's3a://', 1)}shuffle/"
    return defaults
