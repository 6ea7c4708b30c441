"""Is this command one of the old proxies, and what do its words mean?

The old programs are ``nym-proxy-client`` and ``nym-proxy-server`` (nym-sdk src/tcp_proxy/bin),
``proxy_client`` and ``proxy_server`` (nymtech/standalone-tcp-proxies) and ``client`` and
``server`` (nymtech/nym-zcash-grpc-demo). The last four are generic: they count only with a path
that contains "nym" or with flags of the old programs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate import names, old_flags
from nymproxy_migrate.judged import OldInvocation, Role, UnreadableCommand
from nymproxy_migrate.words import PieceKind, Word

if TYPE_CHECKING:
    from nymproxy_migrate.words import Command

_NYM_ADDRESS = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}\.[1-9A-HJ-NP-Za-km-z]{32,44}@")
_NYM_PATH = re.compile(r"(?i)nym|standalone-tcp-proxies")
_VARIABLE_IN_SOURCE = re.compile(r"^\$\{?(\w+)")
_LOOKUP = re.compile(r"command\s+-v|which|type\s+-p|whereis|find\s")

# Flags that no other program of a generic name is likely to have.
_DISTINCTIVE = {
    Role.CLIENT: frozenset({"server-address", "close-timeout", "client-pool-reserve"}),
    Role.SERVER: frozenset({"upstream-tcp-address"}),
}
_LAUNCHERS = frozenset(
    {"start-stop-daemon", "daemonize", "daemon", "pm2", "tmux", "xargs", "parallel", "watch"}
)
_CARGO_OPTIONS_WITH_VALUE = frozenset(
    [
        "--bin",
        "--package",
        "-p",
        "--example",
        "--features",
        "-F",
        "--manifest-path",
        "--target",
        "--target-dir",
        "--profile",
        "--jobs",
        "-j",
        "--color",
        "--config",
        "-Z",
        "--message-format",
    ]
)


def judge(command: Command) -> OldInvocation | UnreadableCommand | None:
    """Read a command by the old parser's rules; None when it is another program."""
    program = command.words[0]
    name = _base_name(program)
    if name is None:
        return _judge_unreadable(command)
    if name == "eval":
        return _judge_eval(command)
    if name in _LAUNCHERS:
        return _judge_launcher(name, command)
    if name == "cargo":
        return _judge_cargo(command)
    role = _role_of(name)
    if role is None:
        return None
    return _judge_named(role, name, command, command.words[:1], command.words[1:], program)


def _judge_named(
    role: Role,
    name: str,
    command: Command,
    program: tuple[Word, ...],
    arguments: tuple[Word, ...],
    path: Word | None,
) -> OldInvocation | None:
    reading = old_flags.read_arguments(role, arguments)
    generic = name in names.GENERIC_CLIENTS | names.GENERIC_SERVERS
    if generic and not _is_ours(role, name, path, reading):
        return None
    return OldInvocation(
        role,
        command,
        program,
        tuple(reading.flags),
        tuple(dict.fromkeys(reading.refusals)),
        tuple(reading.unreadable),
    )


def _is_ours(role: Role, name: str, path: Word | None, reading: old_flags.Reading) -> bool:
    """Tell whether a program with a generic name is the old one."""
    in_nym_folder = path is not None and any(_NYM_PATH.search(piece.text) for piece in path.pieces)
    stranger = bool(reading.unknown or reading.positionals)
    if in_nym_folder and not (stranger and name in {"client", "server"}):
        return True
    if stranger:
        return False
    long = {flag.name for flag in reading.flags if flag.spelled.startswith("--")}
    if long & _DISTINCTIVE[role]:
        return True
    required = next((flag for flag in reading.flags if flag.name == old_flags.REQUIRED[role]), None)
    if name in {"client", "server"}:
        address = None if required is None else required.text
        return len(long - {"help"}) >= 2 or (
            role is Role.CLIENT and address is not None and _NYM_ADDRESS.match(address) is not None
        )
    return required is not None or bool(long - {"help"})


def _role_of(name: str) -> Role | None:
    name = name.removesuffix(".exe")
    if name in names.CLIENTS | names.GENERIC_CLIENTS:
        return Role.CLIENT
    if name in names.SERVERS | names.GENERIC_SERVERS:
        return Role.SERVER
    return None


def _base_name(program: Word) -> str | None:
    """Return the program's name when it is literal, whatever its folder is."""
    last = program.pieces[-1]
    if last.kind is not PieceKind.LITERAL:
        return None
    if len(program.pieces) > 1 and "/" not in last.text:
        return None
    return last.text.replace("\\", "/").rpartition("/")[2]


def _judge_cargo(command: Command) -> OldInvocation | None:
    """Read ``cargo run ... --bin NAME ... -- ARGUMENTS``."""
    words = command.words
    position = 1
    if position < len(words) and words[position].leading_literal.startswith("+"):
        position += 1
    if position >= len(words) or words[position].literal not in {"run", "r"}:
        return None
    position += 1
    name, manifest = "", None
    while position < len(words):
        option = words[position].literal
        if option == "--":
            position += 1
            break
        if option is not None and not option.startswith("-"):
            break
        key, equals, value = (option or "").partition("=")
        if not equals and key in _CARGO_OPTIONS_WITH_VALUE and position + 1 < len(words):
            position += 1
            value = words[position].literal or ""
        if key in {"--bin", "--example"}:
            name = value
        if key in {"--manifest-path", "--package", "-p"}:
            manifest = words[position]
        position += 1
    role = _role_of(name)
    if role is None:
        return None
    return _judge_named(role, name, command, words[:position], words[position:], manifest)


def _judge_launcher(name: str, command: Command) -> UnreadableCommand | None:
    """A launcher that puts program and arguments together in its own way."""
    for word in command.words[1:]:
        started = (word.literal or "").lstrip().partition(" ")[0].rpartition("/")[2]
        role = _role_of(started)
        if role is not None and started not in {"client", "server"}:
            return UnreadableCommand(role, command, f"{name} starts it")
    return None


def _judge_eval(command: Command) -> UnreadableCommand | None:
    text = " ".join(_source(word) for word in command.words[1:])
    values = dict(command.context.environment) | dict(command.context.computed)
    for variable in re.findall(r"\$\{?(\w+)", text):
        text += " " + values.get(variable, "")
    role = names.mentioned_role(text)
    if role is None:
        return None
    return UnreadableCommand(Role(role), command, "eval puts the command together")


def _judge_unreadable(command: Command) -> UnreadableCommand | None:
    program = command.words[0]
    source = _source(program)
    variable = _VARIABLE_IN_SOURCE.match(source)
    values = dict(command.context.environment) | dict(command.context.computed)
    value = values.get(variable[1], "") if variable else ""
    told = names.mentioned_role(source) or names.mentioned_role(value)
    role = Role(told) if told else _role_by_flags(command.words[1:])
    if role is None:
        return None
    looked_up = told is not None and _LOOKUP.search(source + " " + value) is not None
    return UnreadableCommand(role, command, source, looked_up)


def _role_by_flags(words: tuple[Word, ...]) -> Role | None:
    """Recognise an unreadable program by its flags; only distinctive ones count."""
    for role in Role:
        reading = old_flags.read_arguments(role, words)
        if reading.unknown or reading.positionals:
            continue
        for flag in reading.flags:
            address = flag.text if flag.name == "server-address" else None
            if flag.spelled.startswith("--") and flag.name in _DISTINCTIVE[role]:
                return role
            if address is not None and _NYM_ADDRESS.match(address):
                return role
    return None


def _source(word: Word) -> str:
    return "".join(
        "${" + piece.text + "}" if piece.kind is PieceKind.VARIABLE else piece.text
        for piece in word.pieces
    )
