"""`SparkConf.getAll` asks the JVM three times for each setting; a context that starts wants them all, 0.02 s long."""

import functools
import importlib
from typing import Any

# Between two settings. In none of them: nobody can type it.
_MARK = "\x1e\x1f"


def ask_once() -> None:
    """Make it four questions for all of them, in this process; harmless if pyspark has become another."""
    try:
        conf: Any = importlib.import_module("pyspark.conf").SparkConf
        context: Any = importlib.import_module("pyspark").SparkContext
    except (ImportError, AttributeError):
        return
    one_by_one = conf.getAll

    @functools.wraps(one_by_one)
    def get_all(self: Any) -> list[tuple[str, str]]:
        jvm, settings = context._jvm, self._jconf  # noqa: SLF001 - pyspark's own, as in its method
        if jvm is None or settings is None:
            return list(one_by_one(self))
        text = getattr(jvm, "scala.Predef").genericWrapArray(settings.getAll()).mkString(_MARK)
        # Scala writes a pair as `(name,value)`; a name has no comma.
        pairs = [item[1:-1].partition(",") for item in text.split(_MARK)] if text else []
        return [(name, value) for name, _, value in pairs]

    conf.getAll = get_all
