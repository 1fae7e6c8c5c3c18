"""What is asked of the JVM in fewer round trips is what PySpark itself would have answered."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.spark

SCRIPT = r"""
from pyspark import SparkConf, SparkContext
from ember.worker import roundtrips

own = SparkConf.getAll
roundtrips.ask_once()
assert SparkConf.getAll is not own
early = SparkConf(loadDefaults=False).set("spark.a.early", "1")
assert early.getAll() == [("spark.a.early", "1")]  # there is no JVM yet
conf = SparkConf().set("spark.a.empty", "").set("spark.a.list", "a,b=(c),d)").set("spark.a.lines", "a\nb\n")
context = SparkContext("local[1]", "settings", conf=conf)
settings = context.getConf().getAll()
assert settings == own(context.getConf())
assert {("spark.a.empty", ""), ("spark.a.list", "a,b=(c),d)"), ("spark.a.lines", "a\nb\n")} <= set(settings)
assert SparkConf(loadDefaults=False, _jvm=context._jvm).getAll() == []
print("the same")
"""


def test_all_settings_of_a_context() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.endswith("the same\n"), done.stderr
