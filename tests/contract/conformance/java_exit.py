"""The job ends its JVM in the middle."""
# mypy: ignore-errors

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print("before", spark.range(3).count(), flush=True)
spark.sparkContext._jvm.System.exit(7)
