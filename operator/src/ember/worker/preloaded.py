"""Modules imported beforehand, yet out of sight: a job sees them only when it imports them, and only if it means them.

A job may bring a module of its own under the same name. So what was imported beforehand leaves `sys.modules`; when the
job imports one of them, each is looked up as an interpreter would, and comes back if that finds the same file.
"""

import contextlib
import importlib
import importlib.util
import sys
import threading
import types
from collections.abc import Iterable, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder

Modules = dict[str, types.ModuleType]


_hidden: set[str] = set()  # top-level names of all that was taken out of sight


def hidden() -> set[str]:
    """The top-level names that a job may find in a form of its own, after ours were imported."""
    return set(_hidden)


class Preloaded:
    """A finder that stands before all others. It lives in the process that imported, and in its forks.

    What was imported never runs again in this process: extension modules are bound to the first run of their package,
    and a second one would get along with them by half.
    """

    def __init__(self) -> None:
        self._groups: list[Modules] = []  # in the order of their import: later ones may need earlier ones
        self._lock = threading.RLock()

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
                _hidden.add(_top(name))
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: object = None) -> ModuleSpec | None:
        """Find a module that an interpreter would find again. Nothing comes back before it is really imported."""
        module = next((group[name] for group in self._groups if name in group), None)
        if module is None or not self._is_found_again(_top(name)):
            return None
        loader, known = _Here(self, module), module.__spec__
        if known is None or not known.has_location:
            return importlib.util.spec_from_loader(name, loader)
        parts = known.submodule_search_locations
        return importlib.util.spec_from_file_location(
            name, known.origin, loader=loader, submodule_search_locations=parts
        )

    def bring_back(self, name: str) -> None:
        """Put a module back in sight, and what came with it; what the job has of its own stays the job's."""
        with self._lock:
            number = next((number for number, group in enumerate(self._groups) if name in group), None)
            if number is None:
                return
            # A module of Python's own, or a part of what the job has anyway, comes alone: it imports what it needs.
            if _top(name) in sys.stdlib_module_names or _top(name) in sys.modules:
                sys.modules[name] = self._groups[number].pop(name)
                return
            for group in self._groups[: number + 1]:
                ours = {top for top in set(map(_top, group)) if self._is_found_again(top)}
                for key in [key for key in group if _top(key) in ours]:
                    sys.modules.setdefault(key, group.pop(key))

    def _is_found_again(self, top: str) -> bool:
        """Whether an import would find the very file that this top-level module came from, and the job has no other."""
        module = next((group[top] for group in self._groups if top in group), None)
        if module is None:
            return True  # in sight already: only parts of it are ours
        if sys.modules.get(top, module) is not module:
            return False
        known = module.__spec__
        if known is None or not known.has_location:
            return True  # part of the interpreter, or made by another module
        found = PathFinder.find_spec(top)
        return found is not None and found.origin == known.origin


class _Here(Loader):
    """Loads a module that is there."""

    def __init__(self, preloaded: Preloaded, module: types.ModuleType) -> None:
        self._preloaded, self._module, self._spec = preloaded, module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        self._preloaded.bring_back(spec.name)
        return self._module

    def exec_module(self, module: types.ModuleType) -> None:
        module.__spec__ = self._spec


def _top(name: str) -> str:
    return name.partition(".")[0]
