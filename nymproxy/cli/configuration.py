"""What a process should do: the file, the environment and the flags together, and who said what.

A flag counts before a variable of the environment, and that before the file.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, get_args

import msgspec

from nymproxy.address import NymAddress
from nymproxy.cli.config_file import forward_settings, process_settings, read_document
from nymproxy.cli.connection import probe_address
from nymproxy.cli.inputs import Inputs
from nymproxy.cli.settings import ClientSettings, ServerSettings
from nymproxy.errors import ConfigurationError, UsageError
from nymproxy.forward.endpoint import parse_endpoint, parse_listen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nymproxy.cli.keys import Setting
    from nymproxy.cli.settings import ProxySettings

_S = TypeVar("_S", bound="ProxySettings")

_PATHS_AS_TEXT = {"config_dir"}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A value, and where it comes from."""

    setting: Setting
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Entry(Generic[_S]):
    """A forward: its name, its settings, and where each comes from."""

    name: str
    settings: _S
    evaluated: tuple[Evaluated, ...]


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that a process should do.

    Attributes:
        path: the file.
        process: what all forwards share.
        clients: in the order of the file.
        servers: in the order of the file.
    """

    path: Path
    process: tuple[Evaluated, ...]
    clients: tuple[Entry[ClientSettings], ...]
    servers: tuple[Entry[ServerSettings], ...]

    def value(self, field: str) -> Any:  # noqa: ANN401  (the caller knows its type)
        """Return a value of the process by the field of the settings."""
        return next(each.value for each in self.process if each.setting.field == field)


def load(
    path: Path,
    environ: Mapping[str, str],
    given: Mapping[str, tuple[Any, str]],
    inputs: Inputs | None = None,
) -> Configuration:
    """Read a file, and put the environment and the flags on top.

    Args:
        path: the file. Relative paths in it start at its folder.
        environ: the environment.
        given: values of the process by field, and who gave each, from the command line.
        inputs: where a file that is a pipe may have been read before.

    Raises:
        ConfigurationError: the file, a variable or their sum cannot be used.
    """
    document = (inputs or Inputs()).read(path, read_document)
    process = []
    for setting in process_settings():
        if setting.field in given:
            process.append(Evaluated(setting, *given[setting.field]))
        else:
            table = document.get(setting.table, {}) if setting.table else document
            process.append(_evaluated(setting, table, environ, path, ""))
    shared = {each.setting.field: each.value for each in process if each.setting.table == "network"}
    configuration = Configuration(
        path,
        tuple(process),
        _entries(path, document, "client", ClientSettings, environ, shared),
        _entries(path, document, "server", ServerSettings, environ, shared),
    )
    _check_together(configuration)
    _check_values(configuration)
    return configuration


def _entries(
    path: Path,
    document: Mapping[str, Any],
    role: str,
    cls: type[_S],
    environ: Mapping[str, str],
    shared: Mapping[str, Any],
) -> tuple[Entry[_S], ...]:
    entries = []
    for table in document.get(role, []):
        where = f"[[{role}]] {table['name']}"
        evaluated = tuple(
            _evaluated(setting, table, environ, path, where) for setting in forward_settings(role)
        )
        values = {each.setting.field: each.value for each in evaluated}
        entries.append(Entry(table["name"], cls(**values, **shared), evaluated))
    return tuple(entries)


def _evaluated(
    setting: Setting,
    table: Mapping[str, Any],
    environ: Mapping[str, str],
    path: Path,
    where: str,
) -> Evaluated:
    if text := environ.get(setting.variable):
        return Evaluated(setting, _converted(setting, text, setting.variable), setting.variable)
    if setting.key is not None and setting.key in table:
        value = _converted(setting, table[setting.key], f"{path}: {where} {setting.key}")
        if isinstance(value, Path):
            value = path.parent / value
        elif setting.field in _PATHS_AS_TEXT and not table.get("compat_config_dir"):
            value = str(path.parent / value)
        return Evaluated(setting, value, str(path))
    if setting.default is MISSING:
        raise ConfigurationError(f"{path}: {where}: {setting.key!r} is missing: {setting.help}")
    return Evaluated(setting, setting.default, "default")


def _converted(setting: Setting, value: Any, where: str) -> Any:  # noqa: ANN401
    """Return a value of the file or of the environment in its type."""
    kinds = [kind for kind in (get_args(setting.kind) or (setting.kind,)) if kind is not type(None)]
    if setting.kind == list[str] or list[str] in kinds:
        return value.split() if isinstance(value, str) else value
    if Path in kinds:
        return Path(value)
    meta = msgspec.Meta(ge=setting.minimum, le=setting.maximum)
    kind: Any = Annotated[kinds[0], meta]
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def _check_together(configuration: Configuration) -> None:
    """Check what no single value shows."""
    path = configuration.path
    names = [each.name for each in configuration.clients]
    names += [each.name for each in configuration.servers]
    if not names:
        raise ConfigurationError(f"{path}: there is neither a [[client]] nor a [[server]]")
    for name, count in Counter(names).items():
        if count > 1:
            raise ConfigurationError(f"{path}: {count} forwards are called {name!r}")
    places = Counter(
        each.settings.listen or "127.0.0.1:8080"
        for each in configuration.clients
        if not (each.settings.listen or "").endswith(":0")
    )
    folders = Counter(each.settings.config_dir for each in configuration.servers)
    for value, count in [*places.items(), *folders.items()]:
        if count > 1:
            named = repr(value) if value else "the default directory"
            raise ConfigurationError(f"{path}: {count} forwards use {named}")


def _check_values(configuration: Configuration) -> None:
    """Read what a forward would only read when it starts."""
    for client in configuration.clients:
        with _naming(configuration, f"[[client]] {client.name}"):
            probe_address(client.settings)
            for address in client.settings.server_address or []:
                NymAddress.parse(address)
            parse_listen(client.settings.listen or "127.0.0.1:8080")
    for server in configuration.servers:
        with _naming(configuration, f"[[server]] {server.name}"):
            probe_address(server.settings)
            parse_endpoint(server.settings.upstream_tcp_address)


@contextmanager
def _naming(configuration: Configuration, place: str) -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        raise ConfigurationError(f"{configuration.path}: {place}: {error}") from error
