"""Names, and a module, that are imported when they are first used (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy_names(package: str, names_of_module: Mapping[str, str]) -> Callable[[str], object]:
    """Return a package's ``__getattr__``.

    Args:
        package: its ``__name__``.
        names_of_module: the names, separated by spaces, that each module defines.
    """
    module_of_name = {
        name: module for module, names in names_of_module.items() for name in names.split()
    }

    def load(name: str) -> object:
        if name not in module_of_name:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(importlib.import_module(module_of_name[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return load


class _OnDemand(ModuleType):
    """Stands for a module until something of it is asked for."""

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def put_off(name: str) -> None:
    """Have a submodule imported when something of it is used, not when others import it.

    It changes what the whole process sees: it is for programs alone, and for what they hardly ever
    need. Does nothing if the module is there.

    Args:
        name: of the module, with that of its package.
    """
    if name in sys.modules:
        return
    package, _, child = name.rpartition(".")
    sys.modules[name] = _OnDemand(name)
    setattr(importlib.import_module(package), child, sys.modules[name])
