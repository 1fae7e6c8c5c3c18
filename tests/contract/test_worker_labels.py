"""The worker repeats a few constants of the operator, for it imports nothing of it: they must be the same."""

import ast
from pathlib import Path

import ember.worker
from ember.model import labels
from ember.plan.warm import READ_AT_START
from ember.worker import endmark, settings
from ember.worker.warm import fit


def test_the_constants_are_the_same() -> None:
    assert endmark.END_MARK == labels.END_MARK
    assert settings.CREDENTIALS_PORT == labels.CREDENTIALS_PORT
    assert settings.READY_PORT == labels.READY_PORT
    assert fit.READ_AT_START == READ_AT_START
    assert (settings.DRIVER, settings.EXECUTOR) == (labels.DRIVER, labels.EXECUTOR_ROLE)


def test_the_worker_imports_nothing_else_of_ember() -> None:
    for path in Path(ember.worker.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert not name.startswith("ember") or name.startswith("ember.worker"), f"{path.name} imports {name}"
