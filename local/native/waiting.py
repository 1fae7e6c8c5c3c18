"""Wait for a state, and notice when what should bring it about has died."""

import time
from collections.abc import Callable

from local.errors import LocalError
from local.native.processes import ProcessTable


def wait_for(what: str, check: Callable[[], bool], table: ProcessTable, seconds: float = 180.0) -> None:
    """Wait until the check holds; a process that ended meanwhile is an error with its last words."""
    deadline = time.monotonic() + seconds
    while not check():
        for name, identity in table.known().items():
            if not identity.alive():
                raise LocalError(f"{name} ended while waiting for {what}: {_last_words(table, name)}")
        if time.monotonic() > deadline:
            raise LocalError(f"{what} took more than {seconds:.0f} s; see {table.log('*')}")
        time.sleep(0.05)


def _last_words(table: ProcessTable, name: str) -> str:
    try:
        lines = table.log(name).read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    return " / ".join(line[:300] for line in lines[-3:]) or "it said nothing"
