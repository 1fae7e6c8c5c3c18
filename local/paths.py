"""Where things are kept outside the source tree: what can be made again, and what is running."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return the directory of what is kept from one cluster to the next: programs, images."""
    if chosen := os.environ.get("EMBER_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ember"


def state_dir() -> Path:
    """Return the directory of the running cluster; `down` removes it."""
    return Path(os.environ.get("EMBER_STATE") or "/var/lib/ember-local")


def bin_dir() -> Path:
    """Return the directory with kubectl and helm, to be put on a PATH."""
    return cache_dir() / "bin"
