"""One at a time: a lock that goes away with the process that holds it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import console


@contextmanager
def locked(path: Path, holder: str) -> Iterator[None]:
    """Hold a lock file; say who is waited for when another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.say(f"Waiting for {holder} to finish.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
