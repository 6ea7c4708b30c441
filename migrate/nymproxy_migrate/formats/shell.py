"""Shell text: script files, heredocs, and the strings that other formats hand to a shell."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import syntax
from nymproxy_migrate.formats.commands import SHELLS, Embedded, Found, commands_of, program_name
from nymproxy_migrate.formats.shell_words import ShellQuoting, word_of
from nymproxy_migrate.formats.text import Text, TextBuilder, ascii_only
from nymproxy_migrate.model import CommandContext, Home, HomeSource, Unparsable
from nymproxy_migrate.names import mentions_program
from nymproxy_migrate.words import Command, Piece, PieceKind, Word, literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

SCRIPT_CONTEXT = CommandContext("shell script", Home(HomeSource.SHELL))

_HEREDOC_ESCAPE = re.compile(rb"\\(\r?\n|[$`\\])")
_EXPANSIONS = frozenset(
    {"simple_expansion", "expansion", "command_substitution", "arithmetic_expansion"}
)
_REDIRECTS = frozenset(
    {"file_redirect", "heredoc_redirect", "herestring_redirect", "variable_assignment"}
)


def find(text: Text, context: CommandContext = SCRIPT_CONTEXT) -> Iterator[Found]:
    """Yield the commands of a shell text."""
    # Values are taken from the real bytes; for the grammar, everything keeps its place.
    source = ascii_only(text.data)
    source = source.replace(b"\\\r\n", b" \\\n").replace(b"\r\n", b"\n\n")
    root = syntax.parser("bash").parse(source).root_node
    reader = _Reader(text, context, _commands_set_in(root, text))
    yield from reader.walk(root)


class _Reader:
    """Walks the syntax tree of one text."""

    def __init__(self, text: Text, context: CommandContext, assigned: _Assigned) -> None:
        self.text = text
        self.context = replace(
            context,
            environment=(*context.environment, *assigned.literal),
            computed=(*context.computed, *assigned.computed),
        )
        self.places: dict[int, tuple[int, int]] = {}
        self.quoting = ShellQuoting(text, self.places)

    def walk(self, root: Node) -> Iterator[Found]:
        """Yield what stands below a node; a loop, because scripts nest deeper than Python."""
        stack = [(root, False)]
        while stack:
            node, broken = stack.pop()
            broken = broken or node.type == "ERROR"
            if node.type == "ERROR" or node.is_missing:
                yield from self._error(node)
            if node.type == "command":
                yield from self._command(node, broken)
            elif node.type == "test_command":
                yield self._test(node)
            elif node.type == "heredoc_redirect":
                yield from self._heredoc(node)
            stack += [(child, broken) for child in reversed(node.children)]

    def _command(self, node: Node, broken: bool) -> Iterator[Found]:
        words = self._words(node)
        if not words:
            return
        if (broken or node.has_error) and self._is_candidate(words):
            yield self._unparsable(node)
            return
        yield from commands_of(words, self.context, self.quoting)

    def _test(self, node: Node) -> Command:
        """Return a test in brackets as the command that it is."""
        span = self.text.span(node.start_byte, node.end_byte)
        tested = Word((Piece(PieceKind.OPAQUE, self.text.source(node)),), span)
        return Command((Word(literal("["), span), tested), span, self.context, self.quoting)

    def _words(self, node: Node) -> list[Word]:
        words = []
        for child in node.children:
            assigns = child.type == "variable_assignment"
            if (child.type in _REDIRECTS and not assigns) or not child.is_named:
                continue
            if child.type == "ERROR":
                continue
            word = self._assignment(child) if assigns else self._word(child)
            words.append(word)
        return words

    def _word(self, node: Node) -> Word:
        word = word_of(node, self.text)
        self.places[word.span.start] = node.start_byte, node.end_byte
        return word

    def _assignment(self, node: Node) -> Word:
        word = word_of(node, self.text)
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is None:
            return word
        lead = Piece(PieceKind.LITERAL, self.text.source(name) + "=")
        pieces: tuple[Piece, ...] = (lead,)
        if value is not None:
            pieces += word_of(value, self.text).pieces
        return replace(word, pieces=pieces)

    def _is_candidate(self, words: list[Word]) -> bool:
        return any(mentions_program(word.literal or "") for word in words)

    def _error(self, node: Node) -> Iterator[Found]:
        start = self.text.data.rfind(b"\n", 0, node.start_byte) + 1
        end = self.text.data.find(b"\n", node.end_byte)
        lines = self.text.data[start : end if end >= 0 else None]
        has_command = any(child.type == "command" for child in node.children)
        if not has_command and len(lines) < 4096 and mentions_program(_text(lines)):
            code = b"\n".join(line.partition(b"#")[0] for line in lines.split(b"\n"))
            if mentions_program(_text(code)):
                yield self._unparsable(node)

    def _unparsable(self, node: Node) -> Unparsable:
        return Unparsable(
            f"this {self.context.format_name} is not valid shell here",
            self.text.span(node.start_byte, node.start_byte).start,
        )

    def _heredoc(self, node: Node) -> Iterator[Found]:
        body = next((child for child in node.children if child.type == "heredoc_body"), None)
        delimiter = next((child for child in node.children if child.type == "heredoc_start"), None)
        owner = node.parent
        if body is None or delimiter is None or owner is None:
            return
        text = self._heredoc_text(body, self.text.source(delimiter))
        command = next((child for child in owner.children if child.type == "command"), None)
        words = self._words(command) if command is not None else []
        if _runs_stdin(words):
            yield from find(text, replace(self.context, home=Home(HomeSource.SHELL)))
            return
        # What follows the mark on its line stands below it in the tree.
        target = self._target([*owner.children, *node.children], words)
        if target is not None:
            yield Embedded(target, text)

    def _heredoc_text(self, body: Node, delimiter: str) -> Text:
        start, end = body.start_byte, body.end_byte
        builder = TextBuilder(self.text)
        if any(quote in delimiter for quote in "'\"\\"):
            builder.copy(start, end)
            return builder.build(end)
        position = start
        expansions = [child for child in body.children if child.type in _EXPANSIONS]
        for child in expansions:
            _copy_unescaped(builder, position, child.start_byte)
            piece = word_of(child, self.text).pieces[0]
            builder.hole(child.start_byte, child.end_byte, piece)
            position = child.end_byte
        _copy_unescaped(builder, position, end)
        return builder.build(end, _encode_heredoc, _decode_heredoc)

    def _target(self, redirects: list[Node], words: list[Word]) -> str | None:
        """Return the file that a heredoc is written to, or None."""
        name = program_name(words[0]) if words else ""
        if name == "sudo" and len(words) > 1:
            words = words[1:]
            name = program_name(words[0])
        if name == "tee":
            files = [word.literal for word in words[1:] if word.literal]
            return next((file for file in files if not file.startswith("-")), None)
        if name != "cat":
            return None
        for child in redirects:
            if child.type == "file_redirect":
                destination = child.child_by_field_name("destination")
                if destination is not None:
                    return word_of(destination, self.text).literal
        return None


def _runs_stdin(words: list[Word]) -> bool:
    names = [program_name(word) for word in words]
    while names and names[0] in {"sudo", "exec", "env"}:
        names = names[1:]
        while names and names[0].startswith("-"):
            names = names[2:] if names[0] in {"-u", "-g"} else names[1:]
    if not names:
        return False
    if names[0] == "ssh":
        return len(names) == 2 or names[-1] in SHELLS or names[-2] in SHELLS
    return names[0] in SHELLS and "-c" not in names


def _copy_unescaped(builder: TextBuilder, start: int, end: int) -> None:
    position = start
    for found in _HEREDOC_ESCAPE.finditer(builder.outer.data, start, end):
        builder.copy(position, found.start())
        builder.put(b"" if found[1][-1:] == b"\n" else found[1], found.start(), found.end())
        position = found.end()
    builder.copy(position, end)


def _encode_heredoc(data: bytes) -> bytes:
    return re.sub(rb"[$`\\]", lambda found: b"\\" + found[0], data)


def _decode_heredoc(data: bytes) -> bytes:
    return _HEREDOC_ESCAPE.sub(lambda found: found[1], data)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


class _Assigned:
    """What a script assigns to its variables, anywhere."""

    def __init__(self) -> None:
        self.literal: list[tuple[str, str]] = []
        self.computed: list[tuple[str, str]] = []


def _commands_set_in(root: Node, text: Text) -> _Assigned:
    """Collect the assignments whose value mentions an old program."""
    assigned = _Assigned()
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type == "variable_assignment":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name is not None and value is not None:
                source = text.source(value)
                if mentions_program(source):
                    literal = word_of(value, text).literal
                    pair = (text.source(name), source if literal is None else literal)
                    (assigned.computed if literal is None else assigned.literal).append(pair)
        stack.extend(node.children)
    return assigned
