"""Old commands become ``nymproxy client`` and ``nymproxy server`` with the same meaning.

Only the words that differ change: the program, a flag that the old parser rejects or that ours
reads differently (``-s=VALUE``). The old server appended its config directory to HOME as text
(nym-sdk src/tcp_proxy/bin/proxy_server.rs). What HOME is when the command runs no file says for
sure, so the new command follows the old rule itself.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.cli.old_flags import DEFAULT_CONFIG_DIR
from nymproxy_migrate.formats.lists import ListQuoting
from nymproxy_migrate.judged import OldFlag, OldInvocation, Role
from nymproxy_migrate.model import BinarySource, Edit, HomeSource, Span
from nymproxy_migrate.words import Piece, PieceKind, literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nymproxy_migrate.options import ScanOptions


NAME = "nymproxy"
_OTHER_PATHS = frozenset({"systemd unit", "crontab", "supervisor program", "launchd job"})
"""Formats whose commands run with a PATH that is not the one of a user's shell."""


class CannotRewrite(Exception):
    """The new command cannot be written in this place."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The edits that turn one old command into a new one.

    Attributes:
        edits: sorted, without overlap.
        text: the new command as it will stand in the file.
        notes: what was repaired on the way, for the message.
        wire: what a client speaks; empty for servers.
    """

    edits: tuple[Edit, ...]
    text: str
    notes: tuple[str, ...]
    wire: str = ""


def rewrite(invocation: OldInvocation, data: bytes, options: ScanOptions) -> Rewrite:
    """Return the edits for a command that the old parser would take.

    Args:
        invocation: the command, as judged.
        data: the content of its file.
        options: what the new command should look like.

    Raises:
        CannotRewrite: the place cannot hold the new words.
    """
    edits: list[Edit] = []
    notes: list[str] = []
    only_help = invocation.flag("help") is not None
    added: list[tuple[Piece, ...]] = []
    wire = ""
    if invocation.role is Role.CLIENT and not only_help:
        wire = wire_of(invocation.flag("server-address"), options)
        if wire != "auto":
            added += [literal("--wire"), literal(wire)]
        mode = options.decisions.get("NYM060")
        if mode in {"shared", "pool"}:
            added += [literal("--identity-mode"), literal(mode)]
    try:
        for flag in invocation.flags:
            edits += _spelling(flag, invocation, data, notes)
        if invocation.role is Role.SERVER and not only_help:
            added += [literal("--accept"), literal("legacy,stream")]
            if options.decisions.get("NYM062") != "as-written":
                added.append(literal("--compat-config-dir"))
            elif invocation.flag("config-dir") is None:
                added += [literal("--config-dir"), literal(DEFAULT_CONFIG_DIR)]
        path = literal(_path_of_ours(invocation, options))
        added = [path, literal(invocation.role.value), *added]
        edits.append(_program(invocation, added))
    except ValueError as error:
        raise CannotRewrite(str(error)) from error
    merged = _merged(edits)
    return Rewrite(merged, _preview(invocation, data, merged, added), tuple(notes), wire)


def wire_of(address: OldFlag | None, options: ScanOptions) -> str:
    """Return the wire for a client: stream only when its server is known to speak it, and else
    ``auto``, which finds that out by itself."""
    if options.to != "stream":
        return options.to
    known = address is not None and address.text in options.stream_servers
    return "stream" if known or options.decisions.get("NYM063") == "stream" else "auto"


def effective_config_dir(invocation: OldInvocation) -> str | None:
    """Return the directory that the old server really uses, as far as it is known here.

    ``$HOME`` and other variables stand in the result as they would in a shell.
    """
    home = invocation.command.context.home
    if home.value is None and home.source is HomeSource.UNKNOWN:
        return None
    shown = _shown(_config_value(invocation.flag("config-dir")))
    return ("$HOME" if home.value is None else home.value) + shown


def _program(invocation: OldInvocation, words: Sequence[tuple[Piece, ...]]) -> Edit:
    quoting = invocation.command.quoting
    span = Span(invocation.program[0].span.start, invocation.program[-1].span.end)
    return Edit(span, quoting.separator().join(quoting.word(word, b"") for word in words))


def _path_of_ours(invocation: OldInvocation, options: ScanOptions) -> str:
    """Return how the new program is called: by its name alone only where that finds it."""
    context = invocation.command.context
    if context.binary is not BinarySource.PATH:
        return NAME  # in an image: its PATH, not the one of this machine
    if options.program is not None:
        return options.program
    is_absolute = invocation.program[0].leading_literal.startswith("/")
    if not is_absolute and context.format_name not in _OTHER_PATHS:
        return NAME
    if options.installed is None:
        raise CannotRewrite("say where nymproxy is with --program PATH")
    return options.installed


def _spelling(
    flag: OldFlag, invocation: OldInvocation, data: bytes, notes: list[str]
) -> list[Edit]:
    """Repair a flag that the old parser rejects, or whose value ours would read differently."""
    attached_equals = flag.value is flag.flag_word and flag.value_at == 3
    short_equals = attached_equals and not flag.spelled.startswith("--")
    if not flag.repaired and not short_equals:
        return []
    right = f"--{flag.name}"
    if flag.repaired:
        notes.append(f"{flag.spelled} is repaired to {right}")
    raw = flag.flag_word.span.of(data)
    at = _literal_at(raw, flag.spelled)
    if at is not None:
        start = flag.flag_word.span.start + at
        return [Edit(Span(start, start + len(flag.spelled)), right.encode())]
    spelled = flag.flag_word.literal
    if spelled is None:
        raise CannotRewrite(f"{flag.spelled} is written in a way that cannot be changed alone")
    word = literal(right + spelled[len(flag.spelled) :])
    return [Edit(flag.flag_word.span, invocation.command.quoting.word(word, raw))]


def _literal_at(raw: bytes, text: str) -> int | None:
    """Return where a word's raw bytes spell a text, behind nothing but its opening quote."""
    at = raw.find(text.encode("utf-8", "surrogateescape"))
    if at < 0 or raw[:at].strip(b"\\'\"$"):
        return None
    return at


def _config_value(flag: OldFlag | None) -> tuple[Piece, ...]:
    if flag is None or flag.value is None:
        return literal(DEFAULT_CONFIG_DIR)
    first, *rest = flag.value.pieces
    return (Piece(first.kind, first.text[flag.value_at :]), *rest)


def _shown(pieces: tuple[Piece, ...]) -> str:
    return "".join(
        "$" + piece.text if piece.kind is PieceKind.VARIABLE else piece.text for piece in pieces
    )


def _merged(edits: list[Edit]) -> tuple[Edit, ...]:
    """Sort the edits; those that touch the same word anew would contradict each other."""
    ordered = sorted(edits)
    for left, right in itertools.pairwise(ordered):
        if left.span.overlaps(right.span):
            raise CannotRewrite("two changes meet in one word")
    return tuple(ordered)


def _preview(
    invocation: OldInvocation,
    data: bytes,
    edits: tuple[Edit, ...],
    added: Sequence[tuple[Piece, ...]],
) -> str:
    """Return the new command as people read it: a list as a list of its format, in one line."""
    quoting = invocation.command.quoting
    if not isinstance(quoting, ListQuoting) or quoting.brackets is None:
        return _spliced(invocation.command.span, data, edits).decode("utf-8", "replace")
    opening, between, closing = quoting.brackets
    rest = invocation.command.words[len(invocation.program) :]
    behind = invocation.program[-1].span.end
    items = [
        *(quoting.word(word, b"") for word in added),
        *(
            _spliced(word.span, data, [each for each in edits if each.span.start >= behind])
            for word in rest
        ),
    ]
    return opening + between.join(each.decode("utf-8", "replace") for each in items) + closing


def _spliced(span: Span, data: bytes, edits: Iterable[Edit]) -> bytes:
    parts, position = [], span.start
    for edit in edits:
        if span.start <= edit.span.start and edit.span.end <= span.end:
            parts += [data[position : edit.span.start], edit.replacement]
            position = edit.span.end
    return b"".join([*parts, data[position : span.end]])
