"""What a job can see of its driver, its executors and its own work, in lines that must be the same cold and warm."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
from pyspark import SparkFiles, TaskContext
from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.functions import pandas_udf

# What is named by the pod, or says that it was pre-initialized.
OWN = ("EMBER_", "POD_", "HOSTNAME", "KUBERNETES_", "SPARK_AUTH", "PYTHON_WORKER", "PYTHON_UNIX", "PYSPARK_GATEWAY")
# Made for each submission and for each context.
FOLDERS = (("/tmp", "spark-*"), ("/var/lib/spark/local", "*/pyspark-*"))


def surroundings() -> dict[str, Any]:
    """Where this process runs."""
    return {
        "environment": sorted(key for key in os.environ if not key.startswith(OWN)),
        "path": len(sys.path),
        "threads": threading.active_count(),
        "folder": sorted(path.name for path in Path.cwd().iterdir() if not path.name.startswith(("spark-", "ivy"))),
        "hash": hash("equal everywhere"),
        "open": len([n for n in Path("/proc/self/fd").iterdir() if int(n.name) < 3]),
        "user": os.getuid(),
    }


def look(number: int) -> dict[str, Any]:
    """What --py-files, --files and --archives brought."""
    return {
        "double": import_module("helper").double(number),
        "note": Path(SparkFiles.get("note.txt")).read_text(),
        "archive": Path(SparkFiles.get("bundle"), "inside.txt").read_text(),
    }


def in_task(numbers: Iterable[int]) -> Iterable[str]:
    """From a task: where it runs, what it has, and that it may use threads, processes and files."""
    context = TaskContext.get()
    assert context is not None
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append("thread"))
    thread.start()
    thread.join()
    said.append(subprocess.run(["sh", "-c", "echo child"], capture_output=True, text=True, check=True).stdout.strip())
    with tempfile.NamedTemporaryFile("w+") as file:
        file.write("kept")
        file.seek(0)
        said.append(file.read())
    yield json.dumps([sum(numbers), context.attemptNumber(), said, surroundings(), look(21)])


def main(out: str) -> None:
    atexit.register(lambda: print("atexit"))
    print("arguments", sys.argv[1:] == [out, "two words", "", "ü $(id)"], __name__)
    print("driver", json.dumps(surroundings()))
    spark = SparkSession.builder.config("spark.sql.session.timeZone", "Asia/Tokyo").getOrCreate()
    context = spark.sparkContext
    jvm: Any = spark._jvm
    print("files", json.dumps(look(21)))
    loader = jvm.org.apache.spark.util.Utils.getContextOrSparkClassLoader()
    print("jars", [loader.getResource(name) is not None for name in ("e2e-jar.txt", "e2e-package.txt")])
    for line in context.parallelize(range(4), 2).mapPartitions(in_task).collect():
        print("task", line)
    table, seen = context.broadcast({"a": 1, "b": 2}), context.accumulator(0)

    def look_up(word: str) -> int:
        seen.add(1)
        return table.value.get(word, 0)

    print("shared", context.parallelize(["a", "b", "c"], 3).map(look_up).sum(), seen.value)
    words = context.parallelize(["a b", "b c", "c c"], 2).flatMap(str.split).map(lambda word: (word, 1))
    print("shuffle", sorted(words.reduceByKey(lambda a, b: a + b, 3).collect()))
    numbers = spark.range(20).withColumn("k", f.col("id") % 3)
    print("sql", numbers.groupBy("k").agg(f.sum("id").alias("n")).orderBy("k").collect())

    @pandas_udf("double")  # type: ignore[call-overload,untyped-decorator]
    def half(series: pd.Series) -> pd.Series:
        return series / 2

    print("udf", numbers.select(f.sum(half("id"))).first())
    numbers.write.mode("overwrite").partitionBy("k").parquet(out)
    print("parquet", spark.read.parquet(out).count(), np.arange(3).sum())
    print(
        "settings", spark.conf.get("spark.sql.shuffle.partitions"), context.appName, context.getConf().get("spark.own")
    )
    print("time", spark.sql("select cast(timestamp_seconds(0) as string)").first())
    print("level", jvm.org.apache.logging.log4j.LogManager.getRootLogger().getLevel().toString())
    try:
        context.parallelize([0], 1).map(lambda number: 1 / number).collect()
    except Exception as error:
        print("error", type(error).__name__, "ZeroDivisionError: division by zero" in str(error))
    print("temporary", [len(list(Path(at).glob(what))) for at, what in FOLDERS])
    spark.stop()
    again = SparkSession.builder.appName("again").getOrCreate()
    print("again", again.sparkContext.appName, again.sparkContext.parallelize(range(10), 2).sum())
    print("last words to stderr", file=sys.stderr)
    sys.exit(3)


main(sys.argv[1])
