"""How many threads numpy's and Arrow's libraries use: they read OMP_NUM_THREADS once, when they are loaded.

The zygote loads them before it knows the job's number, so its forks tell them.
"""

import ctypes
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

VARIABLE = "OMP_NUM_THREADS"
_OPENBLAS = ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads")
_setters: list[Callable[[int], object]] = []
_loaded_with = os.environ.get(VARIABLE)


def remember() -> None:
    """In the zygote, after its imports: note how each library is told."""
    maps = Path("/proc/self/maps")
    libraries = set(re.findall(r"/\S*openblas\S*\.so\S*", maps.read_text())) if maps.exists() else set()
    for path in libraries:
        library = ctypes.CDLL(path)
        _setters.extend(getattr(library, name) for name in _OPENBLAS if hasattr(library, name))
    if "pyarrow" in sys.modules:
        _setters.append(sys.modules["pyarrow"].set_cpu_count)


def follow(env: Mapping[str, str]) -> None:
    """In the fork: use as many threads as libraries that are loaded with this environment."""
    wanted = env.get(VARIABLE)
    if wanted == _loaded_with:
        return
    number = int(wanted) if wanted and wanted.isdecimal() and int(wanted) else len(os.sched_getaffinity(0))
    for setter in _setters:
        setter(number)
