"""Arguments of another kind than wanted: refused as what they are, before anything is done."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from nymproxy.errors import ConfigurationError

T = TypeVar("T")

_LARGEST = (1 << 63) - 1


def of_kind(value: object, kind: type[T], wanted: str) -> T:
    """Return an argument as what it is.

    Args:
        value: the argument.
        kind: its class, or a class above it.
        wanted: names what it should be, for the message.

    Raises:
        ConfigurationError: it is something else.
    """
    if not isinstance(value, kind):
        raise ConfigurationError(f"{wanted} is wanted; this is {type(value).__name__}")
    return value


def list_of(values: Iterable[T], items: str) -> tuple[T, ...]:
    """Return what is in a list.

    Raises:
        ConfigurationError: it is no list, but one thing.
    """
    if not isinstance(values, Iterable) or isinstance(values, (str, bytes)):
        raise ConfigurationError(f"a list of {items} is wanted; this is {type(values).__name__}")
    return tuple(values)


def path_of(value: object, wanted: str = "the path of a directory") -> Path:
    """Return a path that is given as such or as text.

    Raises:
        ConfigurationError: it is something else.
    """
    if isinstance(value, (str, os.PathLike)):
        return Path(value)
    raise ConfigurationError(f"{wanted} is wanted; this is {type(value).__name__}")


def check_number(
    value: object, name: str, *, least: float = 0, whole: bool = False, why: str = ""
) -> None:
    """Refuse what is no number, or too small a one; NaN, too, and integers that no float and no
    system call takes.

    Args:
        value: the argument.
        name: what the number is, for the message.
        least: the smallest that will do.
        whole: only integers will do.
        why: ends the message on a number that is too small.

    Raises:
        ConfigurationError: it will not do.
    """
    if not isinstance(value, int if whole else (int, float)):
        kind = "a whole number" if whole else "a number"
        raise ConfigurationError(f"{name} is {kind}, not {type(value).__name__}")
    if not value >= least:
        raise ConfigurationError(f"{name} is at least {least}, not {value}{why}")
    if isinstance(value, int) and value > _LARGEST:
        raise ConfigurationError(f"{name} is at most {_LARGEST}")
