"""Work of each kind, in one context that is never stopped; the last line has no end."""
# mypy: ignore-errors

import sys

import numpy as np
import pandas as pd
from pyspark import SparkFiles, TaskContext
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

spark = SparkSession.builder.getOrCreate()
context = spark.sparkContext
words = context.parallelize(["a b", "b c", "c c"], 2).flatMap(str.split).map(lambda w: (w, 1))
print("rdd", sorted(words.reduceByKey(lambda a, b: a + b).collect()))
table, seen = context.broadcast({"a": 1, "b": 2}), context.accumulator(0)


def look_up(pair):
    seen.add(1)
    return table.value.get(pair[0], 0)


print("shared", words.map(look_up).sum(), seen.value)
numbers = spark.range(20).withColumn("k", f.col("id") % 3)
print("sql", numbers.groupBy("k").agg(f.sum("id").alias("n")).orderBy("k").collect())
print("join", numbers.join(numbers.groupBy("k").count(), "k").agg(f.sum("count")).first()[0])


@f.udf("string")
def upper(text):
    return str(text) + sys.executable.rpartition("/")[2][:6] + str(TaskContext.get() is not None)


print("udf", spark.createDataFrame([("x",), ("y",)], ["c"]).select(upper("c")).collect())


@f.pandas_udf("double")
def half(series: pd.Series) -> pd.Series:
    return series / 2


print("pandas udf", numbers.select(f.sum(half("id"))).first()[0])
print("arrow", spark.range(3).toPandas()["id"].tolist(), np.arange(3).sum(), pd.DataFrame({"a": [1]})["a"].tolist())
numbers.write.mode("overwrite").partitionBy("k").parquet("out.parquet")
print("parquet", spark.read.parquet("out.parquet").count(), spark.read.parquet("out.parquet").columns)
try:
    spark.sql("select nothing from nowhere")
except Exception as error:
    print("error", type(error).__name__, error.getCondition())
try:
    # one task: a second would be killed, and told of on standard error, or have ended before
    context.parallelize([0], 1).map(lambda n: 1 / n).collect()
except Exception as error:
    print("task error", type(error).__name__, "ZeroDivisionError: division by zero" in str(error))
context.addPyFile(sys.argv[1])
print(
    "own module", context.parallelize([1], 1).map(lambda _: __import__("six").OWN).collect(), SparkFiles.get("x")[-2:]
)
print("beside it", context.parallelize([1], 1).map(lambda _: __import__("pandas").Series([1.5]).to_json()).collect())
context.setLogLevel("ERROR")
print("log level", context._jvm.org.apache.logging.log4j.LogManager.getRootLogger().getLevel().toString())
print("temporary view", numbers.createOrReplaceTempView("v"), spark.table("v").count())
print("no end", end="")
