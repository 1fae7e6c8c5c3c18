"""Modules imported beforehand, yet out of sight: a job sees them only when it imports them, and only if it means them.

A job may bring a module of its own under the same name. So what was imported beforehand leaves `sys.modules`; at the
first import of one of its packages each is looked up as an interpreter would, and comes back if that finds its file.
"""

import importlib
import importlib.util
import sys
import types
from collections.abc import Iterable, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder


class Preloaded:
    """A finder that stands before all others. It lives in the process that imported, and in its forks."""

    def __init__(self) -> None:
        self._modules: dict[str, types.ModuleType] = {}

    def hide(self, names: Iterable[str]) -> None:
        """Take these modules out of sight."""
        for name in names:
            self._modules[name] = sys.modules.pop(name)
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: object = None) -> ModuleSpec | None:
        """Bring everything back that would be found again, when the first of them is wanted."""
        if name not in self._modules:
            return None
        sys.meta_path.remove(self)
        modules, self._modules = self._modules, {}
        tops = {top for top in (key.partition(".")[0] for key in modules) if top in sys.modules or _same(modules, top)}
        for key, module in modules.items():
            if key.partition(".")[0] in tops:
                sys.modules.setdefault(key, module)
        if name not in sys.modules:
            return None
        return importlib.util.spec_from_loader(name, _Here(sys.modules[name]))


class _Here(Loader):
    """Loads a module that is there."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, _spec: ModuleSpec) -> types.ModuleType:
        return self._module

    def exec_module(self, module: types.ModuleType) -> None:
        module.__spec__ = self._spec


def _same(modules: dict[str, types.ModuleType], name: str) -> bool:
    """True if an import would find the very file that the module came from."""
    module = modules.get(name)
    known = module.__spec__ if module else None
    if known is None or not known.has_location:
        return True  # part of the interpreter, or made by another module
    found = PathFinder.find_spec(name)
    return found is not None and found.origin == known.origin
