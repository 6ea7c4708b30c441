"""YAML values as words: lists of strings, strings that a shell or a splitter reads, files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import shell
from nymproxy_migrate.formats.commands import Embedded, commands_of
from nymproxy_migrate.formats.expansions import SHLEX
from nymproxy_migrate.formats.lists import Item, ListQuoting, word_of
from nymproxy_migrate.formats.split import split
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.formats.yaml_nodes import PLAIN, Document, escape_double
from nymproxy_migrate.model import BinarySource, CommandContext, Home, HomeSource, Unparsable

if TYPE_CHECKING:
    from nymproxy_migrate.formats.commands import Found, WordReader
    from nymproxy_migrate.formats.yaml_nodes import YamlNode as Node
    from nymproxy_migrate.words import Word

Expand = Callable[[Text], Text]

_DASH = re.compile(rb"[ \t]*(?:-[ \t]+)+")
_NOT_A_STRING = re.compile(
    rb"(?i)true|false|yes|no|on|off|null|~|[-+]?[0-9][0-9_.:eE+-]*|\.inf|\.nan|"
)


def list_words(
    document: Document, nodes: list[Node], expand: Expand
) -> tuple[list[Word], WordReader]:
    """Return the words of one or several lists of strings.

    Raises:
        Unparsable: an item is not a string, or cannot be mapped.
    """
    items = []
    flow = bool(nodes[0].flow_style)
    for node in nodes:
        for child in node.value:
            if child.id != "scalar":
                place = document.text.starts[child.start_mark.index]
                raise Unparsable("a command with an item that is not a string", place)
            text = expand(document.scalar(child, flow=bool(node.flow_style)))
            span = document.text.span(child.start_mark.index, child.end_mark.index)
            raw = document.text.data[child.start_mark.index : child.end_mark.index]
            items.append(Item(text, span, raw))
    expanding = expand(Text.whole(b"")).encode

    def write(value: bytes, like: bytes) -> bytes:
        return document.text.encode(_styled(expanding(value), like))

    separator = document.text.encode(_separator(document, nodes[0], flow))
    return [word_of(item) for item in items], ListQuoting(items, write, separator)


def _styled(value: bytes, like: bytes) -> bytes:
    if like[:1] == b'"':
        return b'"' + escape_double(value) + b'"'
    plain = PLAIN.fullmatch(value) is not None and not _NOT_A_STRING.fullmatch(value)
    if b"\n" in value:
        return b'"' + escape_double(value) + b'"'
    if like[:1] == b"'" or not plain:
        return b"'" + value.replace(b"'", b"''") + b"'"
    return value


def _separator(document: Document, node: Node, flow: bool) -> bytes:
    data = document.text.data
    children = node.value
    if flow:
        if len(children) > 1:
            between = data[children[0].end_mark.index : children[1].start_mark.index]
            if re.fullmatch(rb"\s*,\s*", between):
                return between
        return b", "
    start = children[0].start_mark.index
    line_start = data.rfind(b"\n", 0, start) + 1
    lead = _DASH.match(data, line_start, start)
    line_end = b"\r\n" if b"\r\n" in data else b"\n"
    if lead is None or lead.end() != start:
        column = data[line_start:start].rfind(b"-")
        if column < 0:
            raise Unparsable(
                "a list item that does not begin its line", document.text.starts[start]
            )
        return line_end + b" " * column + b"- "
    dash = lead[0].rindex(b"-")
    return line_end + lead[0][:dash].replace(b"-", b" ") + lead[0][dash:]


def list_command(
    document: Document, nodes: list[Node], context: CommandContext, expand: Expand
) -> Iterator[Found]:
    """Yield the command that one list, or several in a row, are."""
    nodes = [node for node in nodes if node.value]
    if nodes:
        words, quoting = list_words(document, nodes, expand)
        yield from commands_of(words, context, quoting)


def split_words(document: Document, node: Node, expand: Expand) -> tuple[list[Word], WordReader]:
    """Return the words of a string that is split like a shell would, without a shell.

    Raises:
        Unparsable: the string cannot be mapped or split.
    """
    text = expand(document.scalar(node))
    try:
        return split(text, 0, len(text.data), SHLEX)
    except ValueError as error:
        raise Unparsable(str(error), document.text.starts[node.start_mark.index]) from error


def shell_commands(
    document: Document, node: Node, format_name: str, *, flow: bool = False
) -> Iterator[Found]:
    """Yield the commands of a string that a shell runs."""
    context = CommandContext(format_name, Home(HomeSource.SHELL))
    yield from shell.find(document.scalar(node, flow=flow), context)


def embedded_file(
    document: Document, node: Node, path: str, binary: BinarySource = BinarySource.PATH
) -> Iterator[Found]:
    """Yield the commands of a file that stands in a string."""
    yield Embedded(path, document.scalar(node), binary=binary)


def without_user(context: CommandContext, user: str | None) -> CommandContext:
    """Return the context with the home of a container's user."""
    name = (user or "").partition(":")[0]
    if name in {"root", "0"}:
        return replace(context, home=Home(HomeSource.USER, "/root", "root"))
    return replace(context, home=Home(HomeSource.UNKNOWN, None, name or None))
