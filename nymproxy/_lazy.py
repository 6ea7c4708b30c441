"""Names that are imported when they are first used (PEP 562)."""

from __future__ import annotations

import importlib
import sys
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
