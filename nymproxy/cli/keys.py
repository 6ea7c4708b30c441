"""Every setting by its four names: field, flag, variable of the environment, key of the file.

All are made of the field and its flag; what is written down here is where a key has another name,
or belongs to the process and not to a single forward.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import DataclassInstance

    from nymproxy.cli.flags import Flag

S = TypeVar("S", bound="DataclassInstance")

_PLACES: dict[str, tuple[str, str]] = {
    "env_path": ("network", "env"),
    "tls": ("network", "tls"),
    "proxy": ("network", "proxy"),
    "ca_file": ("network", "ca_file"),
    "metrics": ("metrics", "listen"),
    "control": ("control", "socket"),
    "log_level": ("log", "level"),
    "log_file": ("log", "file"),
    "log_sessions": ("log", "sessions"),
    "json_logs": ("log", "json"),
    "memory_limit_mib": ("", "memory_limit"),
    "grace_period_seconds": ("", "grace_period"),
}
"""By field: the table of the file (none: its top) and the key, of what is the process's."""

_KEYS = {
    "server_address": "server",
    "upstream_tcp_address": "upstream",
    "identity_mode": "identity",
    "allowed_upstreams": "allowed_upstreams",
}
"""By field: the key, where it is not the flag."""

_FLAGS_ONLY = {"debug", "forward", "listen_address", "listen_port"}

_REQUIRED = {"server_address"}
"""What the file has to say, while there are flags that say it otherwise."""

_SECRETS = {"proxy"}
"""What may hold a password."""

_LIMITS = {"max_connections", "max_sessions", "max_sessions_per_client", "connect_rate"}
"""What can be replaced while the sessions go on."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        field: of the settings' class.
        flag: its long flag.
        variable: of the environment.
        table: of the file: ``client`` or ``server`` for what a forward has, else the process's
            (``network``, ``log``, or none: the top of the file).
        key: in that table; ``None``: flags only.
        kind: its type.
        default: without any; ``MISSING`` where it has to be given.
        minimum: of a number.
        maximum: of a number.
        help: what it means.
    """

    field: str
    flag: str
    variable: str
    table: str
    key: str | None
    kind: Any
    default: Any
    minimum: float | None
    maximum: float | None
    help: str

    @property
    def is_of_process(self) -> bool:
        """True for what all forwards of a process share."""
        return self.field in _PLACES

    @property
    def is_limit(self) -> bool:
        """True for what can be replaced while the sessions go on."""
        return self.field in _LIMITS

    @property
    def is_secret(self) -> bool:
        """True for what is not shown."""
        return self.field in _SECRETS


def names_of(field: str, flag: Flag) -> tuple[str, ...]:
    """Return the flags of a field, the short ones too, the long one first."""
    return flag.names or (f"--{field.replace('_', '-')}",)


def variable_of(field: str, flag: Flag, role: str) -> str:
    """Return the variable of the environment that sets a field of a role's command."""
    name = names_of(field, flag)[0].removeprefix("--").replace("-", "_").upper()
    return f"NYMPROXY_{name}" if field in _PLACES else f"NYMPROXY_{role.upper()}_{name}"


def settings_of(cls: type[Any], role: str) -> Iterator[Setting]:
    """Yield all settings of a class."""
    hints = get_type_hints(cls, include_extras=True)
    for each in fields(cls):
        kind, flag = get_args(hints[each.name])
        long_name = names_of(each.name, flag)[0]
        usual = _KEYS.get(each.name, long_name.removeprefix("--").replace("-", "_"))
        table, key = _PLACES.get(each.name, (role, usual))
        yield Setting(
            field=each.name,
            flag=long_name,
            variable=variable_of(each.name, flag, role),
            table=table,
            key=None if each.name in _FLAGS_ONLY else key,
            kind=kind,
            default=MISSING if each.name in _REQUIRED else each.default,
            minimum=flag.minimum,
            maximum=flag.maximum,
            help=flag.help,
        )


def without_limits(settings: S, role: str) -> S:
    """Return settings with the limits at their defaults, so that nothing else counts."""
    limits = {
        each.field: each.default for each in settings_of(type(settings), role) if each.is_limit
    }
    return replace(settings, **limits)
