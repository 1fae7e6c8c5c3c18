"""An executor's run: the options that its driver gave it, and the arguments of Spark's backend."""

from collections.abc import Iterable, Mapping

from ember.worker import properties
from ember.worker.assignment import ExecutorPart
from ember.worker.settings import Settings

MAIN_CLASS = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"


def arguments(settings: Settings, part: ExecutorPart) -> list[str]:
    """The arguments of KubernetesExecutorBackend.main."""
    return [
        *("--driver-url", part.driver_url),
        *("--executor-id", part.executor_id),
        *("--cores", str(part.cores)),
        *("--app-id", part.app_id),
        *("--hostname", settings.pod_ip),
        *("--resourceProfileId", part.resource_profile_id),
        *("--podName", settings.pod_name),
    ]


def system_properties(settings: Settings, part: ExecutorPart, secrets: Mapping[str, str]) -> str:
    """The -D options among the driver's options and the secret's place, as a properties text for the running JVM."""
    settled = dash_d(part.java_options)
    if "spark-auth" in secrets:
        settled["spark.authenticate.secret.file"] = str(settings.paths.run / "spark-auth")
        # Spark reads secret files only if it knows that it is in Kubernetes, and executors are not told their master.
        settled.setdefault("spark.master", "k8s://ember")
    return properties.dump(settled)


def dash_d(options: Iterable[str]) -> dict[str, str]:
    """The properties that the -D options among them set."""
    pairs = (option[2:].partition("=") for option in options if option.startswith("-D"))
    return {key: value for key, _, value in pairs}


def command_line(options: Iterable[str]) -> list[str]:
    """The options for the start of a JVM; Spark's own properties, which may be secret, come later."""
    return [option for option in options if not option.startswith("-Dspark.")]
