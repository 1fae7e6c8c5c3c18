"""Settings that a JVM or a process only takes when it starts."""
# mypy: ignore-errors

import os

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
system = spark.sparkContext._jvm.System
print(system.getProperty("user.timezone"), spark.sparkContext._jvm.java.util.TimeZone.getDefault().getID())
print(os.environ.get("GREETING"), system.getenv("GREETING"), system.getProperty("own.property"))
print(spark.sql("select cast(timestamp_seconds(0) as string)").first()[0])
logs = spark.sparkContext._jvm.org.apache.logging.log4j.LogManager
logs.getLogger("the.job").debug("seen")
logs.getLogger("another").warn("not seen")
spark.stop()
