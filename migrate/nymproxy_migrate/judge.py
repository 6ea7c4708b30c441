"""Is this command one of the old proxies, and what do its words mean?

The old programs are ``nym-proxy-client`` and ``nym-proxy-server`` (nym-sdk src/tcp_proxy/bin),
``proxy_client`` and ``proxy_server`` (nymtech/standalone-tcp-proxies) and ``client`` and
``server`` (nymtech/nym-zcash-grpc-demo). The last four are names that anybody's programs have: they
count with a Nym address, or where the rest of the tree shows whose they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate import names, old_flags
from nymproxy_migrate.judged import OldInvocation, Role, UnreadableCommand
from nymproxy_migrate.model import Evidence
from nymproxy_migrate.words import PieceKind, Word, literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy_migrate.words import Command

_VARIABLE_IN_SOURCE = re.compile(r"^\$\{?(\w+)")
_LOOKUP = re.compile(r"command\s+-v|which|type\s+-p|whereis|find\s")

# Flags that no other program of a generic name is likely to have.
_DISTINCTIVE = frozenset(
    {"server-address", "close-timeout", "client-pool-reserve", "upstream-tcp-address"}
)
_LAUNCHERS = frozenset(
    {"start-stop-daemon", "daemonize", "daemon", "pm2", "tmux", "xargs", "parallel", "watch"}
    | {"find", "forever", "dtach", "abduco", "nssm", "watchexec", "entr", "nodemon", "runc"}
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
    needs = None
    if name.removesuffix(".exe") in names.GENERIC_CLIENTS | names.GENERIC_SERVERS:
        in_folder = path is not None and any(names.speaks_of_nym(each.text) for each in path.pieces)
        proof = _proof(role, reading)
        if proof is None:
            return None
        needs = None if proof else _needs(name, reading, in_folder=in_folder)
        if not proof and needs is None:
            return None
    return OldInvocation(
        role,
        command,
        program,
        tuple(reading.flags),
        tuple(dict.fromkeys(reading.refusals)),
        tuple(reading.unreadable),
        needs,
    )


def _proof(role: Role, reading: old_flags.Reading) -> bool | None:
    """Tell whether arguments hold what only Nym has; None when they are another program's."""
    if reading.unknown or reading.positionals:
        return None
    for flag in reading.flags:
        if flag.name == "server-address" and flag.text is not None:
            return names.is_nym_address(flag.text) or None
        if flag.name == "gateway" and flag.text is not None:
            return names.is_node(flag.text) or None
    return False


def _needs(name: str, reading: old_flags.Reading, *, in_folder: bool) -> Evidence | None:
    """Return what the tree must show, so that a generic name means the old program."""
    flags = {flag.name for flag in reading.flags}
    given = {flag.name for flag in reading.flags if flag.spelled.startswith("--")}
    is_distinctive = bool(given & _DISTINCTIVE)
    if not flags & set(old_flags.REQUIRED.values()) and not ("help" in flags and in_folder):
        return None
    if not name.startswith("proxy_"):
        return Evidence.OLD_PROXIES if is_distinctive or in_folder else None
    return Evidence.NYM if is_distinctive or in_folder else Evidence.OLD_PROXIES


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
    position, options = _cargo_options(words, position + 1)
    called = options.get("--bin") or options.get("--example")
    manifest = options.get("--manifest-path") or options.get("--package")
    name = (called.literal if called is not None else None) or ""
    role = _role_of(name)
    if role is None:
        return None
    return _judge_named(role, name, command, words[:position], words[position:], manifest)


def _cargo_options(words: Sequence[Word], position: int) -> tuple[int, dict[str, Word]]:
    """Return where the program's own arguments begin, and the values of the options before."""
    options: dict[str, Word] = {}
    while position < len(words):
        word = words[position]
        position += 1
        if word.literal == "--":
            break
        if word.literal is not None and not word.literal.startswith("-"):
            position -= 1
            break
        key, equals, value = (word.literal or "").partition("=")
        if equals:
            options[key] = Word(literal(value), word.span)
        elif key in _CARGO_OPTIONS_WITH_VALUE and position < len(words):
            options["--package" if key == "-p" else key] = words[position]
            position += 1
    return position, options


def _judge_launcher(name: str, command: Command) -> UnreadableCommand | None:
    """A launcher that puts program and arguments together in its own way."""
    runs = {"-exec", "-execdir", "-ok", "-okdir"}
    if name == "find" and runs.isdisjoint(word.literal for word in command.words):
        return None
    for word in command.words[1:]:
        started = (word.literal or "").lstrip().partition(" ")[0].rpartition("/")[2]
        role = _role_of(started)
        if role is not None and started not in {"client", "server"}:
            needs = None if names.is_ours(started) else Evidence.OLD_PROXIES
            return UnreadableCommand(role, command, f"{name} starts it", needs=needs)
    return None


def _judge_eval(command: Command) -> UnreadableCommand | None:
    text = " ".join(_source(word) for word in command.words[1:])
    values = dict(command.context.environment) | dict(command.context.computed)
    for variable in re.findall(r"\$\{?(\w+)", text):
        text += " " + values.get(variable, "")
    role = names.mentioned_role(text)
    if role is None:
        return None
    needs = None if names.is_ours(text) else Evidence.OLD_PROXIES
    return UnreadableCommand(Role(role), command, "eval puts the command together", needs=needs)


def _judge_unreadable(command: Command) -> UnreadableCommand | None:
    program = command.words[0]
    source = _source(program)
    variable = _VARIABLE_IN_SOURCE.match(source)
    values = dict(command.context.environment) | dict(command.context.computed)
    value = values.get(variable[1], "") if variable else ""
    told = names.mentioned_role(source) or names.mentioned_role(value)
    if told is None:
        return _judge_by_flags(command, source)
    looked_up = _LOOKUP.search(source + " " + value) is not None
    needs = None if names.is_ours(f"{source} {value}") else Evidence.OLD_PROXIES
    return UnreadableCommand(Role(told), command, source, looked_up, needs)


def _judge_by_flags(command: Command, source: str) -> UnreadableCommand | None:
    """Recognise an unreadable program by its flags."""
    for role in Role:
        reading = old_flags.read_arguments(role, command.words[1:])
        proof = _proof(role, reading)
        given = {flag.name for flag in reading.flags if flag.spelled.startswith("--")}
        if proof or (proof is False and given & _DISTINCTIVE):
            needs = None if proof else Evidence.OLD_PROXIES
            return UnreadableCommand(role, command, source, needs=needs)
    return None


def _source(word: Word) -> str:
    return "".join(
        "${" + piece.text + "}" if piece.kind is PieceKind.VARIABLE else piece.text
        for piece in word.pieces
    )
