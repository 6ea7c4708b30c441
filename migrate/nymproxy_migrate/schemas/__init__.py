"""The JSON schemas of everything that the tool prints or writes as JSON."""

from __future__ import annotations

from importlib.resources import files

_SUFFIX = ".schema.json"


def names() -> list[str]:
    """Return the names of all schemas, sorted: those of the subcommands."""
    found = (entry.name for entry in files(__name__).iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX))


def text(name: str) -> str:
    """Return a schema.

    Raises:
        KeyError: there is none of that name.
    """
    if name not in names():
        raise KeyError(name)
    return (files(__name__) / f"{name}{_SUFFIX}").read_text(encoding="utf-8")
