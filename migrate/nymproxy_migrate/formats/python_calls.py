"""Commands in Python: what ``subprocess``, ``os``, ``asyncio`` and others are told to run."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

import libcst as cst

from nymproxy_migrate.formats import keyed, shell
from nymproxy_migrate.formats.commands import commands_of
from nymproxy_migrate.formats.images import around
from nymproxy_migrate.formats.lists import FixedQuoting, ListQuoting, word_of
from nymproxy_migrate.formats.python_source import PythonFile, parse, write_string
from nymproxy_migrate.model import CommandContext, Home, HomeSource
from nymproxy_migrate.names import PYTHON_CALL, mentions_program
from nymproxy_migrate.words import Command, Piece, PieceKind, Word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.lists import Item
    from nymproxy_migrate.formats.python_source import Call, Scope
    from nymproxy_migrate.formats.text import Text


class _Way(enum.Enum):
    """How a function takes its command."""

    SEQUENCE = enum.auto()
    """A list, or with ``shell=True`` a text."""
    SEQUENCE_OR_SHELL = enum.auto()
    """A list, or a text for a shell."""
    SHELL = enum.auto()
    ARGUMENTS = enum.auto()
    """The words are the call's arguments."""
    PROGRAM_AND_LIST = enum.auto()
    """The program, then its argv with the program's name once more."""
    PROGRAM_AND_ARGUMENTS = enum.auto()
    TEXT = enum.auto()
    """A text that the function splits by rules of its own."""


_FUNCTIONS = {
    **{
        f"subprocess.{name}": _Way.SEQUENCE
        for name in ("run", "Popen", "call", "check_call", "check_output")
    },
    "subprocess.getoutput": _Way.SHELL,
    "subprocess.getstatusoutput": _Way.SHELL,
    "os.system": _Way.SHELL,
    "os.popen": _Way.SHELL,
    **{f"os.exec{name}": _Way.PROGRAM_AND_LIST for name in ("v", "ve", "vp", "vpe")},
    **{f"os.spawn{name}": _Way.PROGRAM_AND_LIST for name in ("v", "ve", "vp", "vpe")},
    **{f"os.exec{name}": _Way.PROGRAM_AND_ARGUMENTS for name in ("l", "le", "lp", "lpe")},
    **{f"os.spawn{name}": _Way.PROGRAM_AND_ARGUMENTS for name in ("l", "le", "lp", "lpe")},
    "os.posix_spawn": _Way.PROGRAM_AND_LIST,
    "os.posix_spawnp": _Way.PROGRAM_AND_LIST,
    "pty.spawn": _Way.SEQUENCE,
    "asyncio.create_subprocess_exec": _Way.ARGUMENTS,
    "asyncio.create_subprocess_shell": _Way.SHELL,
    "asyncio.subprocess.create_subprocess_exec": _Way.ARGUMENTS,
    "asyncio.subprocess.create_subprocess_shell": _Way.SHELL,
    "anyio.run_process": _Way.SEQUENCE_OR_SHELL,
    "anyio.open_process": _Way.SEQUENCE_OR_SHELL,
    "trio.run_process": _Way.SEQUENCE,
    "trio.lowlevel.open_process": _Way.SEQUENCE,
    "pexpect.spawn": _Way.TEXT,
    "pexpect.run": _Way.TEXT,
}
_KEYWORDS = frozenset({"args", "command", "cmd", "argv"})
_STARTS_PROCESSES = re.compile(
    rb"\b(?:subprocess|os|pty|asyncio|anyio|trio|pexpect)\b|(?:nym[-_]proxy|proxy)[-_](?:client|server)"
)
"""What a file must have to be parsed; parsing Python takes long."""

_PLAIN_TEXT = re.compile(rb"[^'\"\\$`;&|<>()*?~#\n]*")


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of a Python file.

    Raises:
        Unparsable: it is not Python 3.
    """
    if not _STARTS_PROCESSES.search(text.data):
        return
    reader = _Reader(parse(text))
    for call in reader.file.calls:
        way = _FUNCTIONS.get(reader.file.names.dotted(call.scope, call.node.func))
        if way is not None:
            yield from reader.call(call, way)
    yield from reader.loose_lists()


class _Reader:
    """Reads the calls of one file."""

    def __init__(self, file: PythonFile) -> None:
        self.file = file
        self._seen: set[cst.CSTNode] = set()
        self._told: list[tuple[int, int]] = []
        self._known = tuple(_mentions_in(file))

    def call(self, call: Call, way: _Way) -> Iterator[Found]:
        """Yield the commands that a call runs."""
        keywords = {arg.keyword.value: arg.value for arg in call.node.args if arg.keyword}
        positional = [arg for arg in call.node.args if arg.keyword is None]
        context = self._context(keywords.get("env"), call.scope)
        if way is _Way.ARGUMENTS:
            yield from self._sequence(positional, call.scope, context)
        elif way in {_Way.PROGRAM_AND_LIST, _Way.PROGRAM_AND_ARGUMENTS}:
            yield from self._program_twice(call, positional, way, context)
        elif not (positional and positional[0].star):
            yield from self._first(call.scope, positional, keywords, way, context)

    def _first(
        self,
        scope: Scope,
        positional: list[cst.Arg],
        keywords: dict[str, cst.BaseExpression],
        way: _Way,
        context: CommandContext,
    ) -> Iterator[Found]:
        """Yield the commands of a call whose first argument holds them."""
        value = positional[0].value if positional else None
        if value is None:
            value = next((keywords[key] for key in keywords if key in _KEYWORDS), None)
        if value is None:
            return
        shell_flag = keywords.get("shell")
        by_shell = way is _Way.SHELL or (
            isinstance(shell_flag, cst.Name) and shell_flag.value == "True"
        )
        if "executable" in keywords:
            program = keywords["executable"]
            told = mentions_program(self.file.source(program))
            yield from self._unreadable(program if told else value, scope, context)
        elif by_shell:
            yield from self._shell(value, scope, context)
        elif way is _Way.TEXT:
            yield from self._unreadable(value, scope, context)
        else:
            yield from self._exec(value, scope, context, way)

    def loose_lists(self) -> Iterator[Found]:
        """Yield lists that look like a command, and that no known call takes."""
        for node, scope in self.file.lists:
            start, end = self.file.inner(node)
            told = any(first <= start and end <= last for first, last in self._told)
            if told or node in self._seen or len(node.elements) < 2:
                continue
            program = self.file.string(node.elements[0].value)
            if program is None or not mentions_program(
                program.text.data.decode("utf-8", "replace")
            ):
                continue
            words = self._words(node.elements, scope)[0]
            if any(word.leading_literal.startswith("-") for word in words[1:]):
                quoting = FixedQuoting("what runs this list is not known here")
                yield from commands_of(words, CommandContext(PYTHON_CALL), quoting)

    def _exec(
        self, value: cst.BaseExpression, scope: Scope, context: CommandContext, way: _Way
    ) -> Iterator[Found]:
        resolved = self._resolved(value, scope)
        if isinstance(resolved, cst.List | cst.Tuple):
            self._seen.add(resolved)
            yield from self._sequence(resolved.elements, scope, context)
            return
        split = self._split_text(resolved, scope)
        if split is not None:
            yield from shell.find(split.text, context)
            return
        item = self.file.string(resolved)
        if item is None:
            yield from self._unreadable(value, scope, context)
        elif way is _Way.SEQUENCE_OR_SHELL:
            yield from shell.find(item.text, _for_shell(context))
        elif b" " in item.text.data.strip():
            yield from self._unreadable(resolved, scope, context)
        else:
            quoting = FixedQuoting("a text has no room for arguments: make it a list")
            yield from commands_of([word_of(item)], context, quoting)

    def _shell(
        self, value: cst.BaseExpression, scope: Scope, context: CommandContext
    ) -> Iterator[Found]:
        resolved = self._resolved(value, scope)
        if isinstance(resolved, cst.List | cst.Tuple) and resolved.elements:
            self._seen.add(resolved)
            resolved = resolved.elements[0].value
        item = self.file.string(resolved)
        if item is None:
            yield from self._unreadable(value, scope, context)
        else:
            yield from shell.find(item.text, _for_shell(context))

    def _sequence(
        self,
        elements: Sequence[cst.BaseElement | cst.Arg],
        scope: Scope,
        context: CommandContext,
    ) -> Iterator[Found]:
        if not elements:
            return
        words, items = self._words(elements, scope)
        if not items or any(element.value.lpar for element in elements):
            quoting: FixedQuoting | ListQuoting = FixedQuoting("it is no plain list of strings")
        else:
            is_list = not isinstance(elements[0], cst.Arg)
            quoting = ListQuoting(
                items,
                write_string,
                self._separator(elements),
                ("[", ", ", "]") if is_list else ("", ", ", ""),
            )
        yield from commands_of(words, context, quoting)

    def _program_twice(
        self, call: Call, positional: list[cst.Arg], way: _Way, context: CommandContext
    ) -> Iterator[Found]:
        if "spawn" in self.file.names.dotted(call.scope, call.node.func) and positional:
            spawns = not self.file.names.dotted(call.scope, call.node.func).startswith("os.posix")
            positional = positional[1:] if spawns else positional
        if len(positional) < 2:
            return
        if way is _Way.PROGRAM_AND_ARGUMENTS:
            rest: Sequence[cst.BaseElement | cst.Arg] = positional[2:]
        else:
            argv = self._resolved(positional[1].value, call.scope)
            if not isinstance(argv, cst.List | cst.Tuple):
                yield from self._unreadable(positional[0].value, call.scope, context)
                return
            self._seen.add(argv)
            rest = argv.elements[1:]
        words = [*self._words([positional[0]], call.scope)[0], *self._words(rest, call.scope)[0]]
        quoting = FixedQuoting("the program's name stands in two places")
        yield Command(tuple(words), around(words), context, quoting)

    def _words(
        self, elements: Sequence[cst.BaseElement | cst.Arg], scope: Scope
    ) -> tuple[list[Word], list[Item]]:
        words, items = [], []
        for element in elements:
            item = self.file.string(element.value)
            if item is not None and not _is_starred(element):
                items.append(item)
                words.append(word_of(item))
            else:
                words.append(self._other_word(element))
        return words, items

    def _other_word(self, element: cst.BaseElement | cst.Arg) -> Word:
        value = element.value
        span = self.file.span(value)
        if _is_starred(element):
            return Word((Piece(PieceKind.OPAQUE, "*" + self.file.source(value)),), span)
        if isinstance(value, cst.FormattedString):
            return Word(tuple(self._formatted(value)), span)
        if isinstance(value, cst.Name):
            return Word((Piece(PieceKind.VARIABLE, value.value),), span)
        known = {name for name, _ in self._known}
        if isinstance(value, cst.Attribute) and value.attr.value in known:
            # An attribute of this name holds the program, whoever's attribute it is.
            return Word((Piece(PieceKind.VARIABLE, value.attr.value),), span)
        return Word((Piece(PieceKind.OPAQUE, self.file.source(value)),), span)

    def _formatted(self, node: cst.FormattedString) -> Iterator[Piece]:
        for part in node.parts:
            if isinstance(part, cst.FormattedStringText) and "\\" not in part.value:
                text = self.file.source(part).replace("{{", "{").replace("}}", "}")
                yield Piece(PieceKind.LITERAL, text)
            else:
                yield Piece(PieceKind.OPAQUE, self.file.source(part))

    def _separator(self, elements: Sequence[cst.BaseElement | cst.Arg]) -> bytes:
        if len(elements) < 2:
            return b", "
        end = self.file.inner(elements[0].value)[1]
        start = self.file.inner(elements[1].value)[0]
        return keyed.separator_between(self.file.text.data, end, start, b", ")

    def _split_text(self, node: cst.BaseExpression, scope: Scope) -> Item | None:
        """Return the text of ``shlex.split(TEXT)`` or ``TEXT.split()``, when it is plain words."""
        if not isinstance(node, cst.Call):
            return None
        if self.file.names.dotted(scope, node.func) == "shlex.split" and len(node.args) == 1:
            text = node.args[0].value
        elif (
            isinstance(node.func, cst.Attribute)
            and node.func.attr.value == "split"
            and not node.args
        ):
            text = node.func.value
        else:
            return None
        item = self.file.string(self._resolved(text, scope))
        if item is None or not _PLAIN_TEXT.fullmatch(item.text.data):
            return None
        return item

    def _unreadable(
        self, value: cst.BaseExpression, scope: Scope, context: CommandContext
    ) -> Iterator[Found]:
        """Yield a command of which only the source is known, if that names an old program."""
        shown = self.file.source(value)
        self._told.append(self.file.inner(value))
        if isinstance(value, cst.Name):
            bound = self.file.names.values.get((scope, value.value)) or self.file.names.values.get(
                ((), value.value), []
            )
            self._told += map(self.file.inner, bound)
            shown = next(
                (source for source in map(self.file.source, bound) if mentions_program(source)),
                shown,
            )
        for name, text in self._known:
            if re.search(rf"\b{re.escape(name)}\b", shown):
                shown += f" ({name} is {text})"
                break
        word = Word((Piece(PieceKind.OPAQUE, " ".join(shown.split())),), self.file.span(value))
        yield Command((word,), word.span, context, FixedQuoting("it is not readable"))

    def _resolved(self, value: cst.BaseExpression, scope: Scope) -> cst.BaseExpression:
        if isinstance(value, cst.Name):
            return self.file.names.value(scope, value.value) or value
        return value

    def _context(self, env: cst.BaseExpression | None, scope: Scope) -> CommandContext:
        home = Home(HomeSource.UNKNOWN)
        resolved = None if env is None else self._resolved(env, scope)
        if isinstance(resolved, cst.Dict):
            for element in resolved.elements:
                if not isinstance(element, cst.DictElement):
                    home = Home(HomeSource.UNKNOWN)  # what is merged in may have another one
                    continue
                key, value = self.file.string(element.key), self.file.string(element.value)
                if key is not None and key.text.data == b"HOME" and value is not None:
                    text = value.text.data.decode("utf-8", "surrogateescape")
                    home = Home(HomeSource.LITERAL, text)
        return CommandContext(PYTHON_CALL, home, environment=self._known)


def _for_shell(context: CommandContext) -> CommandContext:
    return CommandContext(context.format_name, Home(HomeSource.SHELL))


def _is_starred(element: cst.BaseElement | cst.Arg) -> bool:
    return isinstance(element, cst.StarredElement) or bool(getattr(element, "star", ""))


def _mentions_in(file: PythonFile) -> Iterator[tuple[str, str]]:
    """Yield the names whose values name an old program."""
    for (_, name), values in file.names.values.items():
        for value in values:
            item = file.string(value)
            text = "" if item is None else item.text.data.decode("utf-8", "replace")
            if mentions_program(text):
                yield name, text
