"""What --py-files, --files, --archives and --jars bring; modules that have the names of prepared ones win."""
# mypy: ignore-errors

import sys
from pathlib import Path

import brought_module
import six
from pyspark import SparkFiles
from pyspark.sql import SparkSession

print("modules", brought_module.NAME, six.OWN, "pandas" in sys.modules)
spark = SparkSession.builder.getOrCreate()
context = spark.sparkContext


def there(_):
    import six

    return six.OWN, Path(SparkFiles.get("extra.txt")).read_text(), Path(SparkFiles.get("archive/inside.txt")).exists()


print("files", Path("extra.txt").exists(), Path(SparkFiles.get("extra.txt")).read_text())
print("tasks", context.parallelize([1], 1).map(there).collect())
loader = context._jvm.Thread.currentThread().getContextClassLoader()
print("jar", loader.getResource("brought.txt") is not None, type(loader).__name__, [j[-11:] for j in listed] if (
    listed := [str(uri) for uri in context.getConf().get("spark.jars").split(",")]) else None)  # fmt: skip
import importlib.util  # noqa: E402

print("installed", importlib.util.find_spec("pandas") is not None)
import pandas  # noqa: E402

print("pandas", pandas.DataFrame({"a": [1.5]}).to_json())
sys.exit(3)
