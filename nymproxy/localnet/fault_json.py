"""The JSON form of a fault plan's parts: dataclasses of numbers, texts and enums, read strictly."""

from __future__ import annotations

import enum
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from nymproxy.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

_ALLOWED: dict[object, tuple[type, ...]] = {
    float: (int, float),
    float | None: (int, float, type(None)),
    int: (int,),
    int | None: (int, type(None)),
    bool: (bool,),
    str: (str,),
}


def read_object(value: object, what: str, known: set[str]) -> Mapping[str, Any]:
    """Return a JSON object that has known fields only.

    Raises:
        ConfigurationError: it is no such object.
    """
    if not isinstance(value, dict):
        raise ConfigurationError(f"{what}: expected a JSON object")
    unknown = sorted(set(value) - known)
    if unknown:
        raise ConfigurationError(
            f"{what}: unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}"
        )
    return value


def read_list(kind: type[T], values: Mapping[str, Any], name: str) -> tuple[T, ...]:
    """Return the dataclasses of one kind that a field of a plan lists; none if it is not there.

    Raises:
        ConfigurationError: no list, an unknown field, or a value of another type or out of range.
    """
    items = values.get(name, [])
    if not isinstance(items, list):
        raise ConfigurationError(f"fault plan: {name} must be a list")
    return tuple(_read(kind, item) for item in items)


def _read(kind: type[T], document: object) -> T:
    types = get_type_hints(kind)
    values = read_object(document, f"fault plan, {kind.__name__}", set(types))
    try:
        return kind(**{name: _value(name, types[name], value) for name, value in values.items()})
    except TypeError as error:
        raise ConfigurationError(f"fault plan, {kind.__name__}: a field is missing") from error


def _value(name: str, wanted: Any, value: object) -> object:  # noqa: ANN401
    if isinstance(wanted, type) and issubclass(wanted, enum.StrEnum):
        if value not in tuple(wanted):
            raise ConfigurationError(
                f"fault plan: unknown {name} {value!r}; known are {', '.join(wanted)}"
            )
        return wanted(str(value))
    if wanted == tuple[int, ...]:
        if not isinstance(value, list):
            raise ConfigurationError(f"fault plan: {name} must be a list of integers")
        return tuple(_value(name, int, item) for item in value)
    allowed = _ALLOWED[wanted]
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        raise ConfigurationError(f"fault plan: {name} has a value of the wrong type")
    return value


def changed_fields(item: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the JSON form of a dataclass, without fields that have their default."""
    values = ((entry, getattr(item, entry.name)) for entry in fields(item))
    return {
        entry.name: list(value) if isinstance(value, tuple) else value
        for entry, value in values
        if entry.default is MISSING or value != entry.default
    }
