"""A task fails; nobody catches what comes of it."""
# mypy: ignore-errors

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print("before", flush=True)
spark.sparkContext.parallelize([1, 0], 2).map(lambda n: 1 / n).collect()
