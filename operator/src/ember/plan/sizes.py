"""How much memory a worker has: for the heap of its JVM, and beside it.

Beside the heap are Spark's overhead, off-heap memory and Python's own. A JVM that runs already keeps its heap, so a
pre-initialized worker serves only who needs no more beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ember.model import labels
from ember.model.capacity import (
    DEFAULT_OVERHEAD_FACTOR,
    MAX_OVERHEAD_FACTOR,
    MIN_OVERHEAD_MIB,
    Capacity,
    worker_memory_mib,
    worker_size,
)
from ember.model.quantity import parse_gigabytes, parse_spark_memory

MIN_HEAP_MIB = 450  # Spark 4.1's UnifiedMemoryManager takes no less


@dataclass(frozen=True)
class Size:
    """A worker that a run asks for."""

    capacity: Capacity  # in EMR Serverless's steps
    heap_mib: int
    beside_mib: int


@dataclass(frozen=True)
class _Beside:
    """What is said of the memory beside a heap; without an overhead in MiB it is a factor of the heap."""

    overhead_mib: int | None
    factor: float
    extra_mib: int


def size_asked(properties: Mapping[str, str], role: str) -> Size:
    """A worker's size as a run's properties ask for it.

    Raises ValueError, naming the setting, its value and the rule, for one that no worker has.
    """
    prefix = f"spark.{role}"
    cores = _cores(f"{prefix}.cores", properties[f"{prefix}.cores"])
    heap = parse_spark_memory(properties[f"{prefix}.memory"], f"{prefix}.memory")
    beside, disk = _beside(properties, role), f"spark.emr-serverless.{role}.disk"
    memory = (heap, beside.overhead_mib, beside.factor, beside.extra_mib)
    capacity = worker_size(cores, *memory, disk_gib=parse_gigabytes(properties[disk], disk))
    return Size(capacity, heap, worker_memory_mib(*memory) - heap)


def largest_heap(memory_mib: int, properties: Mapping[str, str], role: str) -> int:
    """The largest heap of a worker that leaves what these properties want beside it.

    Raises ValueError, naming the setting, for one that makes no sense or leaves too little.
    """
    beside = _beside(properties, role)
    room = memory_mib - beside.extra_mib
    if beside.overhead_mib is not None:
        heap = room - beside.overhead_mib
    else:
        heap = min(room - MIN_OVERHEAD_MIB, int(room / (1 + beside.factor)))
    if heap < MIN_HEAP_MIB:
        raise ValueError(
            f"memory: {memory_mib} MiB leave {heap} MiB of heap, less than {MIN_HEAP_MIB}, beside what"
            f" spark.{role}.memoryOverhead and the like want"
        )
    return heap


def _beside(properties: Mapping[str, str], role: str) -> _Beside:
    prefix = f"spark.{role}"
    overhead = properties.get(f"{prefix}.memoryOverhead")
    python = properties.get("spark.executor.pyspark.memory") if role == labels.EXECUTOR_ROLE else None
    return _Beside(
        overhead_mib=parse_spark_memory(overhead, f"{prefix}.memoryOverhead") if overhead else None,
        factor=_factor(properties, f"{prefix}.memoryOverheadFactor"),
        extra_mib=_off_heap(properties)
        + (parse_spark_memory(python, "spark.executor.pyspark.memory") if python else 0),
    )


def _factor(properties: Mapping[str, str], name: str) -> float:
    text = properties.get(name, str(DEFAULT_OVERHEAD_FACTOR))
    try:
        factor = float(text)
    except ValueError:
        raise ValueError(f"{name}: {text[:40]!r} is not a number") from None
    if not 0 <= factor <= MAX_OVERHEAD_FACTOR:  # nor is a NaN, which compares with nothing
        raise ValueError(f"{name}: {text[:40]!r} is not between 0 and {MAX_OVERHEAD_FACTOR}")
    return factor


def _off_heap(properties: Mapping[str, str]) -> int:
    name = "spark.memory.offHeap.size"
    if properties.get("spark.memory.offHeap.enabled", "false").lower() != "true" or name not in properties:
        return 0
    return parse_spark_memory(properties[name], name, default_unit="b")


def _cores(name: str, text: str) -> int:
    if not text.isdigit():
        raise ValueError(f"{name}: {text!r} is not a whole number of vCPUs")
    return int(text)
