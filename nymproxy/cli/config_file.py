"""``nymproxy.toml``: its types, made of the settings; reading it; its JSON schema.

msgspec checks it. What it says of a wrong value is completed by what is allowed there.
"""

from __future__ import annotations

import difflib
import enum
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import msgspec

from nymproxy._bounded_read import read_named
from nymproxy.cli.keys import settings_of
from nymproxy.cli.settings import ClientSettings, ServerSettings
from nymproxy.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy.cli.keys import Setting

_MAX_BYTES = 1 << 20
_MAX_DOTS = 256
"""Of a line. No key has more than one; addresses and host names in a list have some, too."""
_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"
_FORWARDS = {"client": ClientSettings, "server": ServerSettings}
_TABLES = ("network", "log", "metrics", "control")
_PLACE = re.compile(r" - at `\$\.?(.*)`$")
_NAME_HELP = "Names it in the log, in the metrics and for `nymproxy sessions`; unique in the file."


def forward_settings(role: str) -> list[Setting]:
    """Return the settings that an entry of ``[[client]]`` or ``[[server]]`` has."""
    every = settings_of(_FORWARDS[role], role)
    return [each for each in every if each.table == role and each.key is not None]


def process_settings() -> list[Setting]:
    """Return the settings that the process has once."""
    return [each for each in settings_of(ClientSettings, "client") if each.is_of_process]


def _type_of(setting: Setting) -> Any:  # noqa: ANN401  (a type)
    """Return the type in the file: paths are text, and nothing is null."""
    kind = next((each for each in get_args(setting.kind) if each is not type(None)), setting.kind)
    meta = msgspec.Meta(
        description=setting.help,
        ge=setting.minimum,
        le=setting.maximum,
    )
    if list[str] in (setting.kind, kind):
        return Annotated[str | list[str], meta]  # one, or several
    return Annotated[str if kind is Path else kind, meta]


def _table(name: str, settings: Iterable[Setting], *, is_named: bool = False) -> Any:  # noqa: ANN401
    described = Annotated[str, msgspec.Meta(description=_NAME_HELP, pattern=_NAME_PATTERN)]
    required: list[Any] = [("name", described)] if is_named else []
    optional: list[Any] = [
        (each.key, _type_of(each) | msgspec.UnsetType, msgspec.UNSET) for each in settings
    ]
    return msgspec.defstruct(name, required + optional, forbid_unknown_fields=True)


@cache
def document_type() -> type[msgspec.Struct]:
    """Return the type of the whole file."""
    process = process_settings()
    tables: list[Any] = [
        (role, list[_table(role.capitalize(), forward_settings(role), is_named=True)], [])  # type: ignore[misc]
        for role in _FORWARDS
    ]
    for name in _TABLES:
        table = _table(name.capitalize(), [each for each in process if each.table == name])
        tables.append((name, table | msgspec.UnsetType, msgspec.UNSET))
    top: list[Any] = [
        (each.key, _type_of(each) | msgspec.UnsetType, msgspec.UNSET)
        for each in process
        if not each.table
    ]
    return msgspec.defstruct("Configuration", [*tables, *top], forbid_unknown_fields=True)


def schema() -> dict[str, Any]:
    """Return the JSON schema of the file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "nymproxy.toml",
        **msgspec.json.schema(document_type()),
    }


def read_document(path: Path) -> dict[str, Any]:
    """Read and check the file; return its tables and keys as they are.

    Raises:
        ConfigurationError: it cannot be read; the message names file, place, and what is allowed.
    """
    try:
        text = read_named(path, _MAX_BYTES).decode()
        _refuse_endless_keys(text)
        document = tomllib.loads(text)
        msgspec.convert(document, document_type())
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{path}: {_explained(str(error), document)}") from error
    except (ValueError, RecursionError) as error:  # numbers and nesting, too
        raise ConfigurationError(f"{path}: no TOML: {error}") from error
    return document


def _refuse_endless_keys(text: str) -> None:
    """Refuse what takes the parser a time that grows with the square of it: a key of many parts.

    Raises:
        ValueError: a line has too many dots.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MAX_DOTS:
            raise ValueError(
                f"line {number} has more than {_MAX_DOTS} dots; break what is long into lines"
            )


def _explained(message: str, document: dict[str, Any]) -> str:
    """Return msgspec's message with the place in front and what is allowed behind."""
    place = _PLACE.search(message)
    problem = _PLACE.sub("", message)
    steps = re.findall(r"[^.\[\]]+", place.group(1)) if place else []
    text = _place_text(steps, document)
    unknown = re.search(r"contains unknown field `(.*)`", problem)
    if unknown:
        return f"{text}: there is no key {unknown.group(1)!r}{_known_keys(steps, unknown.group(1))}"
    if problem.startswith("Invalid enum value"):
        kind = _setting_at(steps)
        words = ", ".join(str(each.value) for each in kind) if kind is not None else ""
        return f"{text}: {problem[0].lower()}{problem[1:]}; choose one of {words}"
    return f"{text}: {problem[0].lower()}{problem[1:]}"


def _place_text(steps: list[str], document: dict[str, Any]) -> str:
    if not steps:
        return "at the top"
    table, *rest = steps
    if table in _FORWARDS and rest:
        index = int(rest[0])
        name = document[table][index].get("name", f"number {index + 1}")
        return " ".join([f"[[{table}]] {name}", *rest[1:]])
    is_key = not rest and table not in _TABLES
    return table if is_key else " ".join([f"[{table}]", *rest])


def _settings_at(steps: list[str]) -> list[Setting]:
    if steps and steps[0] in _FORWARDS:
        return forward_settings(steps[0])
    table = steps[0] if steps and steps[0] in _TABLES else ""
    return [each for each in process_settings() if each.table == table]


def _known_keys(steps: list[str], key: str) -> str:
    known = [str(each.key) for each in _settings_at(steps)]
    if not steps:
        known += [*_FORWARDS, *_TABLES]
    elif steps[0] in _FORWARDS:
        known.append("name")
    near = difflib.get_close_matches(key, known, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(known))}"


def _setting_at(steps: list[str]) -> type[enum.Enum] | None:
    for setting in _settings_at(steps):
        if steps and setting.key == steps[-1]:
            for kind in (setting.kind, *get_args(setting.kind)):
                if isinstance(kind, type) and issubclass(kind, enum.Enum):
                    return kind
    return None
