"""The Spark properties of a run, and the worker sizes that follow from them.

Later wins: EMR Serverless's defaults, the platform's `sparkDefaults`, the application's `runtimeConfiguration`, the
run's `applicationConfiguration`, its `sparkSubmitParameters`; last what Ember owns, which nobody can override
(`ember.model.submit` refuses an attempt with a reason).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ember.model import labels
from ember.model.application import EMRApplicationSpec
from ember.model.capacity import Capacity, CapacityLimit
from ember.model.conf_policy import refusals
from ember.model.configuration import properties_of
from ember.model.jobrun import JobRunSpec
from ember.model.quantity import format_cpu, format_gigabytes
from ember.model.settings import Settings
from ember.model.submit import SubmitParameters, parse_submit_parameters
from ember.plan.sizes import Size, size_asked
from ember.plan.warm import Need, Shape, java_options, why_cold

# EMR Serverless user guide, "Spark job properties".
EMR_DEFAULTS = {
    "spark.driver.cores": "4",
    "spark.driver.memory": "14g",
    "spark.executor.cores": "4",
    "spark.executor.memory": "14g",
    "spark.emr-serverless.driver.disk": "20G",
    "spark.emr-serverless.executor.disk": "20G",
    "spark.dynamicAllocation.enabled": "true",
    "spark.dynamicAllocation.initialExecutors": "3",
    "spark.dynamicAllocation.minExecutors": "0",
    "spark.dynamicAllocation.executorIdleTimeout": "60s",
    "spark.decommission.enabled": "true",
    "spark.storage.decommission.enabled": "true",
    "spark.storage.decommission.shuffleBlocks.enabled": "true",
    "spark.storage.decommission.rddBlocks.enabled": "true",
    # The default, 30 s, is also how long an executor with nothing left to move stays.
    "spark.storage.decommission.replicationReattemptInterval": "1s",
    "spark.storage.decommission.fallbackStorage.cleanUp": "true",
    "spark.eventLog.enabled": "true",
    "spark.eventLog.rolling.enabled": "true",
    "spark.eventLog.rolling.maxFileSize": "128m",
    # The UI answers whoever reaches its port: off until it stands behind Ember's own authentication.
    "spark.ui.enabled": "false",
}
_VARIABLES = {labels.DRIVER: "spark.emr-serverless.driverEnv.", labels.EXECUTOR_ROLE: "spark.executorEnv."}
_LAUNCHER = "/opt/ember/lib"  # where it is in the image
# How many executors a job with no limit of its own may have when the application has no maximum either.
NO_LIMIT = 10_000


@dataclass(frozen=True)
class RunPlan:
    """Everything about a run that follows from its specification alone."""

    properties: dict[str, str]  # what the job asked for and what it gets by default; Ember's own are added per attempt
    parameters: SubmitParameters
    driver: Size
    executor: Size
    driver_options: tuple[str, ...] = ()  # of its JVM
    driver_cold: str = ""  # why its driver cannot be a pre-initialized worker; empty when it can
    executor_cold: str = ""
    driver_environment: dict[str, str] = field(default_factory=dict)
    executor_environment: dict[str, str] = field(default_factory=dict)


def plan_run(
    run: JobRunSpec, application: EMRApplicationSpec, settings: Settings, pool: Sequence[Shape] = ()
) -> RunPlan:
    """Work out a run's properties and sizes; `pool` is what its application keeps pre-initialized.

    Raises ValueError, naming the setting, its value and the rule, when they cannot be had.
    """
    submit = run.job_driver.spark_submit
    assert submit is not None  # the CRD's rule: exactly one, and hive is not supported yet
    parameters = parse_submit_parameters(submit.spark_submit_parameters)
    overrides = run.configuration_overrides
    own = properties_of(overrides.application_configuration if overrides is not None else None)
    properties = dict(settings.spark_defaults)
    properties |= _allowed("runtimeConfiguration", properties_of(application.runtime_configuration))
    properties |= _allowed("applicationConfiguration", own)
    properties |= parameters.conf
    if "spark.executor.instances" in properties:  # who says how many means it, with dynamic allocation to begin with
        properties.setdefault("spark.dynamicAllocation.initialExecutors", properties["spark.executor.instances"])
    complete = {**EMR_DEFAULTS, **properties}
    driver, executor = size_asked(complete, labels.DRIVER), size_asked(complete, labels.EXECUTOR_ROLE)
    need = Need.of(executor, why_cold(complete, labels.EXECUTOR_ROLE))
    properties = {**EMR_DEFAULTS, **_warm_defaults(need, pool), **properties}
    maximum = maximum_of(application)
    _check_fits(driver.capacity, executor.capacity, maximum)
    properties.update(_executor_bounds(properties, driver.capacity, executor.capacity, maximum))
    return RunPlan(
        properties=properties,
        parameters=parameters,
        driver=driver,
        executor=executor,
        driver_options=tuple(java_options(properties, labels.DRIVER)),
        driver_cold=why_cold(properties, labels.DRIVER),
        executor_cold=need.cold,
        driver_environment=_environment(properties, labels.DRIVER),
        executor_environment=_environment(properties, labels.EXECUTOR_ROLE),
    )


def _warm_defaults(executor: Need, pool: Sequence[Shape]) -> dict[str, str]:
    """Where executors come back within a second, they need not linger: they follow each stage."""
    own = [shape for shape in pool if shape.role == labels.EXECUTOR_ROLE]
    ready = sum(shape.count for shape in own if executor.fits(shape.capacity, shape.heap_mib))
    if not ready:
        return {}
    initial = min(ready, int(EMR_DEFAULTS["spark.dynamicAllocation.initialExecutors"]))
    return {
        "spark.dynamicAllocation.executorIdleTimeout": "2s",
        "spark.dynamicAllocation.initialExecutors": str(initial),
    }


def maximum_of(application: EMRApplicationSpec) -> CapacityLimit:
    """The application's ceiling; without one, nothing is bounded."""
    maximum = application.maximum_capacity
    return maximum.limit() if maximum is not None else CapacityLimit()


def describe(capacity: Capacity | CapacityLimit) -> str:
    """A capacity for people: `2 vCPU, 6 GB memory, 40 GB disk`, without what is not bounded."""
    parts = []
    if capacity.cpu is not None:
        parts.append(format_cpu(capacity.cpu))
    if capacity.memory_mib is not None:
        parts.append(f"{format_gigabytes(capacity.memory_mib // 1024)} memory")
    if capacity.disk_gib is not None:
        parts.append(f"{format_gigabytes(capacity.disk_gib)} disk")
    return ", ".join(parts)


def _allowed(source: str, properties: Mapping[str, str]) -> Mapping[str, str]:
    refused = refusals(properties)
    if refused:
        raise ValueError(f"{source}: {'; '.join(refused[:3])}")
    return properties


def _check_fits(driver: Capacity, executor: Capacity, maximum: CapacityLimit) -> None:
    over = (driver + executor).exceeded_by(maximum)
    if over:
        raise ValueError(
            f"maximumCapacity: a driver and an executor need {describe(driver + executor)}, more {' and '.join(over)}"
            f" than the application's maximum of {describe(maximum)}; ask for smaller workers or raise it"
        )


def _how_many(executor: Capacity, driver: Capacity, maximum: CapacityLimit) -> int:
    """How many executors fit beside the driver."""
    bounds = (
        (maximum.cpu, driver.cpu, executor.cpu),
        (maximum.memory_mib, driver.memory_mib, executor.memory_mib),
        (maximum.disk_gib, driver.disk_gib, executor.disk_gib),
    )
    return min([NO_LIMIT, *((most - taken) // each for most, taken, each in bounds if most is not None)])


def _executor_bounds(
    properties: dict[str, str], driver: Capacity, executor: Capacity, maximum: CapacityLimit
) -> dict[str, str]:
    """Bound what Spark asks for by what the application can ever give; the broker holds the ceiling itself."""
    most = _how_many(executor, driver, maximum)
    if properties.get("spark.dynamicAllocation.enabled", "true").lower() != "true":
        wanted = _executors(properties.get("spark.executor.instances", "3"))
        return {"spark.executor.instances": str(min(wanted, most))}
    allocation = "spark.dynamicAllocation."
    upper = min(_executors(properties.get(allocation + "maxExecutors", "infinity")), most)
    lower = min(_executors(properties.get(allocation + "minExecutors", "0")), upper)
    initial = min(max(_executors(properties.get(allocation + "initialExecutors", "3")), lower), upper)
    bounds = {"maxExecutors": upper, "minExecutors": lower, "initialExecutors": initial}
    # With dynamic allocation Spark reads executor.instances as one more lower bound of the initial number.
    instances = {"spark.executor.instances": str(initial)} if "spark.executor.instances" in properties else {}
    return {**{allocation + name: str(value) for name, value in bounds.items()}, **instances}


def _executors(text: str) -> int:
    if text in ("infinity", "2147483647"):
        return NO_LIMIT
    if not text.isdigit():
        raise ValueError(f"{text[:40]!r} is not a number of executors")
    return int(text)


def _environment(properties: Mapping[str, str], role: str) -> dict[str, str]:
    """The variables that a run wants for its workers, and the paths of their JVMs, which the launcher prepends.

    The launcher, too, is found by PYTHONPATH.
    """
    prefix = _VARIABLES[role]
    found = {name.removeprefix(prefix): value for name, value in properties.items() if name.startswith(prefix)}
    if "PYTHONPATH" in found:
        found["PYTHONPATH"] = f"{_LAUNCHER}:{found['PYTHONPATH']}"
    for name, variable in (("extraClassPath", "EMBER_CLASS_PATH"), ("extraLibraryPath", "EMBER_LIBRARY_PATH")):
        if path := properties.get(f"spark.{role}.{name}"):
            found[variable] = path
    return found
