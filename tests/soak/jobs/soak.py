"""A job of the soak: it leaves a mark that its entry point has begun, then does what its kind is for."""

import sys
import time
import uuid
from typing import Any

from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession


def mark(folder: str) -> None:
    """Leave an object with a new name; without a SparkContext, which not every kind has."""
    jvm: Any = launch_gateway().jvm  # type: ignore[no-untyped-call]
    path = jvm.org.apache.hadoop.fs.Path(f"{folder}/{uuid.uuid4()}")
    hadoop = jvm.org.apache.spark.deploy.SparkHadoopUtil.get().conf()
    path.getFileSystem(hadoop).create(path, False).close()


def add_up(slices: int, seconds: float) -> None:
    """Tasks that take their time, and an answer that is checked."""
    context = SparkSession.builder.getOrCreate().sparkContext

    def slow(number: int) -> tuple[int, int]:
        time.sleep(seconds)
        return number % 2, number

    sums = context.parallelize(range(slices), slices).map(slow).reduceByKey(lambda a, b: a + b, 2).collectAsMap()
    assert sum(sums.values()) == slices * (slices - 1) // 2, sums


def main(folder: str, kind: str, *numbers: str) -> None:
    mark(folder)
    if kind == "add":
        add_up(int(numbers[0]), float(numbers[1]))
    elif kind == "raise":
        SparkSession.builder.getOrCreate().sparkContext.parallelize([0], 1).map(lambda n: 1 / n).collect()
    elif kind == "sleep":
        time.sleep(float(numbers[0]))
    elif kind == "exit":
        sys.exit(int(numbers[0]))


main(*sys.argv[1:])
