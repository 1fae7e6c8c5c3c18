"""A job that wants nothing but CPU, all the time."""

import sys

from pyspark.sql import SparkSession


def work(loops: int) -> int:
    total = 0
    for number in range(loops):
        total += number * number % 7
    return total


tasks, loops = map(int, sys.argv[1:])
context = SparkSession.builder.getOrCreate().sparkContext
context.parallelize([0] * 2, 2).map(work).count()
print(context.parallelize([loops] * tasks, tasks).map(work).sum())
