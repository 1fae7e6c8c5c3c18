"""Factories of applications and runs. A run is small unless its test says otherwise."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from local.install import TENANT

Object = dict[str, Any]

JOBS = Path(__file__).parents[2] / "e2e" / "jobs"
EXAMPLES = Path(__file__).parents[3] / "examples" / TENANT
SCRIPTS = "s3://demo/e2e/jobs/"
LOGS = "s3://demo/e2e/logs/"
LABELS = {"ember-spark.io/test": "e2e"}
SMALL = {
    "spark.driver.cores": "1",
    "spark.driver.memory": "1g",
    "spark.executor.cores": "1",
    "spark.executor.memory": "1g",
    "spark.dynamicAllocation.initialExecutors": "1",
    "spark.dynamicAllocation.maxExecutors": "1",
}
# JVMs that live for seconds: what the second compiler does would never pay.
QUICK = {f"spark.{role}.extraJavaOptions": "-XX:TieredStopAtLevel=1" for role in ("driver", "executor")}


def application(name: str, *, cpu: int, memory: int, disk: int = 400, warm: Mapping[str, int] | None = None) -> Object:
    """An application with this ceiling, and so many pre-initialized workers of each type, as small as can be."""
    maximum = {"cpu": f"{cpu} vCPU", "memory": f"{memory} GB", "disk": f"{disk} GB"}
    spec: Object = {"type": "SPARK", "releaseLabel": "spark-4.1.2", "maximumCapacity": maximum}
    if warm:
        size = {"cpu": "1 vCPU", "memory": "2 GB"}
        spec["initialCapacity"] = {
            kind: {"workerCount": count, "workerConfiguration": size} for kind, count in warm.items()
        }
    return _object("EMRApplication", name, spec)


def job_run(
    name: str,
    entry_point: str,
    arguments: Sequence[str] = (),
    *,
    application: str = "e2e",
    conf: Mapping[str, str] = QUICK,
    parameters: str = "",
) -> Object:
    """A run of a script of tests/e2e/jobs, or of whatever has a scheme; `conf` goes over the small sizes."""
    settings = " ".join(f"--conf {key}={value}" for key, value in {**SMALL, **conf}.items())
    submit: Object = {
        "entryPoint": entry_point if ":" in entry_point else SCRIPTS + entry_point,
        "entryPointArguments": list(arguments),
        "sparkSubmitParameters": f"{settings} {parameters}".strip(),
    }
    monitoring = {"s3MonitoringConfiguration": {"logUri": LOGS}}
    spec = {
        "applicationRef": {"name": application},
        "jobDriver": {"sparkSubmit": submit},
        "configurationOverrides": {"monitoringConfiguration": monitoring},
    }
    return _object("JobRun", name, spec)


def example(name: str) -> Object:
    """A manifest of examples/, as it stands."""
    manifest: Object = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    return manifest


def _object(kind: str, name: str, spec: Object) -> Object:
    metadata = {"name": name, "namespace": TENANT, "labels": LABELS}
    return {"apiVersion": "ember-spark.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
