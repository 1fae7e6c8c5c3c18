"""Rendering the chart: the way of the tests to see what an installation would apply."""

import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.paths import bin_dir

CHART = Path(__file__).parents[3] / "charts" / "ember"
NAMESPACE = "ember-system"
KUBE_VERSION = "1.36.3"

Manifest = dict[str, Any]


@cache
def helm() -> str:
    """Return the helm program: the local environment's, or the PATH's."""
    own = bin_dir() / "helm"
    found = str(own) if own.exists() else shutil.which("helm")
    if not found:
        pytest.fail("the chart's tests need helm: `python -m local programs` builds it, or put it on the PATH")
    return found


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run helm and return its answer, whatever its exit code."""
    return subprocess.run([helm(), *arguments], capture_output=True, text=True, check=False)


def template(*settings: str) -> subprocess.CompletedProcess[str]:
    """Run `helm template` with `--set`-like settings (key=value; JSON values with key:=value)."""
    arguments = ["template", "ember", str(CHART), "--namespace", NAMESPACE, "--kube-version", KUBE_VERSION]
    for setting in settings:
        key, json_mark, value = setting.partition(":=")
        arguments += ["--set-json", f"{key}={value}"] if json_mark else ["--set", setting]
    return run(*arguments)


@cache
def render(*settings: str) -> tuple[Manifest, ...]:
    """Return the chart's objects, as `helm template` makes them with these settings."""
    answer = template(*settings)
    if answer.returncode:
        pytest.fail(f"helm template: {answer.stderr.strip()}")
    return tuple(document for document in yaml.safe_load_all(answer.stdout) if document)


def of_kind(objects: Iterable[Manifest], *kinds: str) -> list[Manifest]:
    """Return the objects of these kinds."""
    return [found for found in objects if found["kind"] in kinds]


def named(objects: Iterable[Manifest], kind: str, name: str, namespace: str | None = NAMESPACE) -> Manifest:
    """Return the one object of this kind, name and namespace."""
    (found,) = [
        candidate
        for candidate in of_kind(objects, kind)
        if candidate["metadata"]["name"] == name and candidate["metadata"].get("namespace") == namespace
    ]
    return found
