"""Which Spark properties a run may set. One table, with reasons.

The table is for clarity, not the wall: a driver runs any code, so the broker makes executor pods from its own template
whatever is posted, and workers hold no rights in Kubernetes. What is refused here would have no effect, or break the
run, or expose a secret; it is refused by name instead of silently overridden. Families in which Kubernetes or the
operator take part (``spark.kubernetes.``, ``spark.emr-serverless.``, ``spark.submit.``) are closed: only the allowed
members pass.
"""

import re
from collections.abc import Mapping

ALLOWED = frozenset(
    {
        "spark.submit.pyFiles",
        "spark.emr-serverless.driver.disk",
        "spark.emr-serverless.executor.disk",
    }
)
"""Members of closed families which a run may set."""

_OWNED = "is set by Ember"
_STORE = "is set by Ember, from the operator's store settings"
_ENCRYPTION = "is set by Ember: workers always authenticate and encrypt"
_PODS = "is not supported: Ember makes the pods"
_SECRET = "is not supported: credentials come from the store's Secret, a JobRun is readable"  # noqa: S105
_LATER = "is not supported yet"
_FACTOR = "is not supported yet: use spark.driver.memoryOverheadFactor and spark.executor.memoryOverheadFactor"

# A key, or a prefix if it ends in a dot -> why it is refused. A key counts before a prefix.
REFUSED: Mapping[str, str] = {
    "spark.master": _OWNED,
    "spark.remote": _OWNED,
    "spark.api.mode": _OWNED,
    "spark.submit.": _OWNED,
    "spark.app.id": _OWNED,
    "spark.executor.id": _OWNED,
    "spark.driver.host": _OWNED,
    "spark.driver.port": _OWNED,
    "spark.driver.bindAddress": _OWNED,
    "spark.driver.blockManager.port": _OWNED,
    "spark.blockManager.port": _OWNED,
    "spark.local.dir": _OWNED,
    "spark.launcher.": _OWNED,
    "spark.authenticate": _ENCRYPTION,
    "spark.authenticate.": _ENCRYPTION,
    "spark.network.crypto.": _ENCRYPTION,
    "spark.eventLog.dir": "is set by Ember: event logs are kept beside the logs, see monitoringConfiguration",
    "spark.hadoop.fs.s3a.endpoint": _STORE,
    "spark.hadoop.fs.s3a.endpoint.region": _STORE,
    "spark.hadoop.fs.s3a.path.style.access": _STORE,
    "spark.hadoop.fs.s3a.connection.ssl.enabled": _STORE,
    "spark.emr-serverless.memoryOverheadFactor": _FACTOR,
    "spark.kubernetes.memoryOverheadFactor": _FACTOR,
    "spark.emr-serverless.": _LATER,
    "spark.kubernetes.": _PODS,
    "spark.driver.resource.": _LATER,
    "spark.executor.resource.": _LATER,
}

_PREFIXES = tuple((rule, reason) for rule, reason in REFUSED.items() if rule.endswith("."))

# Variables of a worker's environment: spark.executorEnv.NAME, and EMR's spelling for the driver's.
_VARIABLE = re.compile(r"spark\.(?:executorEnv|emr-serverless\.driverEnv)\.(.*)")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWNED_VARIABLE = re.compile(r"(EMBER|POD|AWS|KUBERNETES)_.*|SPARK_LOCAL_DIRS|PYTHONHOME")

_CREDENTIALS = re.compile(
    r"spark\.hadoop\.fs\.s3[an]?\..*(access\.?key|secret\.?key|session\.?token|credential|password|encryption\.key)",
    re.IGNORECASE,
)


def refuse(key: str) -> str | None:
    """Say why a run may not set this property, or None if it may."""
    if not key.startswith("spark."):
        return "is ignored by Spark: properties begin with 'spark.'"
    if any(char.isspace() or not char.isprintable() for char in key):
        return "is not a property: it holds white space"
    if key in ALLOWED:
        return None
    if variable := _VARIABLE.fullmatch(key):
        return _refuse_variable(variable[1])
    if _CREDENTIALS.match(key):
        return _SECRET
    return REFUSED.get(key) or next((reason for prefix, reason in _PREFIXES if key.startswith(prefix)), None)


def _refuse_variable(name: str) -> str | None:
    if not _VARIABLE_NAME.fullmatch(name):
        return "is not the name of an environment variable"
    return _OWNED if _OWNED_VARIABLE.fullmatch(name) else None


def refusals(conf: Mapping[str, str]) -> list[str]:
    """List what a run may not set among these properties, as ``spark.master is set by Ember``."""
    return [f"{_shown(key)} {reason}" for key in conf if (reason := refuse(key))]


def _shown(key: str) -> str:
    """Return the key for a message: never the value, which may be a secret."""
    text = key if key.isprintable() else repr(key)
    return text if len(text) <= 120 else text[:120] + "..."
