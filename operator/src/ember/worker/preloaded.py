"""Modules imported beforehand, yet out of sight: a job sees them only when it imports them, and only if it means them.

A job may bring a module of its own under the same name. So what was imported beforehand leaves `sys.modules`; when the
job imports one of them, each is looked up as an interpreter would, and comes back if that finds the same file.
"""

import contextlib
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterable, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder

Modules = dict[str, types.ModuleType]


class Preloaded:
    """A finder that stands before all others. It lives in the process that imported, and in its forks."""

    def __init__(self) -> None:
        self._groups: list[Modules] = []  # in the order of their import: later ones may need earlier ones

    def load(self, names: Iterable[str]) -> None:
        """Import these modules; what each of them brings along belongs to it."""
        for name in names:
            before = set(sys.modules)
            # A missing one only means that the job fails as it would have without us.
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
            self._groups.append({key: sys.modules[key] for key in set(sys.modules) - before})

    def hide(self) -> None:
        """Take them out of sight."""
        for group in self._groups:
            for name in group:
                del sys.modules[name]
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: object = None) -> ModuleSpec | None:
        """Bring back a module that would be found again, and what came with it."""
        number = next((number for number, group in enumerate(self._groups) if name in group), None)
        if number is None:
            return None
        # A module of Python's own, or a part of what the job has anyway, comes alone: what it needs is imported by it.
        alone = _top(name) in sys.stdlib_module_names or _top(name) in sys.modules
        for index, group in enumerate(self._groups[: number + 1]):
            tops = {_top(name)} if alone else set(map(_top, group))
            if not all(top in sys.modules or _found_again(group[top]) for top in tops & group.keys()):
                # The job brings a part of it: what was imported with another one is of no use.
                del self._groups[index:]
                return None
        if alone:
            return importlib.util.spec_from_loader(name, _Here(self._groups[number].pop(name)))
        for group in self._groups[: number + 1]:
            sys.modules.update({key: module for key, module in group.items() if key not in sys.modules})
        del self._groups[: number + 1]
        # The import system would take a module that is there already for its parent's work, and run it once more.
        return importlib.util.spec_from_loader(name, _Here(sys.modules.pop(name)))


class _Here(Loader):
    """Loads a module that is there."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, _spec: ModuleSpec) -> types.ModuleType:
        return self._module

    def exec_module(self, module: types.ModuleType) -> None:
        module.__spec__ = self._spec


def _top(name: str) -> str:
    return name.partition(".")[0]


def _found_again(module: types.ModuleType) -> bool:
    """True if an import would find the very file that the module came from."""
    known = module.__spec__
    if known is None or not known.has_location:
        return True  # part of the interpreter, or made by another module
    found = PathFinder.find_spec(module.__name__)
    return found is not None and found.origin == known.origin
