"""Commands that start the old proxies, in every kind of file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate import formats, names, new_commands
from nymproxy_migrate.finders import config_dirs, python_calls
from nymproxy_migrate.judge import OldInvocation, Role, UnreadableCommand, judge
from nymproxy_migrate.model import (
    Action,
    BinarySource,
    Edit,
    Finding,
    Kind,
    Safety,
    Span,
    Unparsable,
)
from nymproxy_migrate.rewrite.commands import (
    CannotRewrite,
    Rewrite,
    UnknownHome,
    effective_config_dir,
    rewrite,
)
from nymproxy_migrate.rules import RULES
from nymproxy_migrate.words import Piece, PieceKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nymproxy_migrate.model import SourceFile
    from nymproxy_migrate.options import ScanOptions
    from nymproxy_migrate.words import Command

_BINARY = {
    BinarySource.IMAGE: "a container image",
    BinarySource.BUILD: "a build stage of this file",
    BinarySource.LOOKED_UP: "a lookup when the command runs",
}
IDENTITY_MODES = ("per-connection", "pool", "shared")


def find(source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    """Yield what there is to say about each command of a file."""
    try:
        for found in formats.read_commands(source):
            yield from findings_in(found, source, options)
    except Unparsable as error:
        if names.mentions_program(source.data.decode("utf-8", "replace")):
            yield _unparsable(source, error)


def findings_in(
    found: Command | Unparsable, source: SourceFile, options: ScanOptions
) -> Iterator[Finding]:
    """Yield the findings of what a format has found; used for documents, too."""
    if isinstance(found, Unparsable):
        yield _unparsable(source, found)
        return
    yield from map(_placed(found), findings_of(judge(found), source, options))
    if options.to == "stream":
        yield from map(_placed(found), _finish(found, source, options))


def findings_of(
    judged: OldInvocation | UnreadableCommand | None, source: SourceFile, options: ScanOptions
) -> Iterator[Finding]:
    """Yield the findings of one judged command."""
    if judged is None:
        return
    kind = kind_of(judged.role)
    span = judged.command.span
    if isinstance(judged, UnreadableCommand):
        code = "NYM005" if judged.looked_up else "NYM004"
        message = f"the program of this old {judged.role} is not readable here: {judged.reason}"
        yield RULES[code].finding(source, span, message, kind=kind)
        return
    if judged.unreadable:
        what = ", ".join(judged.unreadable)
        message = f"the arguments of this old {judged.role} are not readable here: {what}"
        yield RULES["NYM004"].finding(source, span, message, kind=kind)
        return
    if judged.refusals:
        message = f"the old {judged.role} would refuse this: {'; '.join(judged.refusals)}"
        yield RULES["NYM003"].finding(source, span, message, kind=kind)
        return
    yield from _readable(judged, source, options)


def _placed(command: Command) -> Callable[[Finding], Finding]:
    """Return what turns findings into those of the place where the command stands."""
    return (
        python_calls.placed
        if command.context.format_name == names.PYTHON_CALL
        else lambda found: found
    )


def _finish(command: Command, source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    """Yield the last step of a client that has been rewritten already: its wire."""
    new = new_commands.read(command)
    if new is None or new.wire is None or new.wire.literal != "legacy":
        return
    known = new.address is not None and (
        (new.address.literal or "")[new.address_at :] in options.stream_servers
    )
    if known or options.whole_system:
        raw = new.wire.span.of(source.data)
        word = command.quoting.word((Piece(PieceKind.LITERAL, "stream"),), raw)
        message = "this client speaks the legacy protocol to a server that speaks stream as well"
        edits = (Edit(new.wire.span, word),)
        yield RULES["NYM001"].finding(source, command.span, message, edits=edits)


def kind_of(role: Role) -> Kind:
    """Return what findings about a command of this role are about."""
    return Kind.COMMAND_CLIENT if role is Role.CLIENT else Kind.COMMAND_SERVER


def _readable(
    invocation: OldInvocation, source: SourceFile, options: ScanOptions
) -> Iterator[Finding]:
    rule = RULES["NYM001" if invocation.role is Role.CLIENT else "NYM002"]
    span = invocation.command.span
    what = f"this {invocation.command.context.format_name} starts the old {invocation.role}"
    foreign = invocation.command.context.binary
    try:
        new = rewrite(invocation, source.data, options)
    except UnknownHome:
        yield _unknown_home(invocation, source)
        new = None
        reason = "its config directory depends on an unknown HOME"
    except CannotRewrite as error:
        new = None
        reason = f"it cannot be rewritten in this place: {error}"
    if foreign is not BinarySource.PATH:
        yield _foreign_binary(invocation, source, new)
        if options.decisions.get("NYM005") != "rewrite":
            yield from _details(invocation, source, options)
            return
    if new is None:
        yield rule.finding(
            source,
            span,
            f"{what}; {reason}",
            action=Action.REPORT,
            safety=Safety.MANUAL,
            needs_human=True,
            next="Write the new command by hand; `nymproxy-migrate explain` shows an example.",
        )
    else:
        notes = list(new.notes)
        if options.to == "stream" and new.wire == "legacy":
            notes.append("it keeps the legacy wire: its server is not known to speak stream")
        message = "; ".join((f"{what}; it becomes: {_one_line(new.text)}", *notes))
        yield rule.finding(source, span, message, edits=new.edits)
    yield from _details(invocation, source, options)


def _details(
    invocation: OldInvocation, source: SourceFile, options: ScanOptions
) -> Iterator[Finding]:
    """Yield what changes hands beside the command: the address, who can link what, gateways."""
    if invocation.flag("help") is not None:
        return
    if invocation.role is Role.CLIENT:
        yield from _linkability(invocation, source, options)
        return
    directory = effective_config_dir(invocation)
    if directory is not None and options.decisions.get("NYM062") != "as-written":
        message = f"the server's keys, and so its Nym address, are in {directory}"
        yield RULES["NYM050"].finding(source, _span_of(invocation, "config-dir"), message)
    place = _span_of(invocation, "config-dir")
    yield from config_dirs.address_change(invocation, source, place, options)
    gateway = invocation.flag("gateway")
    if gateway is not None:
        message = "the server asks for a gateway of its own; the new command keeps it"
        yield RULES["NYM061"].finding(source, gateway.flag_word.span, message)


def _linkability(
    invocation: OldInvocation, source: SourceFile, options: ScanOptions
) -> Iterator[Finding]:
    pool = invocation.flag("client-pool-reserve")
    mode = options.decisions.get("NYM060", "per-connection")
    if pool is None and mode == "per-connection":
        return
    message = (
        "each connection keeps an identity of its own"
        if mode == "per-connection"
        else f"by your decision the identities are {mode}: the server can link connections"
    )
    span = _span_of(invocation, "client-pool-reserve")
    yield RULES["NYM060"].finding(source, span, message, decision=IDENTITY_MODES)


def _unknown_home(invocation: OldInvocation, source: SourceFile) -> Finding:
    flag = invocation.flag("config-dir")
    value = "/tmp/nym-tcp-proxy-server" if flag is None else (flag.text or "its --config-dir")
    user = invocation.command.context.home.user
    whose = f"the home of the user {user}" if user else "HOME"
    message = f"the config directory is {whose} followed by {value}, and this file does not say it"
    return RULES["NYM051"].finding(source, _span_of(invocation, "config-dir"), message)


def _foreign_binary(invocation: OldInvocation, source: SourceFile, new: Rewrite | None) -> Finding:
    origin = _BINARY[invocation.command.context.binary]
    message = f"the old {invocation.role} comes from {origin}"
    if new is not None:
        message += f"; once nymproxy is there, the command is: {_one_line(new.text)}"
    return RULES["NYM005"].finding(
        source,
        invocation.command.span,
        message,
        kind=kind_of(invocation.role),
        decision=("keep", "rewrite"),
    )


def _unparsable(source: SourceFile, error: Unparsable) -> Finding:
    offset = min(error.offset, len(source.data))
    end = source.data.find(b"\n", offset)
    line = Span(offset, end if end >= 0 else len(source.data))
    role = names.mentioned_role(line.of(source.data).decode("utf-8", "replace"))
    kind = Kind.COMMAND_SERVER if role == "server" else Kind.COMMAND_CLIENT
    return RULES["NYM090"].finding(source, line, str(error), kind=kind)


def _span_of(invocation: OldInvocation, name: str) -> Span:
    flag = invocation.flag(name)
    if flag is None:
        return invocation.command.span
    last = flag.value or flag.flag_word
    return Span(flag.flag_word.span.start, last.span.end)


def _one_line(text: str) -> str:
    return " ".join(text.replace("\\\n", " ").split())
