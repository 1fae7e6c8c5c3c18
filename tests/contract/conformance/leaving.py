"""Numbers by chance are nobody else's, and those of a seed are the same everywhere; then it leaves with a word."""
# mypy: ignore-errors
# ruff: noqa: S311 - it is about chance, not about secrets

import random
import sys

import numpy
from pyspark.sql import SparkSession

PARTS = 4


def draw(_):
    """Numbers by chance in one partition."""
    yield random.random(), float(numpy.random.rand())


context = SparkSession.builder.getOrCreate().sparkContext
drawn = context.parallelize(range(PARTS), PARTS).mapPartitions(draw).collect()
drawn.append((random.random(), float(numpy.random.rand())))
print("different", [len(set(numbers)) == PARTS + 1 for numbers in zip(*drawn, strict=True)])
random.seed(7)
numpy.random.seed(7)
print("of a seed", random.random(), float(numpy.random.rand()))
print("of Spark's seed", context.parallelize(range(20), 2).sample(False, 0.3, 7).collect(), flush=True)
sys.exit("error : leaves with a word")
