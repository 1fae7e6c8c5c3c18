"""The pinned versions, read from versions.toml."""

import tomllib
from functools import cache
from pathlib import Path


@cache
def _tables() -> dict[str, dict[str, str]]:
    return tomllib.loads((Path(__file__).parent / "versions.toml").read_text())


def program(name: str) -> str:
    """Return the version of a program, such as ``v1.36.3``."""
    return _tables()["programs"][name]


def programs() -> dict[str, str]:
    """Return the versions of all programs by name."""
    return dict(_tables()["programs"])


def image(name: str) -> str:
    """Return the version of something that goes into an image."""
    return _tables()["images"][name]


def minimum_go() -> str:
    """Return the oldest Go that builds the programs."""
    return _tables()["go"]["minimum"]
