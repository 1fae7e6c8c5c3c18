"""Which Python runs a job: the prepared zygote's, or one that the user brought (in an archive, say)."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

DRIVER_PYTHON = "spark.pyspark.driver.python"
PYTHON = "spark.pyspark.python"
# Settings whose keys end in the name of an environment variable for the driver.
DRIVER_ENV_PREFIXES = ("spark.kubernetes.driverEnv.", "spark.emr-serverless.driverEnv.")


def driver_environment(properties: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that the settings ask for; in client mode Spark itself would ignore them."""
    return {
        key.removeprefix(prefix): value
        for prefix in DRIVER_ENV_PREFIXES
        for key, value in properties.items()
        if key.startswith(prefix) and len(key) > len(prefix)
    }


def requested(properties: Mapping[str, str], arguments: tuple[str, ...], env: Mapping[str, str]) -> tuple[str, str]:
    """Which interpreters the user asked for, the driver's and the workers', in Spark's order; empty: none."""
    settings = {**properties, **_conf_arguments(arguments)}
    workers = settings.get(PYTHON) or env.get("PYSPARK_PYTHON", "")
    driver = settings.get(DRIVER_PYTHON) or settings.get(PYTHON) or env.get("PYSPARK_DRIVER_PYTHON") or workers
    return driver, workers


def is_same(one: Path, other: Path) -> bool:
    """True for two names of one interpreter. Those of two virtual environments are links to the same file, yet two."""
    return one.parent.resolve() == other.parent.resolve() and one.resolve() == other.resolve()


def _conf_arguments(arguments: tuple[str, ...]) -> dict[str, str]:
    """What `--conf key=value` says. A look too far, into the job's own arguments, costs only the head start."""
    pairs = [after for name, after in pairwise(arguments) if name in ("--conf", "-c")]
    pairs += [argument.removeprefix("--conf=") for argument in arguments if argument.startswith("--conf=")]
    return {key: value for key, equals, value in (pair.partition("=") for pair in pairs) if equals}
