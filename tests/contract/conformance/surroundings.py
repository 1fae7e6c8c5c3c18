"""Everything that a job can see of where it runs: arguments, environment, modules, settings, properties, folders."""
# mypy: ignore-errors

import json
import os
import resource
import signal
import sys
import threading
from pathlib import Path

# What is named by the pod, by chance or by the clock.
VOLATILE = ("spark.app.", "spark.driver.port", "spark.repl.", "spark.sql.warehouse.dir", "spark.driver.extraJava",
            "spark.executor.extraJava")  # fmt: skip
modules = sorted(name for name in sys.modules if not name.startswith("_"))
folder = sorted(Path.cwd().iterdir())
print("argv", sys.argv[1:], sys.orig_argv[2:], sys.flags, __name__, __file__ == sys.argv[0], sorted(vars()))
print("threads", threading.active_count(), [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGCHLD)])
print("limits", os.umask(0o22), resource.getrlimit(resource.RLIMIT_NOFILE), os.getpgid(0) == os.getpid())
print("descriptors", len([n for n in Path("/proc/self/fd").iterdir() if int(n.name) < 10]), sys.stdin.read(), folder)
print("environment", sorted(key for key in os.environ if not key.startswith("EMBER_")))
print("greeting", os.environ.get("GREETING"), os.environ.get("OMP_NUM_THREADS"), hash("equal everywhere"))
print("builtins", __builtins__.sum([1, 2]))  # a module, as in every main module
print("path", len(sys.path), sys.meta_path[0].__class__ is type(sys.meta_path[0]))
print("modules", json.dumps([name for name in modules if not name.startswith(("encodings", "importlib"))]))

from pyspark.sql import SparkSession  # noqa: E402

spark = SparkSession.builder.config("spark.sql.session.timeZone", "Asia/Tokyo").getOrCreate()
context, jvm = spark.sparkContext, spark.sparkContext._jvm
for key, value in sorted(context.getConf().getAll()):
    print("conf", key, value if not key.startswith(VOLATILE) else "...")
for name in sorted(jvm.System.getProperties().stringPropertyNames()):
    if name.startswith(("spark.", "SPARK", "own", "user.", "java.io")) and not name.startswith(VOLATILE):
        print("property", name, jvm.System.getProperty(name))
hadoop = context._jsc.hadoopConfiguration()
print("hadoop", [hadoop.get(f"fs.s3a.{key}") for key in ("endpoint", "access.key", "aws.credentials.provider", "own")])
kept = jvm.org.apache.spark.deploy.SparkHadoopUtil.get().conf()
print(
    "hadoop kept", [kept.get(f"fs.s3a.{key}") for key in ("endpoint", "access.key", "aws.credentials.provider", "own")]
)
user = jvm.org.apache.hadoop.security.UserGroupInformation.getCurrentUser()
print("user", user.getUserName(), user.getCredentials().numberOfSecretKeys(), context.sparkUser(), context.appName)
for name in ("", "org.apache.spark", "org.apache.spark.repl.Main", "org.sparkproject.jetty"):
    print("log level", name, jvm.org.apache.logging.log4j.LogManager.getLogger(name).getLevel().toString())
print("sql", {key: spark.conf.get(key) for key in ("spark.sql.shuffle.partitions", "spark.sql.ansi.enabled",
      "spark.sql.session.timeZone", "spark.sql.defaultUrlStreamHandlerFactory.enabled")})  # fmt: skip
print("time", spark.sql("select timestamp_seconds(0)").first(), jvm.java.util.TimeZone.getDefault().getID())
print("tables", spark.catalog.listTables(), spark.catalog.currentDatabase(), context.defaultParallelism)
print("encoding", jvm.java.nio.charset.Charset.defaultCharset().name(), "ünï☃")
try:
    print("cached", spark.range(1).cache().count())
except Exception as error:
    print("cached", "no.such.Serializer" in str(error))
print("after", sorted(Path.cwd().iterdir()))
spark.stop()
