"""Two contexts one after the other, each with its settings, stopped twice; threads, subprocesses, order of output."""
# mypy: ignore-errors

import atexit
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

atexit.register(lambda: print("atexit"))
for number in (1, 2):
    conf = SparkConf().set("spark.own", str(number)).set("spark.sql.shuffle.partitions", str(number + 4))
    context = SparkContext(conf=conf.setAppName(f"context {number}"))
    session = SparkSession(context)
    print(number, context.appName, context.getConf().get("spark.own"), session.conf.get("spark.sql.shuffle.partitions"))
    print(
        context.parallelize(range(10), 3).map(lambda n: n * n).sum(), session.range(5).count(), context._jvm is not None
    )
    context.stop()
    context.stop()
    print("stopped", SparkContext._active_spark_context)
for number in range(200):
    print("line", number)
    if number % 50 == 0:
        subprocess.run(["sh", "-c", f"echo child {number}; echo error {number} >&2"], check=True)
        SparkContext._jvm.System.out.println(f"java {number}")
folder = Path(tempfile.mkdtemp())
(folder / "x").write_text("kept")
print("temporary", (folder / "x").read_text(), folder.parent)
subprocess.Popen(["sh", "-c", "sleep 100"])


def late():
    time.sleep(1)
    print("late thread")


threading.Thread(target=late).start()
print("main ends", file=sys.stderr)
