"""The broker's answer to `what shall I do`, parsed and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

IDLE, RUN, STOP = "idle", "run", "stop"


class AssignmentError(Exception):
    """The broker's answer does not have the agreed shape."""


@dataclass(frozen=True)
class DriverPart:
    """What a driver runs: Spark settings, and the arguments of spark-submit after them."""

    properties: Mapping[str, str]
    submit_arguments: tuple[str, ...]


@dataclass(frozen=True)
class ExecutorPart:
    """What an executor needs to find its driver."""

    driver_url: str
    executor_id: str
    cores: int
    app_id: str
    resource_profile_id: str
    java_options: tuple[str, ...]
    decommission: bool = False  # whether it can move its blocks away before it ends


@dataclass(frozen=True)
class Assignment:
    """One revision of what this pod shall do."""

    revision: int
    phase: str
    reason: str = ""
    run: Mapping[str, str] = field(default_factory=dict)
    jvm_options: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)
    driver: DriverPart | None = None
    executor: ExecutorPart | None = None


def parse(body: Any) -> Assignment:
    """Turn the decoded JSON into an Assignment; raises AssignmentError."""
    try:
        return Assignment(
            revision=int(body["revision"]),
            phase=_phase(body["phase"]),
            reason=str(body.get("reason") or ""),
            run={str(key): str(value) for key, value in (body.get("run") or {}).items()},
            jvm_options=_strings(body.get("jvmOptions")),
            secrets={_file_name(key): str(value) for key, value in (body.get("secrets") or {}).items()},
            driver=_driver(body["driver"]) if body.get("driver") else None,
            executor=executor_part(body["executor"]) if body.get("executor") else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # The text of a KeyError or ValueError names the field, never a secret's value.
        raise AssignmentError(f"assignment is malformed: {type(error).__name__} {error}") from error


def _driver(part: Mapping[str, Any]) -> DriverPart:
    properties = {str(key): str(value) for key, value in part["properties"].items()}
    return DriverPart(properties, _strings(part["submitArguments"]))


def executor_part(part: Mapping[str, Any]) -> ExecutorPart:
    """Parse the executor's part; raises as the types of its values do."""
    return ExecutorPart(
        driver_url=str(part["driverUrl"]),
        executor_id=str(part["executorId"]),
        cores=int(part["cores"]),
        app_id=str(part["appId"]),
        resource_profile_id=str(part["resourceProfileId"]),
        java_options=_strings(part.get("javaOptions")),
        decommission=bool(part.get("decommission")),
    )


def _phase(value: object) -> str:
    if value not in (IDLE, RUN, STOP):
        raise ValueError(f"phase {value!r}")
    return str(value)


def _strings(values: Any) -> tuple[str, ...]:
    if isinstance(values, str):
        raise TypeError("a list of strings, not one string")
    return tuple(str(value) for value in values or ())


def _file_name(name: object) -> str:
    text = str(name)
    if not text or text.startswith(".") or "/" in text:
        raise ValueError(f"secret named {text!r}")
    return text
