"""Settings from the environment and from a file: defaults of the flags, with their origin.

The file is ``nymproxy-migrate.toml``, or the table ``tool.nymproxy-migrate`` of a
``pyproject.toml``: in the current folder, or in the nearest one above it within the repository.
Its keys are flags; a table such as ``[scan]`` in it counts for that subcommand only. The variables
are ``NYMPROXY_MIGRATE_DOCS`` for all subcommands and ``NYMPROXY_MIGRATE_SCAN_DOCS`` for one.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nymproxy._bounded_read import read_regular
from nymproxy_migrate import workers
from nymproxy_migrate.cli.shared import SETTABLE
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

FILE_NAME = "nymproxy-migrate.toml"
_TABLE = "nymproxy-migrate"
_LARGEST_BYTES = 1024 * 1024
PREFIX = "NYMPROXY_MIGRATE_"

# What changes files, takes a decision or names one piece of work is said each time.
_NEVER = frozenset(
    {
        "decide",
        "help",
        "json",
        "moved-from",
        "output",
        "plan",
        "report",
        "root",
        "rust-suggest",
        "write",
    }
)
# A tree of somebody else has no say in where this user's state is.
_NOT_IN_FILES = frozenset({"state-dir"})
# The choices differ from subcommand to subcommand.
_EACH_ITS_OWN = frozenset({"format"})


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it comes from, such as ``file pyproject.toml``."""

    value: object
    origin: str


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a subcommand.

    Attributes:
        flag: its long name without dashes.
        parameter: the name of the parameter that it becomes.
        is_path: whether its value is a path.
        is_list: whether it may be given several times.
    """

    flag: str
    parameter: str
    is_path: bool
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The settings file."""

    path: Path
    table: Mapping[str, Any]


def find_file(folder: Path) -> SettingsFile | None:
    """Return the settings file for work in a folder, if there is one.

    Raises:
        Refused: it is no TOML file.
    """
    for place in (folder, *folder.parents):
        own = place / FILE_NAME
        if own.is_file():
            return SettingsFile(own, _parsed(own, _bytes_of(own)))
        project = place / "pyproject.toml"
        if project.is_file():
            table = _table_of(project)
            if table is not None:
                return SettingsFile(project, table)
        if (place / ".git").exists():
            return None
    return None


def _table_of(project: Path) -> dict[str, Any] | None:
    try:
        data = _bytes_of(project)
    except OSError:
        return None  # the scan says so
    if _TABLE.encode() not in data:
        return None  # whatever it is, even if it is broken
    tools = _parsed(project, data).get("tool")
    table = tools.get(_TABLE) if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        raise Refused(f"{project}: tool.{_TABLE} is no table")
    return table


def _bytes_of(path: Path) -> bytes:
    return read_regular(path, _LARGEST_BYTES)


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    parsed = workers.call(_parse, data)
    if isinstance(parsed, workers.Failure):
        raise Refused(f"{path}: {parsed.reason}")
    return parsed


def _parse(data: bytes) -> dict[str, Any] | workers.Failure:
    """Parse what somebody else may have written; this runs in a worker."""
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        return workers.Failure(f"it is no TOML: {error}")


def settings_of(
    command: str,
    options: Mapping[str, Sequence[Option]],
    environ: Mapping[str, str],
    file: SettingsFile | None,
) -> dict[str, Setting]:
    """Return the settings for one subcommand, by flag, those shared by all included.

    Args:
        command: the subcommand.
        options: the options of all subcommands.
        environ: the environment; it wins over the file.
        file: the settings file.

    Raises:
        Refused: the file has a key that is no setting.
    """
    own = {option.flag: option for option in options[command] if option.flag not in _NEVER}
    known = {*own, *SETTABLE}
    found: dict[str, Setting] = {}
    if file is not None:
        for key, value in _entries(file, command, options):
            if key in known:
                if key in own and own[key].is_path:
                    value = _in_folder_of(file, value)
                found[key] = Setting(_listed(own.get(key), value), f"file {file.path.name}")
    for key in known:
        for variable in _variables(command, key):
            if environ.get(variable):
                value = _listed(own.get(key), environ[variable].split(","))
                found[key] = Setting(value, f"environment {variable}")
    return found


def _listed(option: Option | None, value: object) -> object:
    """Return a list for an option that takes several values, and one value for any other."""
    if option is not None and option.is_list:
        return value if isinstance(value, list) else [value]
    return ",".join(value) if isinstance(value, list) else value


def _variables(command: str, key: str) -> list[str]:
    """Return the variables of a setting; a later one wins over those before."""
    name = key.upper().replace("-", "_")
    own = f"{PREFIX}{command.upper().replace('-', '_')}_{name}"
    return [own] if key in _EACH_ITS_OWN else [PREFIX + name, own]


def _entries(
    file: SettingsFile, command: str, options: Mapping[str, Sequence[Option]]
) -> Iterator[tuple[str, object]]:
    """Yield what the file says for a subcommand: first for all, then for it alone."""
    everywhere = {option.flag for each in options.values() for option in each} - _EACH_ITS_OWN
    yield from _checked(file, file.table, everywhere | {*SETTABLE, *options}, skip=options)
    for name, table in file.table.items():
        if name in options and isinstance(table, dict):
            flags = {option.flag for option in options[name]} | {*SETTABLE}
            entries = list(_checked(file, table, flags, skip=()))
            if name == command:
                yield from entries


def _checked(
    file: SettingsFile,
    table: Mapping[str, Any],
    known: set[str],
    skip: Mapping[str, Any] | tuple[()],
) -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if key in skip and isinstance(value, dict):
            continue
        if key in _NEVER:
            raise Refused(f"{file.path}: {key} is said on the command line only")
        if key in _NOT_IN_FILES:
            raise Refused(f"{file.path}: {key} is said by a flag or a variable, not by a file")
        if key in _EACH_ITS_OWN and key not in known:
            raise Refused(f"{file.path}: {key} is set for one subcommand, in a table like [scan]")
        is_value = isinstance(value, str | int | float) or (
            isinstance(value, list) and all(isinstance(each, str) for each in value)
        )
        if key not in known or not is_value:
            raise Refused(f"{file.path}: {key} is no setting; see --show-settings for those")
        yield key, value


def _in_folder_of(file: SettingsFile, value: object) -> str:
    return str(file.path.parent / str(value))


def is_on(setting: Setting | None) -> bool:
    """Tell whether a flag without a value is turned on.

    Raises:
        Refused: it is neither on nor off.
    """
    if setting is None:
        return False
    match str(setting.value).lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
    raise Refused(f"{setting.origin}: a flag is true or false")


def shown(rows: Mapping[str, Setting]) -> str:
    """Return the lines of ``--show-settings``."""
    width = max(map(len, rows))
    return "".join(
        f"{name:<{width}} = {_text(row.value)}  ({row.origin})\n" for name, row in rows.items()
    )


def _text(value: object) -> str:
    if value is None or value == ():
        return "not set"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
