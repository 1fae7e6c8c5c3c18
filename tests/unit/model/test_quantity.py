"""Sizes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ember.model.quantity import (
    format_cpu,
    format_gigabytes,
    human_duration,
    parse_cpu,
    parse_gigabytes,
    parse_spark_memory,
)


@pytest.mark.parametrize(("text", "cpu"), [("6 vCPU", 6), ("6vCPU", 6), ("6", 6), ("16 vcpu", 16), ("1 VCPU", 1)])
def test_cpu_sizes_of_the_contract(text: str, cpu: int) -> None:
    assert parse_cpu(text) == cpu


@pytest.mark.parametrize(
    "text", ["", "0 vCPU", "-1", "1.5 vCPU", "6  vCPU", "6 cores", " 6", "6 vCPU ", "٦", "9" * 100]
)
def test_other_cpu_sizes_are_refused_with_the_rule_and_the_value(text: str) -> None:
    with pytest.raises(ValueError, match=r"cpu must be a whole number of vCPU such as '4 vCPU', not '"):
        parse_cpu(text)


@pytest.mark.parametrize(("text", "gigabytes"), [("24 GB", 24), ("24gb", 24), ("24", 24), ("20G", 20), ("200 GB", 200)])
def test_memory_and_disk_sizes(text: str, gigabytes: int) -> None:
    assert parse_gigabytes(text) == gigabytes


@pytest.mark.parametrize("text", ["", "0 GB", "1.5 GB", "24 MB", "24 GiB", "many"])
def test_other_sizes_name_the_field(text: str) -> None:
    with pytest.raises(ValueError, match=r"disk must be a whole number of GB such as '24 GB', not"):
        parse_gigabytes(text, "disk")


@given(st.integers(min_value=1, max_value=10**12))
def test_emr_sizes_round_trip(number: int) -> None:
    assert parse_cpu(format_cpu(number)) == number
    assert parse_gigabytes(format_gigabytes(number)) == number


@pytest.mark.parametrize(
    ("text", "mebibytes"),
    [
        ("2g", 2048),
        ("2G", 2048),
        ("2gb", 2048),
        ("512m", 512),
        ("1024", 1024),
        (" 1t ", 1024 * 1024),
        ("2048k", 2),
        ("1536k", 1),
        ("1048576b", 1),
    ],
)
def test_spark_sizes(text: str, mebibytes: int) -> None:
    assert parse_spark_memory(text) == mebibytes


def test_a_bare_spark_size_counts_in_the_default_unit() -> None:
    assert parse_spark_memory("2097152", default_unit="b") == 2


@pytest.mark.parametrize("text", ["", "2.5g", "g", "2x", "-2g", "2 g", "0", "0g", "512k", "٢g", "9" * 30 + "g"])
def test_other_spark_sizes_are_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"spark.driver.memory must be "):
        parse_spark_memory(text, "spark.driver.memory")


@given(st.text(max_size=60))
def test_no_text_makes_anything_but_a_number_or_a_value_error(text: str) -> None:
    for parse in (parse_cpu, parse_gigabytes, parse_spark_memory):
        try:
            assert parse(text) >= 1
        except ValueError as error:
            assert len(str(error)) < 500


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (-5, "0s"), (45.9, "45s"), (60, "1m"), (192, "3m12s"), (3600, "1h"), (7500, "2h5m"), (360000, "4d4h")],
)
def test_durations_read_like_kubectls(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text
