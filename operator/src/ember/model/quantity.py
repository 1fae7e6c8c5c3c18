"""Sizes as people write them -> whole numbers, and back.

EMR writes ``6 vCPU``, ``24 GB``; Spark writes ``2g``, ``512m``. As in EMR and Spark, a GB is 1024 MiB.
"""

import re

MIB_PER_GIB = 1024

_CPU = re.compile(r"([1-9][0-9]*)\s?(?:vCPU|vcpu|VCPU)?")
_GIGABYTES = re.compile(r"([1-9][0-9]*)\s?(?:[Gg][Bb]?)?")
_SPARK_SIZE = re.compile(r"([0-9]+)([a-z]+)?")

# Spark's JavaUtils.byteSuffixes, as powers of 1024.
_SUFFIX_POWER = {
    "b": 0, "k": 1, "kb": 1, "m": 2, "mb": 2, "g": 3, "gb": 3, "t": 4, "tb": 4, "p": 5, "pb": 5,
}  # fmt: skip
# Spark keeps sizes in a signed 64 bit number; more digits than that are a mistake, and costly to convert.
_MAX_DIGITS = 18


def parse_cpu(text: str) -> int:
    """Return the whole vCPU of EMR's ``CpuSize`` (``6 vCPU``, ``6``); ValueError otherwise."""
    return _whole(_CPU, text, "cpu must be a whole number of vCPU such as '4 vCPU'")


def parse_gigabytes(text: str, field: str = "memory") -> int:
    """Return the whole GB of EMR's ``MemorySize`` or ``DiskSize``, or Spark's ``20G``; ValueError otherwise."""
    return _whole(_GIGABYTES, text, f"{field} must be a whole number of GB such as '24 GB'")


def format_cpu(cpu: int) -> str:
    """Write vCPU as EMR does."""
    return f"{cpu} vCPU"


def format_gigabytes(gigabytes: int) -> str:
    """Write GB as EMR does."""
    return f"{gigabytes} GB"


def parse_spark_memory(text: str, field: str = "memory", default_unit: str = "m") -> int:
    """Return the MiB of a Spark size (``2g``, ``512m``, ``1024``), rounded down as Spark does.

    A bare number counts in ``default_unit``: MiB for ``spark.{driver,executor}.memory`` and their overheads.
    ValueError for anything Spark refuses (fractions, unknown units) and for less than 1 MiB.
    """
    match = _SPARK_SIZE.fullmatch(text.strip().lower()) if text.isascii() else None
    unit = match and (match[2] or default_unit)
    if match is None or unit not in _SUFFIX_POWER or len(match[1]) > _MAX_DIGITS:
        raise ValueError(f"{field} must be a whole number with a unit such as '2g' or '512m', not {_shown(text)}")
    mebibytes: int = int(match[1]) * 1024 ** _SUFFIX_POWER[unit] // 1024**2
    if mebibytes < 1:
        raise ValueError(f"{field} must be at least 1 MiB, not {_shown(text)}")
    return mebibytes


def human_duration(seconds: float) -> str:
    """Write a duration as kubectl does: ``45s``, ``3m12s``, ``2h5m``, ``3d4h``; negative counts as 0."""
    whole = max(0, int(seconds))
    for size, unit, smaller, smaller_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size}{unit}" + (f"{rest}{smaller_unit}" if rest else "")
    return f"{whole}s"


def _whole(pattern: re.Pattern[str], text: str, rule: str) -> int:
    match = pattern.fullmatch(text)
    if match is None or len(match[1]) > _MAX_DIGITS:
        raise ValueError(f"{rule}, not {_shown(text)}")
    return int(match[1])


def _shown(text: str) -> str:
    """Quote a user's value for a message, cut: it may be very long."""
    return repr(text if len(text) <= 40 else text[:40] + "...")
