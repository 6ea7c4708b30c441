"""Proxies to run beside a program that keeps its sockets: a systemd unit or a compose service.

What is known comes from the literal arguments of the old constructors; what is not becomes a
variable that whoever installs the file sets.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nymproxy_migrate.installing import IN_IMAGE, WHEEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    _Quote = Callable[[str], str]

Role = Literal["client", "server"]
Form = Literal["systemd", "compose"]

_FLAGS: dict[Role, tuple[tuple[str, str], ...]] = {
    "client": (
        ("--server-address", "SERVER_ADDRESS"),
        ("--listen-address", "LISTEN_ADDRESS"),
        ("--listen-port", "LISTEN_PORT"),
        ("--close-timeout", "CLOSE_TIMEOUT"),
        ("--env-path", "ENV_PATH"),
        ("--client-pool-reserve", "CLIENT_POOL_RESERVE"),
    ),
    "server": (
        ("--upstream-tcp-address", "UPSTREAM_TCP_ADDRESS"),
        ("--config-dir", "CONFIG_DIR"),
        ("--env-path", "ENV_PATH"),
        ("--gateway", "GATEWAY"),
    ),
}
"""In the order of the old constructors' arguments."""

USUAL_PROGRAM = "/usr/local/bin/nymproxy"
STOP_SECONDS = 45
"""The grace period of 30 s, time to tell those that are left, and some to spare."""
_WIRE = {"client": ("--wire", "auto"), "server": ("--accept", "legacy,stream")}
_PATHS = frozenset({"--config-dir", "--env-path"})
_PLAIN = re.compile(r"[\w@%+=:,./-]+\Z", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Value:
    """An argument as far as the source says it.

    Attributes:
        literal: its text; None when it is not literal.
        variable: the environment variable that the program reads it from.
        absent: none was given: ``nil``, ``None``.
    """

    literal: str | None = None
    variable: str | None = None
    absent: bool = False


UNKNOWN = Value()
ABSENT = Value(absent=True)
CLIENT_DEFAULTS = (Value("127.0.0.1"), Value("8080"), Value("60"))
"""Address, port and close timeout of ``new_with_defaults`` and ``NewProxyClientDefault``."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """One proxy to run beside a program.

    Attributes:
        role: client or server.
        origin: the file whose calls it replaces.
        flags: each flag with its value, in order; variables are their names.
    """

    role: Role
    origin: str
    flags: tuple[tuple[str, Value], ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that have to be set."""
        return tuple(value.variable for _, value in self.flags if value.variable is not None)

    def command(self) -> str:
        """Return the command line for people, with ``$NAME`` for what is not known."""
        return " ".join(["nymproxy", self.role, *self._words(_for_people, "${}")])

    def _words(self, quote: _Quote, variable: str) -> list[str]:
        words: list[str] = list(_WIRE[self.role])
        for flag, value in self.flags:
            name, literal = value.variable, value.literal or ""
            words += [flag, quote(literal) if name is None else variable.format(name)]
        return words

    def exec_start(self, program: str) -> str:
        """Return the value of ExecStart."""
        words = self._words(_for_systemd, "${{{}}}")
        return " ".join([_for_systemd(program), self.role, *words])

    def command_list(self) -> list[str]:
        """Return the command of a compose service."""
        return [self.role, *self._words(_for_compose, "${{{}:?}}")]


def make(role: Role, origin: str, values: Sequence[Value]) -> Sidecar:
    """Return the proxy that a constructor call stands for.

    Args:
        role: client or server.
        origin: the file of the call.
        values: its arguments, in the order of the old constructors; there may be too few.
    """
    flags = []
    for (flag, name), value in zip(_FLAGS[role], values, strict=False):
        if value.absent:
            continue
        literal = value.literal
        if flag in _PATHS and literal is not None and not literal.startswith("/"):
            # Relative to wherever the program was started: only its operator knows.
            literal = None
        if literal is not None:
            flags.append((flag, Value(literal)))
        else:
            variable = value.variable
            is_name = variable is not None and _NAME.match(variable)
            flags.append((flag, Value(variable=variable if is_name else name)))
    return Sidecar(role, origin, tuple(flags))


def render(sidecars: Sequence[Sidecar], form: Form, program: str = USUAL_PROGRAM) -> str:
    """Return the files to add: units one after the other, or one compose file.

    Args:
        sidecars: the proxies.
        form: units or services.
        program: where units find nymproxy, a full path.
    """
    named = list(zip(_names(sidecars), sidecars, strict=True))
    if form == "compose":
        services = "".join(_service(name, sidecar) for name, sidecar in named)
        return f"services:\n{services}"
    return "\n".join(_unit(name, sidecar, program) for name, sidecar in named)


def _names(sidecars: Iterable[Sidecar]) -> list[str]:
    taken: dict[str, int] = {}
    names = []
    for sidecar in sidecars:
        name = f"nymproxy-{sidecar.role}"
        taken[name] = taken.get(name, 0) + 1
        names.append(name if taken[name] == 1 else f"{name}-{taken[name]}")
    return names


def _unit(name: str, sidecar: Sidecar, program: str) -> str:
    lines = [
        f"# /etc/systemd/system/{name}.service",
        f"# Replaces the proxy {sidecar.role} inside {_one_line(sidecar.origin)}.",
    ]
    if sidecar.variables:
        lines.append(f"# Set in /etc/nymproxy/{name}.env: {', '.join(sidecar.variables)}")
    lines += [
        "[Unit]",
        f"Description=Nym proxy {sidecar.role}",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        # Ready means that traffic can flow: what is ordered after the unit waits for that.
        "Type=notify",
    ]
    if sidecar.variables:
        lines.append(f"EnvironmentFile=/etc/nymproxy/{name}.env")
    lines.append(f"ExecStart={sidecar.exec_start(program)}")
    if sidecar.role == "client":
        lines.append("DynamicUser=yes")
    else:
        lines.append("# User= must be the owner of the config directory.")
    lines += ["Restart=on-failure", "KillSignal=SIGTERM", f"TimeoutStopSec={STOP_SECONDS}", ""]
    lines += ["[Install]", "WantedBy=multi-user.target", ""]
    return "\n".join(lines)


def _service(name: str, sidecar: Sidecar) -> str:
    lines = [
        f"  # Replaces the proxy {sidecar.role} inside {_one_line(sidecar.origin)}.",
        f"  {name}:",
        "    build:",
        "      dockerfile_inline: |",
        "        FROM python:3.13-slim",
        "        # The wheel lies beside this file; put its SHA-256 in the place of HASH.",
        f"        COPY {WHEEL} /tmp/",
        f"        RUN pip install --no-cache-dir '{IN_IMAGE}'",
        '        ENTRYPOINT ["nymproxy"]',
        f"    command: {json.dumps(sidecar.command_list(), ensure_ascii=False)}",
        "    # The program finds it at the same address as before.",
        "    network_mode: host",
        "    restart: on-failure",
        f"    stop_grace_period: {STOP_SECONDS}s",
    ]
    mounts = [_mount(flag, value) for flag, value in sidecar.flags if flag in _PATHS]
    if mounts:
        lines.append("    volumes:")
    lines += [f"      - {json.dumps(mount, ensure_ascii=False)}" for mount in mounts]
    return "".join(f"{line}\n" for line in lines)


def _mount(flag: str, value: Value) -> str:
    """Return a volume that shows a path inside the container where it is outside."""
    name, literal = value.variable, value.literal or ""
    path = _for_compose(literal) if name is None else f"${{{name}:?}}"
    return f"{path}:{path}{':ro' if flag == '--env-path' else ''}"


def _for_people(text: str) -> str:
    return text if _PLAIN.match(text) else "'" + text.replace("'", "'\\''") + "'"


def _for_systemd(text: str) -> str:
    text = text.replace("%", "%%").replace("$", "$$")
    if _PLAIN.match(text.replace("$", "")):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _for_compose(text: str) -> str:
    return text.replace("$", "$$")


def _one_line(path: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in path)
