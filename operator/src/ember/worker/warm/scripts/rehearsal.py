"""The throw-away job. Runs as any job would: `rehearsal.py <log file> <file> <folder or bucket> <tasks> <context>...`.

Each context is started, does the parts that its argument names, such as `words,query`, and is stopped.
"""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Place:
    """Where the parts play."""

    base: str
    tasks: int
    asked: Path


def main(log: str, asked: str, base: str, tasks: str, *contexts: str) -> None:
    """Do what jobs commonly do."""
    # The pod's streams belong to the run that will claim it.
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    from pyspark.sql import SparkSession

    parts = {
        "plan": _plan,
        "call": _call,
        "collect": _collect,
        "task": _task,
        "words": _words,
        "query": _query,
        "join": _join,
    }
    place = Place(base, int(tasks), Path(asked))
    for names in contexts:
        spark = SparkSession.builder.appName("rehearsal").getOrCreate()
        for name in names.split(","):
            parts[name](spark, place)
        spark.stop()


def _plan(spark: "SparkSession", place: Place) -> None:
    """What needs no executor: none will come, but one is asked for.

    That is waited for not for ever, since a context without it has warmed up most things, too.
    """
    spark.range(10).selectExpr("id % 3 as n").groupBy("n").count().explain()
    for _ in range(500):
        if place.asked.exists():
            return
        time.sleep(0.01)


def _call(spark: "SparkSession", _: Place) -> None:
    """What an executor does first: ask the driver for its settings, over a connection of its own."""
    jvm: Any = spark._jvm  # noqa: SLF001 - what is rehearsed has no name in Python
    env = jvm.org.apache.spark.SparkEnv.get()
    host, port = (env.conf().get(f"spark.driver.{what}") for what in ("host", "port"))
    caller = jvm.org.apache.spark.rpc.RpcEnv.create(
        "rehearsal", host, host, -1, env.conf(), env.securityManager(), 0, True
    )
    driver = caller.setupEndpointRefByURI(f"spark://CoarseGrainedScheduler@{host}:{port}")
    messages = "org.apache.spark.scheduler.cluster.CoarseGrainedClusterMessages"
    question = getattr(jvm, f"{messages}$RetrieveSparkAppConfig")(0)
    driver.askSync(question, jvm.scala.reflect.ClassTag.Any())
    caller.shutdown()


def _collect(spark: "SparkSession", _: Place) -> None:
    """Make room, see `Gateway.collect_garbage`."""
    jvm: Any = spark._jvm  # noqa: SLF001 - what is rehearsed has no name in Python
    jvm.java.lang.System.gc()


def _task(spark: "SparkSession", place: Place) -> None:
    """The least that makes an executor work."""
    spark.sparkContext.textFile(f"{place.base}/in", 1).map(len).collect()


def _words(spark: "SparkSession", place: Place) -> None:
    """From texts by Python to a table that is written."""
    one = spark.sparkContext.broadcast(1)
    words = spark.sparkContext.textFile(f"{place.base}/in", place.tasks).flatMap(str.split)
    counts = words.map(lambda word: (word, one.value)).reduceByKey(lambda a, b: a + b, place.tasks)
    table = counts.toDF("word string, count long").coalesce(place.tasks).cache()
    table.write.mode("overwrite").csv(f"{place.base}/out/words", header=True)
    assert table.count() == 24
    table.unpersist()


def _query(spark: "SparkSession", place: Place) -> None:
    """The same by SQL alone, to Parquet and back."""
    _counted(spark, place).write.mode("overwrite").parquet(f"{place.base}/out/parquet")
    spark.read.parquet(f"{place.base}/out/parquet").createOrReplaceTempView("counts")
    assert len(spark.sql("select word, count * 2 n from counts where count > 1").collect()) == 24


def _join(spark: "SparkSession", place: Place) -> None:
    """What takes long to plan: a schema that is found out, a join, a sort; Parquet is planned, but not read."""
    spark.read.csv(f"{place.base}/out/words", header=True, inferSchema=True).createOrReplaceTempView("lines")
    _counted(spark, place).createOrReplaceTempView("counts")
    rows = spark.sql("select c.word, l.count * 2 n from counts c join lines l on c.word = l.word order by n").collect()
    assert len(rows) == 24, rows
    spark.read.schema("word string, count long").parquet(f"{place.base}/in").where("count > 1").explain()


def _counted(spark: "SparkSession", place: Place) -> "DataFrame":
    from pyspark.sql.functions import col, explode, split

    words = spark.read.text(f"{place.base}/in").select(explode(split(col("value"), r"\s+")).alias("word"))
    return words.groupBy("word").count()


main(*sys.argv[1:])
