"""Reading the executor pod that a Spark driver posts: the few values that its executor needs, and nothing else."""

import json
import re
from typing import Any

from ember.model import labels
from ember.plan import ids
from ember.plan.facts import ExecutorRequest

_KEPT_LABELS = ("spark-app-name", "spark-version")
_OPTION = "SPARK_JAVA_OPT_"
_LARGEST = 64 * 1024  # bytes of what becomes an annotation, all of which Kubernetes keeps below 256 KiB
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")  # Kubernetes' rule


def parse_request(
    pod: dict[str, Any], *, namespace: str, run_name: str, run_uid: str, attempt: int, now: float
) -> ExecutorRequest:
    """Take an executor request out of a posted pod.

    Source: Spark 4.1's BasicExecutorFeatureStep, which writes these variables and labels.
    Raises ValueError naming what is missing or wrong.
    """
    meta = pod.get("metadata") or {}
    names = meta.get("labels") or {}
    executor_id = str(names.get(labels.SPARK_EXEC_ID, ""))
    if not re.fullmatch("[0-9]{1,9}", executor_id):
        raise ValueError(f"label {labels.SPARK_EXEC_ID}: {executor_id!r} is not an executor id")
    environment = _environment(pod)
    driver_url, java_options = _required(environment, "SPARK_DRIVER_URL"), _java_options(environment)
    size = len(json.dumps([driver_url, *java_options]))
    if size > _LARGEST:
        raise ValueError(f"SPARK_DRIVER_URL and the Java options are larger than {_LARGEST} bytes")
    return ExecutorRequest(
        namespace=namespace,
        pod_name=ids.executor_pod_name(run_name, run_uid, attempt, executor_id),
        run_name=run_name,
        run_uid=run_uid,
        attempt=attempt,
        asked_at=now,
        executor_id=executor_id,
        driver_url=driver_url,
        app_id=ids.external_id(run_uid),
        resource_profile_id=_label("SPARK_RESOURCE_PROFILE_ID", environment.get("SPARK_RESOURCE_PROFILE_ID", "0")),
        cores=_cores(_required(environment, "SPARK_EXECUTOR_CORES")),
        java_options=java_options,
        decommission="preStop" in (_container(pod).get("lifecycle") or {}),
        size=size,
        labels={name: _label(f"label {name}", str(names[name])) for name in _KEPT_LABELS if name in names},
    )


def _container(pod: dict[str, Any]) -> dict[str, Any]:
    containers: list[dict[str, Any]] = (pod.get("spec") or {}).get("containers") or [{}]
    return containers[0]


def _environment(pod: dict[str, Any]) -> dict[str, str]:
    variables = _container(pod).get("env") or []
    return {
        str(v.get("name")): v["value"] for v in variables if isinstance(v, dict) and isinstance(v.get("value"), str)
    }


def _java_options(environment: dict[str, str]) -> tuple[str, ...]:
    numbered = [(name.removeprefix(_OPTION), value) for name, value in environment.items() if name.startswith(_OPTION)]
    ordered = sorted((int(number), value) for number, value in numbered if number.isdecimal())
    return tuple(value for _, value in ordered)


def _required(environment: dict[str, str], name: str) -> str:
    if not environment.get(name):
        raise ValueError(f"environment variable {name} is missing in the executor's container")
    return environment[name]


def _label(what: str, value: str) -> str:
    """A pod with another value would be refused when it is too late to tell the driver."""
    if not _LABEL_VALUE.fullmatch(value):
        raise ValueError(f"{what}: {value!r} is not the value of a label")
    return value


def _cores(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise ValueError(f"SPARK_EXECUTOR_CORES: {text!r} is not a number of cores")
    return int(text)
