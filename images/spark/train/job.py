"""The training job: what jobs commonly do, over S3, in few steps."""

from pyspark.sql import SparkSession
from pyspark.sql.functions import col, explode, pandas_udf, split

spark = SparkSession.builder.appName("training").getOrCreate()
words = spark.read.text("s3://b/in").select(explode(split(col("value"), r"\s+")).alias("word"))
words.groupBy("word").count().write.mode("overwrite").parquet("s3://b/out/parquet")
words.limit(5).cache().write.mode("overwrite").option("header", "true").csv("s3://b/out/csv")
lines = spark.read.csv("s3://b/out/csv", header=True, inferSchema=True)
assert lines.join(words, "word").count() > 0
spark.read.parquet("s3://b/out/parquet").createOrReplaceTempView("counts")
rows = spark.sql("select c.word, d.count * 2 as n from counts c join counts d on c.word = d.word order by n").collect()
assert len(rows) == 5, rows


@pandas_udf("long")
def double(numbers):
    """Return twice the numbers."""
    return numbers * 2


spark.range(10).select(double("id")).toPandas()
spark.createDataFrame([(1, "a"), (2, "b")], ["n", "s"]).show()
lines = spark.sparkContext.textFile("s3://b/in")
assert lines.flatMap(str.split).map(lambda word: (word, 1)).reduceByKey(int.__add__, 1).count() == 5
spark.stop()
