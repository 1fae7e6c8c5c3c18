"""`SparkContext.stop()` waits for pyspark's accumulator server, which looks for its end only once a second: 0.9 s."""

import functools
import importlib
import select
import socketserver
import types
from typing import Any

_LOOK_SECONDS = 0.05


def look_more_often() -> None:
    """Make the server of this process look twenty times a second; harmless if pyspark has become another."""
    try:
        module: Any = importlib.import_module("pyspark.accumulators")
    except ImportError:
        return
    if getattr(module, "select", None) is not select:
        return
    module.select = types.SimpleNamespace(select=_select)
    for name in ("AccumulatorTCPServer", "AccumulatorUnixServer"):
        server = getattr(module, name, None)
        if server is not None:
            server.serve_forever = functools.partialmethod(socketserver.BaseServer.serve_forever, _LOOK_SECONDS)


def _select(read: Any, write: Any, other: Any, timeout: float) -> Any:
    return select.select(read, write, other, min(timeout, _LOOK_SECONDS))
