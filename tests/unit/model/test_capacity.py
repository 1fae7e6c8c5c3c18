"""Capacity and EMR's table of worker sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ember.model.application import MaximumCapacity
from ember.model.capacity import WORKER_SIZES, Capacity, CapacityLimit, worker_memory_mib, worker_size

SIZES = st.integers(min_value=0, max_value=10**6)
CAPACITIES = st.tuples(SIZES, SIZES, SIZES).map(
    lambda sizes: Capacity(cpu=sizes[0], memory_mib=sizes[1], disk_gib=sizes[2])
)


def capacity(cpu: int, memory_gib: int, disk_gib: int = 20) -> Capacity:
    return Capacity(cpu=cpu, memory_mib=memory_gib * 1024, disk_gib=disk_gib)


@given(CAPACITIES, CAPACITIES)
def test_what_is_added_can_be_taken_away(one: Capacity, other: Capacity) -> None:
    assert one + other - other == one
    assert one + Capacity.zero() == one
    assert one.fits_within(one + other)


@given(CAPACITIES)
def test_the_annotation_round_trips(one: Capacity) -> None:
    assert Capacity.from_annotation(one.to_annotation()) == one


def test_the_annotation_has_the_documented_names() -> None:
    assert capacity(1, 3).to_annotation() == '{"cpu": 1, "memoryMiB": 3072, "diskGiB": 20}'


@pytest.mark.parametrize("text", ["", "{}", '{"cpu": 1}', '{"cpu": -1, "memoryMiB": 1, "diskGiB": 1}', "[]"])
def test_another_annotation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Capacity.from_annotation(text)


def test_each_exceeded_limit_is_named() -> None:
    assert capacity(2, 4, 40).exceeded_by(capacity(1, 4, 20)) == ["cpu", "disk"]
    assert not capacity(2, 4, 40).fits_within(capacity(2, 3, 40))


def test_a_limit_that_is_not_set_does_not_bind() -> None:
    assert capacity(1000, 1000, 1000).fits_within(CapacityLimit())
    maximum = MaximumCapacity(cpu="6 vCPU", memory="24 GB").limit()
    assert maximum == CapacityLimit(cpu=6, memory_mib=24 * 1024, disk_gib=None)
    assert capacity(6, 24, 10**6).fits_within(maximum)


@pytest.mark.parametrize(
    ("cores", "heap_mib", "gigabytes"),
    [
        (1, 512, 2),  # the smallest worker
        (1, 1024, 2),
        (1, 2048, 3),  # 2048 + 384
        (1, 7 * 1024, 8),
        (4, 14 * 1024, 16),  # EMR's default worker: 14336 + 1433
        (4, 27 * 1024, 30),
        (8, 14 * 1024, 16),
        (8, 16 * 1024, 20),  # steps of 4 GB
        (8, 54 * 1024, 60),
        (16, 30 * 1024, 40),  # steps of 8 GB
        (16, 109 * 1024, 120),
    ],
)
def test_workers_are_rounded_up_to_the_table(cores: int, heap_mib: int, gigabytes: int) -> None:
    assert worker_size(cores, heap_mib) == capacity(cores, gigabytes)


@pytest.mark.parametrize(
    ("cores", "heap_mib", "disk_gib", "rule"),
    [
        (3, 2048, 20, "a worker has 1, 2, 4, 8 or 16 vCPU, not 3"),
        (0, 2048, 20, "not 0"),
        (1, 8 * 1024, 20, "a worker with 1 vCPU has 2-8 GB of memory; heap and overhead need 9011 MiB"),
        (8, 60 * 1024, 20, "a worker with 8 vCPU has 16-60 GB of memory in steps of 4; "),
        (4, 2048, 10, "a worker has 20-200 GB of disk, not 10"),
        (4, 2048, 201, "a worker has 20-200 GB of disk, not 201"),
    ],
)
def test_a_request_outside_the_table_names_the_rule(cores: int, heap_mib: int, disk_gib: int, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        worker_size(cores, heap_mib, disk_gib=disk_gib)


def test_overhead_is_a_tenth_of_the_heap_but_at_least_384_mib_unless_it_is_given() -> None:
    assert worker_memory_mib(1024) == 1024 + 384
    assert worker_memory_mib(10240) == 10240 + 1024
    assert worker_memory_mib(10240, overhead_factor=0.4) == 10240 + 4096
    assert worker_memory_mib(10240, overhead_mib=100) == 10340
    assert worker_memory_mib(1024, extra_mib=512) == 1024 + 384 + 512


@pytest.mark.parametrize("factor", [-0.1, 101.0, float("inf"), float("nan")])
def test_a_senseless_overhead_factor_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="memoryOverheadFactor must be between 0 and 100"):
        worker_memory_mib(1024, overhead_factor=factor)


@given(st.sampled_from(sorted(WORKER_SIZES)), st.integers(1, 130 * 1024), st.integers(0, 20 * 1024))
def test_a_size_holds_the_request_and_the_next_smaller_would_not(cores: int, heap_mib: int, extra_mib: int) -> None:
    needed = worker_memory_mib(heap_mib, extra_mib=extra_mib)
    low, high, step = WORKER_SIZES[cores]
    if needed > high * 1024:
        with pytest.raises(ValueError, match="GB of memory"):
            worker_size(cores, heap_mib, extra_mib=extra_mib)
        return
    got = worker_size(cores, heap_mib, extra_mib=extra_mib).memory_mib
    assert got in [gigabytes * 1024 for gigabytes in range(low, high + 1, step)]
    assert needed <= got
    assert got == low * 1024 or got - step * 1024 < needed
