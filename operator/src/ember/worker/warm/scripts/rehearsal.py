"""The throw-away job. Runs as any job would: `rehearsal.py <log file> <folder or bucket> <texts> <contexts>`."""

import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def main(log: str, base: str, texts: int, contexts: int) -> None:
    """Start a context, do what jobs commonly do, stop; then the same with next to nothing to do.

    `texts` is how often words are counted; with 0 there is no executor to do anything.
    """
    # The pod's streams belong to the run that will claim it.
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    from pyspark.sql import SparkSession

    for context in range(contexts):
        spark = SparkSession.builder.appName("rehearsal").getOrCreate()
        if not texts:
            spark.range(10).selectExpr("id % 3 as n").groupBy("n").count().explain()
            time.sleep(0.2)  # until the allocator has asked for its executors
        elif context:
            spark.sparkContext.parallelize([1], 1).map(lambda n: n + 1).collect()
        else:
            _count_words(spark, base, texts)
            _query(spark, base)
        spark.stop()


def _count_words(spark: "SparkSession", base: str, times: int) -> None:
    """From texts by Python to a table that is written: the same again, until a run finds it compiled."""
    numbers = spark.sparkContext.parallelize(range(8), 2)
    shared = spark.sparkContext.broadcast({"one": 1})
    assert numbers.map(lambda n: (n % 2, n + shared.value["one"])).reduceByKey(lambda a, b: a + b).count() == 2
    for _ in range(times):
        words = spark.sparkContext.textFile(f"{base}/in").flatMap(str.split).map(lambda word: (word, 1))
        table = words.reduceByKey(lambda a, b: a + b).toDF("word string, count long").coalesce(1).cache()
        table.write.mode("overwrite").csv(f"{base}/out/words", header=True)
        assert table.count() == 5
        table.unpersist()


def _query(spark: "SparkSession", base: str) -> None:
    """The same by SQL alone: aggregate, Parquet and CSV, join, sort."""
    from pyspark.sql.functions import col, explode, split

    words = spark.read.text(f"{base}/in").select(explode(split(col("value"), r"\s+")).alias("word"))
    counts = words.groupBy("word").count()
    counts.write.mode("overwrite").parquet(f"{base}/out/parquet")
    counts.write.mode("overwrite").option("header", "true").csv(f"{base}/out/csv")
    spark.read.csv(f"{base}/out/csv", header=True, inferSchema=True).createOrReplaceTempView("lines")
    spark.read.parquet(f"{base}/out/parquet").createOrReplaceTempView("counts")
    rows = spark.sql("select c.word, l.count * 2 n from counts c join lines l on c.word = l.word order by n").collect()
    assert len(rows) == 5, rows


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
