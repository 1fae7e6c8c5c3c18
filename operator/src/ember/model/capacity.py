"""Capacity: what workers count against ``maximumCapacity``, and EMR's table of worker sizes.

Sources: EMR Serverless user guide, pages "app-behavior" (worker sizes, memory overhead) and "jobs-spark" (disk).
"""

import json
from typing import NamedTuple, Self

from pydantic import Field

from ember.model.base import StatusModel
from ember.model.quantity import MIB_PER_GIB

MIN_OVERHEAD_MIB = 384
DEFAULT_OVERHEAD_FACTOR = 0.1
MAX_OVERHEAD_FACTOR = 100
DEFAULT_DISK_GIB = 20
MAX_DISK_GIB = 200


class CapacityLimit(StatusModel):
    """An upper bound; a field which is None is not bounded."""

    cpu: int | None = None
    """Whole vCPU."""
    memory_mib: int | None = None
    """Memory in MiB."""
    disk_gib: int | None = None
    """Ephemeral disk in GiB."""


class Capacity(StatusModel):
    """CPU, memory and disk of one worker or of many. The remainder of a lowered limit may be negative."""

    cpu: int
    """Whole vCPU."""
    memory_mib: int
    """Memory in MiB: heap, overhead and all."""
    disk_gib: int
    """Ephemeral disk in GiB."""

    @classmethod
    def zero(cls) -> Self:
        """Return no capacity at all."""
        return cls(cpu=0, memory_mib=0, disk_gib=0)

    def __add__(self, other: "Capacity") -> "Capacity":
        return Capacity(
            cpu=self.cpu + other.cpu,
            memory_mib=self.memory_mib + other.memory_mib,
            disk_gib=self.disk_gib + other.disk_gib,
        )

    def __sub__(self, other: "Capacity") -> "Capacity":
        return Capacity(
            cpu=self.cpu - other.cpu,
            memory_mib=self.memory_mib - other.memory_mib,
            disk_gib=self.disk_gib - other.disk_gib,
        )

    def exceeded_by(self, limit: "Capacity | CapacityLimit") -> list[str]:
        """Name the contract's fields (``cpu``, ``memory``, ``disk``) in which this is more than the limit."""
        pairs = (
            ("cpu", self.cpu, limit.cpu),
            ("memory", self.memory_mib, limit.memory_mib),
            ("disk", self.disk_gib, limit.disk_gib),
        )
        return [name for name, mine, bound in pairs if bound is not None and mine > bound]

    def fits_within(self, limit: "Capacity | CapacityLimit") -> bool:
        """Tell whether this is within the limit in every field."""
        return not self.exceeded_by(limit)

    def to_annotation(self) -> str:
        """Write the value of the annotation ``ember-spark.io/worker``."""
        return json.dumps(self.to_manifest())

    @classmethod
    def from_annotation(cls, text: str) -> Self:
        """Read the annotation ``ember-spark.io/worker``; ValueError if it is not one."""
        capacity = cls.model_validate_json(text)
        if min(capacity.cpu, capacity.memory_mib, capacity.disk_gib) < 0:
            raise ValueError(f"a worker's capacity cannot be negative: {text[:80]!r}")
        return capacity


class _MemoryRange(NamedTuple):
    """The memory a number of vCPU may have, in GB."""

    low: int
    high: int
    step: int


WORKER_SIZES: dict[int, _MemoryRange] = {
    1: _MemoryRange(2, 8, 1),
    2: _MemoryRange(4, 16, 1),
    4: _MemoryRange(8, 30, 1),
    8: _MemoryRange(16, 60, 4),
    16: _MemoryRange(32, 120, 8),
}
"""EMR's worker sizes: vCPU -> memory in GB."""


def worker_memory_mib(
    heap_mib: int,
    overhead_mib: int | None = None,
    overhead_factor: float = DEFAULT_OVERHEAD_FACTOR,
    extra_mib: int = 0,
) -> int:
    """Return what a worker needs, before it is rounded to a worker size.

    ``overhead_mib`` None means the default: ``overhead_factor`` of the heap, at least 384 MiB, as Spark counts it.
    ``extra_mib`` is memory beside heap and overhead (``spark.executor.pyspark.memory``, off-heap).
    ValueError for a factor that makes no sense.
    """
    # Written so that a NaN, which compares with nothing, is refused as well.
    if not 0 <= overhead_factor <= MAX_OVERHEAD_FACTOR:
        raise ValueError(f"memoryOverheadFactor must be between 0 and {MAX_OVERHEAD_FACTOR}, not {overhead_factor}")
    if overhead_mib is None:
        overhead_mib = max(int(heap_mib * overhead_factor), MIN_OVERHEAD_MIB)
    return heap_mib + overhead_mib + extra_mib


def worker_size(
    cores: int,
    heap_mib: int,
    overhead_mib: int | None = None,
    overhead_factor: float = DEFAULT_OVERHEAD_FACTOR,
    extra_mib: int = 0,
    disk_gib: int = DEFAULT_DISK_GIB,
) -> Capacity:
    """Return the smallest worker of EMR's table that holds the request.

    Memory is rounded up to the table's next size. ValueError, naming the rule, if no size holds it.
    """
    if cores not in WORKER_SIZES:
        raise ValueError(f"a worker has 1, 2, 4, 8 or 16 vCPU, not {cores}")
    if not DEFAULT_DISK_GIB <= disk_gib <= MAX_DISK_GIB:
        raise ValueError(f"a worker has {DEFAULT_DISK_GIB}-{MAX_DISK_GIB} GB of disk, not {disk_gib}")
    needed = worker_memory_mib(heap_mib, overhead_mib, overhead_factor, extra_mib)
    low, high, step = WORKER_SIZES[cores]
    steps = max(0, -(-(needed - low * MIB_PER_GIB) // (step * MIB_PER_GIB)))
    gigabytes = low + steps * step
    if gigabytes > high:
        raise ValueError(
            f"a worker with {cores} vCPU has {low}-{high} GB of memory"
            f"{f' in steps of {step}' if step > 1 else ''}; heap and overhead need {needed} MiB"
        )
    return Capacity(cpu=cores, memory_mib=gigabytes * MIB_PER_GIB, disk_gib=disk_gib)


class CapacityUsage(StatusModel):
    """Capacity used against its maximum."""

    used: Capacity = Field(default_factory=Capacity.zero)
    """What all live workers count."""
    maximum: CapacityLimit = CapacityLimit()
    """``spec.maximumCapacity``; a missing field is not bounded."""
