"""What the pod tells its launcher: environment variables, and where things are in the image."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CREDENTIALS_PORT = 9911
READY_PORT = 9912
GRACE_SECONDS = 30.0  # Kubernetes's own default
DRIVER = "driver"
EXECUTOR = "executor"


class SettingsError(Exception):
    """The environment of the pod cannot be worked with; the message names the variable."""


@dataclass(frozen=True)
class Paths:
    """Where the image and the pod keep things. Each can be moved by EMBER_PATH_<NAME>, which only tests do."""

    spark_home: Path = Path("/opt/spark")
    python: Path = Path("/opt/py/bin/python")
    java: Path = Path("java")
    java_args: Path = Path("/opt/ember/java.args")
    run: Path = Path("/run/ember")
    work: Path = Path("/var/lib/spark/work")
    token: Path = Path("/var/run/secrets/ember/token")
    termination: Path = Path("/dev/termination-log")

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "Paths":
        """Take the image's paths, save those that the environment moves."""
        moved = {
            name: Path(env[key]) for name in cls.__dataclass_fields__ if (key := f"EMBER_PATH_{name.upper()}") in env
        }
        return cls(**moved)


@dataclass(frozen=True)
class Settings:
    """The environment of a worker pod, checked once at the start."""

    role: str
    broker_url: str
    broker_ca: str
    heap_mb: int | None
    warm: bool
    class_path: str
    library_path: str
    pod_ip: str
    pod_name: str
    credentials_port: int
    ready_port: int
    grace_seconds: float  # between the kubelet's SIGTERM and its SIGKILL
    paths: Paths

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "Settings":
        """Read the pod's environment; raises SettingsError for what is missing or makes no sense."""
        role = _required(env, "EMBER_ROLE")
        if role not in (DRIVER, EXECUTOR):
            raise SettingsError(f"EMBER_ROLE is {role!r}; it must be driver or executor")
        heap = env.get("EMBER_HEAP_MB", "")
        if heap and not heap.isdecimal():
            raise SettingsError(f"EMBER_HEAP_MB is {heap!r}; it must be a whole number")
        return cls(
            role=role,
            broker_url=_required(env, "EMBER_BROKER_URL").rstrip("/"),
            broker_ca=_pem(_required(env, "EMBER_BROKER_CA")),
            heap_mb=int(heap) if heap else None,
            warm=env.get("EMBER_WARM") == "1",
            class_path=env.get("EMBER_CLASS_PATH", ""),
            library_path=env.get("EMBER_LIBRARY_PATH", ""),
            pod_ip=_required(env, "POD_IP"),
            pod_name=_required(env, "POD_NAME"),
            credentials_port=int(env.get("EMBER_CREDENTIALS_PORT", CREDENTIALS_PORT)),
            ready_port=int(env.get("EMBER_READY_PORT", READY_PORT)),
            grace_seconds=float(env.get("EMBER_GRACE_SECONDS", GRACE_SECONDS)),
            paths=Paths.from_environment(env),
        )


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise SettingsError(f"{name} is not set")
    return value


def _pem(value: str) -> str:
    """The certificate itself, or the path of a file that holds it."""
    if "-----BEGIN" in value:
        return value
    try:
        return Path(value).read_text()
    except OSError as error:
        raise SettingsError(f"EMBER_BROKER_CA is neither PEM nor a readable file: {error}") from error


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, in one piece and without a newline that nobody asked for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)
