"""Spark asks for its driver's pod, and waits until that is ready, before it asks for the first executor.

Ember's broker owns the executors, so a context that starts is not told that it has a pod: it then asks for none.
"""

import functools
import importlib
from typing import Any

# SparkSubmit has used the first one by then; without it, Spark does without the second.
_SETTINGS = ("spark.kubernetes.submitInDriver", "spark.kubernetes.driver.pod.name")


def do_without() -> None:
    """Start the contexts of this process in that way; harmless if pyspark has become another."""
    try:
        context: Any = importlib.import_module("pyspark").SparkContext
        initialize = context._initialize_context  # noqa: SLF001 - pyspark's own hook
    except (ImportError, AttributeError):
        return

    @functools.wraps(initialize)
    def start(self: Any, settings: Any) -> Any:
        for name in _SETTINGS:
            settings.remove(name)
        return initialize(self, settings)

    context._initialize_context = start  # noqa: SLF001
