"""The smallest job that has a task on an executor."""

from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("trivial").getOrCreate()
print(spark.sparkContext.parallelize([1], 1).count())
spark.stop()
