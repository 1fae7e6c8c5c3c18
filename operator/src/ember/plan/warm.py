"""Pre-initialized workers: which are wanted, which request one can serve, and why a run goes cold.

Source: EMR Serverless user guide, "Configuring an application when working with pre-initialized capacity".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ember.model import labels
from ember.model.application import EMRApplicationSpec, InitialCapacityConfig, WorkerType
from ember.model.capacity import DEFAULT_OVERHEAD_FACTOR, MIN_OVERHEAD_MIB, Capacity, worker_size
from ember.model.quantity import MIB_PER_GIB, format_cpu, format_gigabytes, parse_cpu, parse_gigabytes
from ember.model.submit import split_words
from ember.plan.workers import Worker

ROLES = {WorkerType.DRIVER: labels.DRIVER, WorkerType.EXECUTOR: labels.EXECUTOR_ROLE}
DEFAULT_WORKER = ("4 vCPU", "16 GB", "20 GB")  # EMR Serverless, a pre-initialized Spark worker without a size
# What a JVM takes only when it starts: a run that sets one of these cannot run in a JVM that started before it.
_START_ONLY = {
    labels.DRIVER: ("spark.driver.extraClassPath", "spark.driver.extraLibraryPath"),
    labels.EXECUTOR_ROLE: ("spark.executor.extraClassPath", "spark.executor.extraLibraryPath"),
}


@dataclass(frozen=True)
class Shape:
    """The pre-initialized workers that one entry of `initialCapacity` asks for."""

    kind: str  # the key of the entry
    role: str
    count: int
    capacity: Capacity
    heap_mib: int


@dataclass(frozen=True)
class Need:
    """What a worker of a run must have. `cold` says why no pre-initialized one can serve; empty when one can."""

    capacity: Capacity
    heap_mib: int
    cold: str = ""
    image: str = ""  # an executor's: its driver's, whatever the application's release is meanwhile

    def met_by(self, worker: Worker) -> bool:
        """Whether a pre-initialized worker is large enough; a larger one wastes the difference, as EMR's do."""
        if self.cold or self.image not in ("", worker.image):
            return False
        return self.capacity.fits_within(worker.capacity) and self.heap_mib <= worker.heap_mib


def shapes(spec: EMRApplicationSpec) -> tuple[Shape, ...]:
    """What the application wants to have ready. Raises ValueError, naming the field, for what it can never have."""
    found = tuple(_shape(kind, config) for kind, config in sorted((spec.initial_capacity or {}).items()))
    if spec.maximum_capacity is not None and found:
        over = total(found).exceeded_by(spec.maximum_capacity.limit())
        if over:
            raise ValueError(f"initialCapacity: all of its workers have more {' and '.join(over)} than maximumCapacity")
    return found


def total(wanted: Iterable[Shape]) -> Capacity:
    """What all of these workers count against the maximum."""
    whole = Capacity.zero()
    for shape in wanted:
        each = shape.capacity
        whole += Capacity(
            cpu=each.cpu * shape.count, memory_mib=each.memory_mib * shape.count, disk_gib=each.disk_gib * shape.count
        )
    return whole


def _shape(kind: str, config: InitialCapacityConfig) -> Shape:
    worker = config.worker_configuration
    cpu, memory, disk = (worker.cpu, worker.memory, worker.disk) if worker is not None else DEFAULT_WORKER
    mib = parse_gigabytes(memory) * MIB_PER_GIB
    try:
        # A size that is in the table stays as it is: nothing is rounded, as the memory is the whole worker's.
        capacity = worker_size(parse_cpu(cpu), mib, overhead_mib=0, disk_gib=parse_gigabytes(disk or "20 GB"))
    except ValueError as error:
        raise ValueError(f"initialCapacity.{kind}: {error}") from error
    return Shape(kind, ROLES[WorkerType.of(kind)], config.worker_count, capacity, heap_of(mib))


def size_of(capacity: Capacity) -> str:
    """A worker's size for people and for the label of a metric: ``1 vCPU, 4 GB``."""
    return f"{format_cpu(capacity.cpu)}, {format_gigabytes(capacity.memory_mib // MIB_PER_GIB)}"


def heap_of(memory_mib: int) -> int:
    """The heap of a worker of this memory: the largest that leaves the usual overhead."""
    return min(memory_mib - MIN_OVERHEAD_MIB, int(memory_mib / (1 + DEFAULT_OVERHEAD_FACTOR)))


def why_cold(properties: dict[str, str], role: str) -> str:
    """Why a run's driver or executors cannot use a JVM that runs already; empty when they can."""
    for name in _START_ONLY[role]:
        if properties.get(name):
            return f"{name} is set"
    if any(not option.startswith("-D") for option in java_options(properties, role)):
        return f"spark.{role}.extraJavaOptions holds more than -D options"
    if role == labels.EXECUTOR_ROLE and any(name.startswith("spark.executorEnv.") for name in properties):
        return "spark.executorEnv is set"
    if role == labels.DRIVER and any(name.startswith("spark.emr-serverless.driverEnv.") for name in properties):
        return "spark.emr-serverless.driverEnv is set"
    return ""


def java_options(properties: dict[str, str], role: str) -> list[str]:
    """The JVM options of a run's driver or executors, in Spark's order. Raises ValueError, naming the property."""
    names = (f"spark.{role}.defaultJavaOptions", f"spark.{role}.extraJavaOptions")
    return [word for name in names for word in split_words(properties.get(name, ""), name)]


def best_fit(need: Need, idle: Sequence[Worker], zone: str = "") -> Worker | None:
    """The worker to claim: in the run's zone first, then the smallest that holds the need, then the oldest."""
    fitting = [worker for worker in idle if need.met_by(worker)]
    if not fitting:
        return None
    return min(
        fitting,
        key=lambda w: (
            bool(zone) and w.zone != zone,
            w.capacity.cpu,
            w.capacity.memory_mib,
            w.capacity.disk_gib,
            w.created_at,
            w.name,
        ),
    )
