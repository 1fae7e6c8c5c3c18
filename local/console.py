"""What the verbs say while they work: one line per step, with its time."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

_console = Console(stderr=True, highlight=False, soft_wrap=True)
_lock = threading.Lock()


def say(text: str) -> None:
    """Print one line."""
    with _lock:
        _console.print(text, markup=False)


def interactive() -> bool:
    """Return whether somebody watches, so that a line may be rewritten."""
    return sys.stderr.isatty()


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say how long a step took, when it is done."""
    started = time.monotonic()
    yield
    say(f"{time.monotonic() - started:6.1f} s  {what}")


def duration(seconds: float) -> str:
    """Write a duration as people do: ``45 s``, ``2 min 05 s``."""
    whole = max(0, round(seconds))
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"
