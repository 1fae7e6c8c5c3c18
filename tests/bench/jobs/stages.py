"""Stages that need many executors, one, many, and few: `stages.py <seconds of a task> <tasks of a wide stage>`.

Tasks wait instead of computing, so that a machine with two cores can show more executors than it has; the data that go
through the shuffles between the stages are real, and the answer is checked.
"""

import sys
import time
from collections.abc import Iterable, Iterator

from pyspark.sql import SparkSession

KEYS = 1000
Pair = tuple[int, int]


def slowly(seconds: float, pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Pass everything on, and take a while for it."""
    kept = list(pairs)
    time.sleep(seconds)
    return iter(kept)


def main(seconds: float, tasks: int) -> None:
    context = SparkSession.builder.appName("stages").getOrCreate().sparkContext
    numbers = context.parallelize(range(tasks * KEYS), tasks)
    wide = numbers.map(lambda n: (n % KEYS, n)).mapPartitions(lambda pairs: slowly(seconds, pairs))
    narrow = wide.reduceByKey(lambda a, b: a + b, 1).mapPartitions(lambda pairs: slowly(6 * seconds, pairs))
    again = narrow.partitionBy(tasks).mapPartitions(lambda pairs: slowly(seconds, pairs))
    # One of four has nearly all of the work, as a key that is too frequent makes it.
    skewed = again.map(lambda pair: (pair[0] % 4, pair[1])).groupByKey(4)
    sums = skewed.mapValues(sum).mapPartitionsWithIndex(
        lambda index, pairs: slowly(6 * seconds if index == 0 else seconds, pairs)
    )
    found, right = sum(value for _, value in sums.collect()), sum(range(tasks * KEYS))
    print(f"sum {found}")
    assert found == right, (found, right)
    context.stop()


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
