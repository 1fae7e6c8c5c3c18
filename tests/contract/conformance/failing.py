"""A task fails, the only one of its stage (a second would be killed, and told of, or not); nobody catches it."""
# mypy: ignore-errors

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print("before", flush=True)
spark.sparkContext.parallelize([0], 1).map(lambda n: 1 / n).collect()
