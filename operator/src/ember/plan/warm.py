"""Pre-initialized workers: which are wanted, which request one can serve, and why a run goes cold.

Source: EMR Serverless user guide, "Configuring an application when working with pre-initialized capacity".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ember.model import labels
from ember.model.application import EMRApplicationSpec, InitialCapacityConfig, WorkerType
from ember.model.capacity import Capacity, worker_size
from ember.model.configuration import properties_of
from ember.model.quantity import MIB_PER_GIB, format_cpu, format_gigabytes, parse_cpu, parse_gigabytes
from ember.model.submit import split_words
from ember.plan.sizes import Size, largest_heap
from ember.plan.workers import Worker

ROLES = {WorkerType.DRIVER: labels.DRIVER, WorkerType.EXECUTOR: labels.EXECUTOR_ROLE}
DEFAULT_WORKER = ("4 vCPU", "16 GB", "20 GB")  # EMR Serverless, a pre-initialized Spark worker without a size
# What a JVM takes only when it starts, or Spark once in its life: a run that sets one of these cannot run in a JVM that
# has rehearsed. (What Spark takes once and can be made to forget is forgotten: `ember.worker.warm.traces`.)
_ONCE = (
    "spark.network.io.preferDirectBufs",
    "spark.sql.broadcastExchange.maxThreadThreshold",
    "spark.sql.codegen.cache.maxEntries",
    "spark.sql.resultQueryStage.maxThreadThreshold",
    "spark.sql.shuffleExchange.maxThreadThreshold",
)
_START_ONLY = {
    labels.DRIVER: ("spark.driver.extraClassPath", "spark.driver.extraLibraryPath", *_ONCE),
    labels.EXECUTOR_ROLE: ("spark.executor.extraClassPath", "spark.executor.extraLibraryPath", *_ONCE),
}
# Properties that a JVM and its libraries read once, at their start (`ember.worker.warm.fit`).
READ_AT_START = (
    "java.", "javax.", "jdk.", "sun.", "com.sun.", "user.", "file.", "native.", "stdout.", "stderr.", "os.",
    "log4j", "slf4j", "org.slf4j", "io.netty.", "networkaddress.", "http.", "https.", "java_", "hadoop.home.dir",
)  # fmt: skip


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
    beside_mib: int = 0  # memory beside the heap
    cold: str = ""
    image: str = ""  # an executor's: its driver's, whatever the application's release is meanwhile

    @classmethod
    def of(cls, size: Size, cold: str, image: str = "") -> "Need":
        """What a run needs that asked for a worker of this size."""
        return cls(size.capacity, size.heap_mib, size.beside_mib, cold, image)

    def met_by(self, worker: Worker) -> bool:
        """Whether a pre-initialized worker is large enough; a larger one wastes the difference, as EMR's do."""
        return self.image in ("", worker.image) and self.fits(worker.capacity, worker.heap_mib)

    def fits(self, capacity: Capacity, heap_mib: int) -> bool:
        """Whether it fits into a worker of this size whose JVM runs already, with a heap that stays as it is."""
        beside = capacity.memory_mib - heap_mib
        return (
            not self.cold
            and self.capacity.fits_within(capacity)
            and self.heap_mib <= heap_mib
            and self.beside_mib <= beside
        )


def shapes(spec: EMRApplicationSpec, defaults: Mapping[str, str]) -> tuple[Shape, ...]:
    """What the application wants to have ready, its heaps so that its runs have what they want beside them.

    `defaults` are the platform's properties of all runs. Raises ValueError, naming the field, for what it can never
    have.
    """
    properties = {**defaults, **properties_of(spec.runtime_configuration)}
    wanted = sorted((spec.initial_capacity or {}).items())
    found = tuple(_shape(kind, config, properties) for kind, config in wanted)
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


def _shape(kind: str, config: InitialCapacityConfig, properties: Mapping[str, str]) -> Shape:
    worker = config.worker_configuration
    cpu, memory, disk = (worker.cpu, worker.memory, worker.disk) if worker is not None else DEFAULT_WORKER
    mib, role = parse_gigabytes(memory) * MIB_PER_GIB, ROLES[WorkerType.of(kind)]
    try:
        # A size that is in the table stays as it is: nothing is rounded, as the memory is the whole worker's.
        capacity = worker_size(parse_cpu(cpu), mib, overhead_mib=0, disk_gib=parse_gigabytes(disk or "20 GB"))
        heap = largest_heap(mib, properties, role)
    except ValueError as error:
        raise ValueError(f"initialCapacity.{kind}: {error}") from error
    return Shape(kind, role, config.worker_count, capacity, heap)


def size_of(capacity: Capacity) -> str:
    """A worker's size for people and for the label of a metric: ``1 vCPU, 4 GB``."""
    return f"{format_cpu(capacity.cpu)}, {format_gigabytes(capacity.memory_mib // MIB_PER_GIB)}"


def why_cold(properties: dict[str, str], role: str) -> str:
    """Why a run's driver or executors cannot use a JVM that runs already; empty when they can."""
    for name in _START_ONLY[role]:
        if properties.get(name):
            return f"{name} is set"
    for option in java_options(properties, role):
        if not option.startswith("-D"):
            return f"spark.{role}.extraJavaOptions holds more than -D options"
        if option[2:].startswith(READ_AT_START):
            name = option[2:].partition("=")[0]
            return f"spark.{role}.extraJavaOptions sets {name}, which a JVM reads only at its start"
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
    """The worker to claim; None when there is none."""
    return next(iter(by_fit(need, idle, zone)), None)


def by_fit(need: Need, idle: Sequence[Worker], zone: str = "") -> list[Worker]:
    """The workers that can serve: in the run's zone first, then the smallest, then the oldest."""
    return sorted(
        (worker for worker in idle if need.met_by(worker)),
        key=lambda w: (
            bool(zone) and w.zone != zone,
            w.capacity.cpu,
            w.capacity.memory_mib,
            w.capacity.disk_gib,
            w.created_at,
            w.name,
        ),
    )
