"""The commands of a plan, ready to run on a localnet.

What a command says about its place (address, port, env file, upstream, config directory, profile)
is replaced by that of the localnet. What shapes its behaviour stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate import formats, new_commands, plan, workers
from nymproxy_migrate.judged import Role
from nymproxy_migrate.model import SourceFile, Unparsable
from nymproxy_migrate.parity.model import Row, Side, Verdict
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from nymproxy_migrate.words import Word

KEPT = {
    Role.CLIENT: {"--identity-mode", "--client-pool-reserve", "--close-timeout"},
    Role.SERVER: {"--accept"},
}
"""Flags with a value that go along."""
KEPT_SWITCHES = {Role.CLIENT: set[str](), Role.SERVER: {"--close-to-legacy-clients"}}


@dataclass(frozen=True, slots=True)
class PlannedCommand:
    """A new command as it stands in a file once the plan is applied.

    Attributes:
        path: the file.
        role: client or server.
        flags: what is kept of it.
        unknown: flags to keep whose value is only known where the command runs.
    """

    path: str
    role: Role
    flags: tuple[str, ...]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flags:
    """What is added to the commands of each side."""

    clients: Mapping[Side, tuple[str, ...]]
    servers: Mapping[Side, tuple[str, ...]]

    def reserve(self, side: Side) -> int:
        """Return how many identities a side's client keeps ready, by default 2."""
        reserve = DEFAULT_RESERVE
        for flag in self.clients[side]:
            name, _, value = flag.partition("=")
            if name == "--client-pool-reserve" and value.isdecimal():
                reserve = int(value)
        return reserve


DEFAULT_RESERVE = 2
"""Of ``nymproxy client``."""
DEFAULT_FLAGS = Flags(dict.fromkeys(Side, ()), dict.fromkeys(Side, ()))


def commands_of(path: Path) -> list[PlannedCommand]:
    """Read a plan, and return the commands of its files as they will be, or already are.

    Raises:
        Refused: it is no plan, or a file is neither what the plan was made for nor its result.
    """
    found = []
    for name, data in _files(path):
        in_file = workers.call(_commands_in, SourceFile(name, data))
        if isinstance(in_file, workers.Failure):
            raise Refused(f"{name}: {in_file.reason}; make the plan again")
        found += in_file
    if not found:
        raise Refused(f"{path}: the plan rewrites no command; there is nothing to run")
    return found


def _commands_in(source: SourceFile) -> list[PlannedCommand] | workers.Failure:
    """Return the new commands of a file; this runs in a worker."""
    found = []
    try:
        for command in formats.find_commands(source):
            new = new_commands.read(command)
            if new is not None:
                found.append(_planned(source.path, new.role, command.words[2:]))
    except Unparsable as error:
        return workers.Failure(f"it cannot be read ({error})")
    return found


def flags_of(commands: Sequence[PlannedCommand]) -> Flags:
    """Return the flags of both sides: the old way did as it always did, the new as planned.

    The old client gave each connection an identity of its own, and the old server took part in
    the old protocol only; so these choices of the plan are the stream side's alone.
    """
    client, server = (_first(commands, role) for role in (Role.CLIENT, Role.SERVER))
    return Flags(
        {Side.LEGACY: _without(client, "--identity-mode"), Side.STREAM: client},
        {Side.LEGACY: _without(server, "--accept"), Side.STREAM: server},
    )


def rows_of(commands: Sequence[PlannedCommand]) -> tuple[Row, ...]:
    """Return a skipped row for each part of the plan that is not run."""
    rows = []
    for role in Role:
        same_role = [each for each in commands if each.role is role]
        if not same_role:
            rows.append(_skipped(role, 1, f"the plan has no {role.value}; one with defaults ran"))
        for number, each in enumerate(same_role, 1):
            if each.flags != same_role[0].flags:
                note = f"{each.path}: its flags differ; make a plan of that file to run it"
                rows.append(_skipped(role, number, note))
            elif each.unknown:
                names = ", ".join(each.unknown)
                note = f"{each.path}: the value of {names} is known only where it runs"
                rows.append(_skipped(role, number, note))
    return tuple(rows)


def _skipped(role: Role, number: int, note: str) -> Row:
    title = f"Plan: {role.value} {number}"
    return Row(
        f"plan.{role.value}_{number}", title, "plan", "", None, None, Verdict.SKIPPED, note=note
    )


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    found = plan.read(path)
    yield from found.done
    for change in found.changes:
        yield change.path, change.after


def _first(commands: Sequence[PlannedCommand], role: Role) -> tuple[str, ...]:
    return next((each.flags for each in commands if each.role is role), ())


def _without(flags: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(flag for flag in flags if flag.partition("=")[0] != name)


def _planned(path: str, role: Role, words: Sequence[Word]) -> PlannedCommand:
    flags, unknown = [], []
    rest = iter(words)
    for word in rest:
        name, equals, _ = word.leading_literal.partition("=")
        if name in KEPT_SWITCHES[role]:
            flags.append(name)
        elif name in KEPT[role]:
            value = word if equals else next(rest, None)
            text = None if value is None else value.literal
            if text is None:
                unknown.append(name)
            else:
                flags.append(f"{name}={text.partition('=')[2] if equals else text}")
    return PlannedCommand(path, role, tuple(flags), tuple(unknown))
