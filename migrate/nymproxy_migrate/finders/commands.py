"""Commands in every kind of file: those that start the old proxies, and those that install them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy_migrate import formats, names, new_commands
from nymproxy_migrate.judge import judge
from nymproxy_migrate.judged import OldInvocation, Role, UnreadableCommand
from nymproxy_migrate.model import Unparsable
from nymproxy_migrate.rules import (
    nym001,
    nym002,
    nym003,
    nym004,
    nym005,
    nym006,
    nym030,
    nym031,
    nym050,
    nym051,
    nym060,
    nym061,
    nym062,
    nym063,
    nym071,
    nym090,
    nym093,
)
from nymproxy_migrate.rules._started import Started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding, SourceFile
    from nymproxy_migrate.new_commands import NewInvocation
    from nymproxy_migrate.options import ScanOptions
    from nymproxy_migrate.words import Command

_STARTED = (nym001, nym002, nym005, nym030, nym031)
_BESIDE = (nym050, nym051, nym060, nym061, nym062, nym063)
"""What changes hands beside the command: the address, who can link what, gateways."""


def find(source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    """Yield what there is to say about each command of a file."""
    try:
        image = options.survey.image_of(source.path)
        for found in formats.read_commands(source):
            if image is not None:
                found = formats.with_binary(found, image[1])
            yield from findings_in(found, source, options)
            if not isinstance(found, Unparsable):
                yield from _about(found, source)
    except Unparsable as error:
        if names.mentions_program(source.data.decode("utf-8", "replace")):
            yield nym090.at(source, error.offset, str(error))


def _about(command: Command, source: SourceFile) -> Iterator[Finding]:
    """Yield what a command that starts no old program has to do with one."""
    if judge(command) is None:
        found = [*nym006.find(command, source), *nym071.find(command, source)]
        yield from found or nym093.in_command(command, source)


def findings_in(
    found: Command | Unparsable, source: SourceFile, options: ScanOptions
) -> Iterator[Finding]:
    """Yield the findings of what a format has found; used for documents, too."""
    if isinstance(found, Unparsable):
        yield nym090.at(source, found.offset, str(found))
        return
    judged = judge(found)
    if judged is not None:
        for finding in _judged(judged, source, options):
            yield replace(finding, needs=judged.needs)
    if options.to == "stream":
        yield from _finish(found, source, options)


def _judged(
    judged: OldInvocation | UnreadableCommand, source: SourceFile, options: ScanOptions
) -> Iterator[Finding]:
    in_python = judged.command.context.format_name == names.PYTHON_CALL
    if isinstance(judged, UnreadableCommand) and judged.looked_up:
        yield nym005.looked_up(judged, source)
    elif isinstance(judged, UnreadableCommand) or judged.unreadable:
        yield (nym031.unreadable if in_python else nym004.find)(judged, source)
    elif judged.refusals:
        yield nym003.refused(judged, source)
    else:
        started = Started.of(judged, source, options)
        rules = _STARTED if judged.flag("help") is not None else (*_STARTED, *_BESIDE)
        for rule in rules:
            yield from rule.find(started)


def _finish(command: Command, source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    new = new_commands.read(command)
    if new is None or new.role is not Role.CLIENT or not _may_be_stream(new):
        return
    address = None if new.address is None else (new.address.literal or "")[new.address_at :]
    if address in options.stream_servers or options.decisions.get("NYM063") == "stream":
        in_python = command.context.format_name == names.PYTHON_CALL
        yield nym001.finish(new.wire, command, source, (nym030 if in_python else nym001).RULE)
    else:
        yield nym063.undecided(command, source, options)


def _may_be_stream(new: NewInvocation) -> bool:
    """Tell whether a client has no wire, or one in sight that is not ``stream``."""
    if new.wire is None:
        return not new.has_wire
    return new.wire.literal in {"auto", "legacy"}
