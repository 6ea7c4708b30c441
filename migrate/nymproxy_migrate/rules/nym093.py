"""Lines that name an old program, and that nothing else has understood."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from nymproxy_migrate import names
from nymproxy_migrate.model import Kind, Span
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from nymproxy_migrate.model import Finding, SourceFile
    from nymproxy_migrate.words import Command, Word

RULE = Rule(
    code="NYM093",
    kind=Kind.COMMAND_CLIENT,
    title="a line names an old program and was not understood",
    why=(
        "The line may start the program, install it or depend on it in a language or a way that "
        "this tool does not read. Without a word about it, nobody would look."
    ),
    next=(
        "Look at it: write the new command by hand where it starts one, and otherwise keep it "
        "quiet with a comment `nymproxy: ignore[NYM093]`."
    ),
    example_before='launch("nym-proxy-client", server)',
)

_PROGRAM = re.compile(rb"(?<![\w-])nym[-_]proxy[-_](client|server)(?![\w]|-(?:client|server))")
_API = re.compile(rb"\bNymProxy(Client|Server)\b|\bnym_sdk::tcp_proxy\b")
_LIKE_COMMAND = re.compile(rb"(?:\.exe)?[\"'`]?[\s,\\\"'`]*(?:\[\s*[\"'`]?)?--?[a-z]")
_COMMENT = re.compile(rb"(?:^|[\s;{])(?:#|//|--\s|/\*|\*\s|<!--|;;?\s|rem\s|REM\s|dnl\s|%%)")
_PROSE = re.compile(
    r"(?i)(?:^|/)(?:readme|changelog|changes|license|notice|authors|contributing|security)[^/]*$"
    r"|\.(?:md|markdown|mdx|rst|txt|adoc|asciidoc|org|tex|html?|log|csv|svg|po|pot|ipynb)$"
)
_TEXT_KEYS = frozenset(
    {b"description", b"name", b"title", b"summary", b"label", b"labels", b"comment", b"help"}
    | {b"about", b"note", b"notes", b"message", b"documentation", b"info"}
)
_LAST_KEY = re.compile(rb"([A-Za-z][\w-]*)[\"']?\s*[:=][^:=]*$")
_IS_LABEL = re.compile(rb"\s*(?:LABEL|MAINTAINER)\s")
_ASSIGNMENT = re.compile(rb"\s*(?:(?:export|local|readonly|declare|typeset)\s(?:-\w+\s+)*)?\w+\+?=")
_SETS = re.compile(
    rb"\s*(?:(?:export|local|readonly|const|let|var|val|final|static)\s+)*[\w.\[\]]+"
    rb"\s*(?::\s*\w+\s*)?[:?+]?="
)
_IMAGE = re.compile(rb"[ \t]*(?:- )?[\"']?image[\"']?[ \t]*:")
_IN_STRING = re.compile(rb"[=(\[,:]\s*[a-zA-Z]{0,2}[\"'`]+[\w./{}$~-]*$")
_TELLS = re.compile(
    rb"\b(?:print\w*|puts|console|stage|log\w*|warn\w*|raise|echo|assert|help|description|println|panic)\b"
)
_TEXT_TOOLS = frozenset(
    {"echo", "printf", "logger", "cat", "grep", "egrep", "sed", "awk", "read", "git", "notify-send"}
    | {"say", "wall", "true", ":", "log", "die", "info", "warn", "error", "fail"}
)
_OURS = (b"nymproxy", b"nymproxy_compat")
_FLAGS = re.compile(
    r"-[suceg](?:$|=)|--(?:server|listen|upstream|upstream-tcp)[-_]address|--config[-_]dir"
)


def in_command(command: Command, source: SourceFile) -> Iterator[Finding]:
    """Yield a command that hands an old program with its flags to one that is not known."""
    if _shown(command.words[0]).rpartition("/")[2] in _TEXT_TOOLS:
        return
    for position, word in enumerate(command.words[1:], 1):
        name = _shown(word).rpartition("/")[2].removesuffix(".exe")
        if name not in names.CLIENTS | names.SERVERS:
            continue
        following = command.words[position + 1 :]
        if any(_FLAGS.match(each.leading_literal) for each in following):
            told = f"{_shown(command.words[0])} is given an old program with flags"
            kind = Kind.COMMAND_CLIENT if name in names.CLIENTS else Kind.COMMAND_SERVER
            yield RULE.finding(source, command.span, told, kind=kind)
            return


def in_file(
    source: SourceFile,
    format_name: str | None,
    understood: Collection[Span],
    *,
    explained: bool,
) -> Iterator[Finding]:
    """Yield the lines of a file that name an old program where nothing has understood it.

    Args:
        source: the file.
        format_name: what reads it; None when nothing does.
        understood: what findings are about, and which commands were read.
        explained: a finding is about a command whose program stands in a variable or an image.
    """
    if format_name is None and _PROSE.search(source.path):
        return
    told: set[int] = set()
    for mention in _mentions(source):
        start = source.data.rfind(b"\n", 0, mention.start()) + 1
        end = source.data.find(b"\n", mention.end())
        line = Span(start, len(source.data) if end < 0 else end)
        if start in told or any(
            each.start <= mention.end() and mention.start() <= each.end for each in understood
        ):
            continue
        before = source.data[start : mention.start()]
        is_set = _SETS.match(before) or _IMAGE.match(before)
        if _COMMENT.search(before) or (explained and is_set):
            continue
        if format_name and not _may_start(source, mention, before, format_name):
            continue
        told.add(start)
        number = source.position(start)[0]
        yield RULE.finding(
            source,
            line,
            f"line {number} names an old program and was not understood",
            kind=Kind.COMMAND_SERVER if (mention[1] or b"").lower() == b"server" else None,
        )


def _mentions(source: SourceFile) -> Iterator[re.Match[bytes]]:
    yield from _PROGRAM.finditer(source.data)
    if "nymproxy" not in source.path and not any(each in source.data for each in _OURS):
        # Once is enough: whoever looks at one place of a type finds the others.
        yield from itertools.islice(_API.finditer(source.data), 1)


def _may_start(
    source: SourceFile, mention: re.Match[bytes], before: bytes, format_name: str
) -> bool:
    """Tell whether a mention in a format that is read may be more than a name."""
    above = b""
    if before.lstrip().startswith(b"- "):
        above = _line_above(source.data, mention.start() - len(before), before)
    keys = [found[1].lower() for found in map(_LAST_KEY.search, (before, above)) if found]
    if format_name in {"sources", "windows"}:
        return not _TELLS.search(before)
    if mention.re is _API or _IS_LABEL.match(before) or not _TEXT_KEYS.isdisjoint(keys):
        return False
    is_path = before.endswith(b"/")
    is_whole = format_name == "python_calls" and _is_whole_value(source, mention, before)
    if not is_path and not is_whole and not _LIKE_COMMAND.match(source.data, mention.end()):
        return False
    if format_name == "script":
        return _ASSIGNMENT.match(before) is not None
    if format_name == "python_calls":
        return _IN_STRING.search(before) is not None and not _TELLS.search(before)
    return True


def _is_whole_value(source: SourceFile, mention: re.Match[bytes], before: bytes) -> bool:
    """Tell whether a name is set to a string that is the program and nothing else."""
    quote = source.data[mention.end() : mention.end() + 1]
    is_string = quote in (b"'", b'"') and before.endswith(quote)
    return is_string and _SETS.fullmatch(before[:-1].rstrip()) is not None


def _line_above(data: bytes, start: int, item: bytes) -> bytes:
    """Return the line of the key whose list an item belongs to."""
    indent = len(item) - len(item.lstrip())
    for line in reversed(data[:start].splitlines()):
        if line.strip() and (
            len(line) - len(line.lstrip()) < indent or not line.lstrip().startswith(b"-")
        ):
            return line
    return b""


def _shown(word: Word) -> str:
    return "".join(piece.text for piece in word.pieces)
