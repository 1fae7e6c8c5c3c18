"""The cluster through kubectl: a JSON in, a JSON out, and every call bounded."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from local.errors import LocalError
from local.paths import bin_dir
from local.shell import attempt

Object = dict[str, Any]


def program(name: str) -> str:
    """Return the path of kubectl or helm: our own, else the PATH's."""
    own = bin_dir() / name
    found = str(own) if own.exists() else shutil.which(name)
    if not found:
        raise LocalError(f"`{name}` is missing: `make up` builds it.")
    return found


class Kubectl:
    """kubectl for one cluster."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment for programs that shall talk to this cluster."""
        return os.environ | {"KUBECONFIG": str(self.kubeconfig)}

    def run(self, *arguments: str, stdin: str | None = None, timeout: float = 30) -> str:
        """Run a kubectl command and return what it printed; its failure is an error."""
        done = attempt([program("kubectl"), *arguments], stdin=stdin, env=self.environment, timeout=timeout)
        if done.returncode:
            raise LocalError(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """Return an object, or None if it does not exist (or its kind does not, yet)."""
        done = attempt(
            [program("kubectl"), "get", kind, name, *_in(namespace), "--ignore-not-found", "-o", "json"],
            env=self.environment,
            timeout=30,
        )
        if done.returncode and "doesn't have a resource type" not in done.stderr:
            raise LocalError(f"kubectl get {kind} {name}: {done.stderr.strip()}")
        found: Object | None = json.loads(done.stdout) if done.stdout.strip() else None
        return found

    def list(self, kind: str, namespace: str, selector: str = "") -> list[Object]:
        """Return the objects of a kind in a namespace."""
        chosen = ["-l", selector] if selector else []
        items: list[Object] = json.loads(self.run("get", kind, *_in(namespace), *chosen, "-o", "json"))["items"]
        return items

    def apply(self, manifests: str | Iterable[Object]) -> None:
        """Apply manifests: YAML, or objects."""
        text = manifests if isinstance(manifests, str) else "\n---\n".join(map(_as_yaml, manifests))
        self.run(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=ember-local",
            "-f",
            "-",
            stdin=text,
            timeout=60,
        )


def _in(namespace: str) -> list[str]:
    return ["-n", namespace] if namespace else []


def _as_yaml(item: Object) -> str:
    """Write an object as JSON that is YAML too: without the surrogate pairs that JSON has outside ASCII."""
    return json.dumps(item, ensure_ascii=False)
