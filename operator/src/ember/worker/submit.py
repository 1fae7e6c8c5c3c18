"""A driver's run: SparkSubmit's properties and arguments, with the facts that only the pod knows."""

from collections.abc import Mapping

from ember.worker import properties
from ember.worker.assignment import DriverPart
from ember.worker.interpreter import DRIVER_PYTHON, PYTHON
from ember.worker.settings import Settings, write_private
from ember.worker.zygotes import DAEMON_MODULE

MAIN_CLASS = "org.apache.spark.deploy.SparkSubmit"
_KUBERNETES = "k8s://"


def arguments(
    settings: Settings, part: DriverPart, python: str, workers_python: str, secrets: Mapping[str, str]
) -> list[str]:
    """Write the properties file and return SparkSubmit's arguments.

    `python` is the program that shall run a Python job; `workers_python` the one of the executors' Python workers.
    """
    facts = local_facts(settings, part.properties.get("spark.master", ""), secrets)
    facts |= {DRIVER_PYTHON: python, PYTHON: workers_python}
    merged = {DAEMON_MODULE[0]: DAEMON_MODULE[1], **part.properties, **facts}
    path = settings.paths.run / "spark.properties"
    write_private(path, properties.dump(merged))
    # Spark trims values that come from a file; those go by --conf, where they stay whole.
    spaced = [item for key, value in merged.items() if value != value.strip() for item in ("--conf", f"{key}={value}")]
    # The image keeps what holds for every job (S3A, committers) in spark-defaults.conf; ours goes before it.
    return ["--properties-file", str(path), "--load-spark-defaults", *spaced, *part.submit_arguments]


def local_facts(settings: Settings, master: str, secrets: Mapping[str, str]) -> dict[str, str]:
    """The settings which depend on this pod: its address, and where its secrets are."""
    host = f"[{settings.pod_ip}]" if ":" in settings.pod_ip else settings.pod_ip
    everywhere = "[::]" if ":" in settings.pod_ip else "0.0.0.0"  # noqa: S104 - the NetworkPolicy says who may connect
    facts = {"spark.driver.host": host, "spark.driver.bindAddress": everywhere}
    if not master.startswith(_KUBERNETES):
        return facts
    run = settings.paths.run
    facts["spark.kubernetes.driver.pod.name"] = settings.pod_name
    # This is a driver inside its pod: SparkSubmit then puts --files, --archives and --py-files into the working
    # directory, as EMR does. Spark takes the broker's address and the token from other keys in that mode.
    facts["spark.kubernetes.submitInDriver"] = "true"
    facts["spark.kubernetes.driver.master"] = master.removeprefix(_KUBERNETES)
    for prefix in ("spark.kubernetes.authenticate", "spark.kubernetes.authenticate.driver.mounted"):
        facts[f"{prefix}.oauthTokenFile"] = str(run / "spark-token")
        facts[f"{prefix}.caCertFile"] = str(run / "broker-ca.crt")
    if "spark-auth" in secrets:
        # Not the keys with `driver` or `executor` in them: an executor's first connection knows only this one.
        facts["spark.authenticate.secret.file"] = str(run / "spark-auth")
    return facts
