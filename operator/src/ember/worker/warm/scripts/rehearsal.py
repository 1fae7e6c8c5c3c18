"""The throw-away job. Runs as any job would: `rehearsal.py <log file> <folder or bucket> <rounds> <contexts>`."""

import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def main(log: str, base: str, rounds: int, contexts: int) -> None:
    """Start a context, do what jobs commonly do, stop; then the same with next to nothing to do.

    Without rounds there is no executor to do anything.
    """
    # The pod's streams belong to the run that will claim it.
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    from pyspark.sql import SparkSession

    for context in range(contexts):
        spark = SparkSession.builder.appName("rehearsal").getOrCreate()
        if not rounds:
            spark.range(10).selectExpr("id % 3 as n").groupBy("n").count().explain()
            time.sleep(0.2)  # until the allocator has asked for its executors
        elif context:
            spark.sparkContext.parallelize([1], 1).map(lambda n: n + 1).collect()
        for number in range(0 if context else rounds):
            _work(spark, base, f"{base}/out-{number}")
        spark.stop()


def _work(spark: "SparkSession", base: str, out: str) -> None:
    """Words counted over the store, a join, an aggregate, Python tasks."""
    from pyspark.sql.functions import col, explode, split

    numbers = spark.sparkContext.parallelize(range(8), 2)
    shared = spark.sparkContext.broadcast({"one": 1})
    assert numbers.map(lambda n: (n % 2, n + shared.value["one"])).reduceByKey(lambda a, b: a + b).count() == 2
    words = spark.read.text(f"{base}/in").select(explode(split(col("value"), r"\s+")).alias("word"))
    counts = words.groupBy("word").count()
    counts.write.mode("overwrite").parquet(f"{out}/parquet")
    counts.write.mode("overwrite").option("header", "true").csv(f"{out}/csv")
    spark.read.csv(f"{out}/csv", header=True, inferSchema=True).createOrReplaceTempView("lines")
    spark.read.parquet(f"{out}/parquet").createOrReplaceTempView("counts")
    rows = spark.sql("select c.word, l.count * 2 n from counts c join lines l on c.word = l.word order by n").collect()
    assert len(rows) == 5, rows


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
