"""Containerfiles: ``CMD``, ``ENTRYPOINT``, ``HEALTHCHECK`` and ``RUN``, in exec and shell form."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import containerfile_heredocs, images, keyed, shell, syntax
from nymproxy_migrate.formats.commands import commands_of
from nymproxy_migrate.formats.lists import FixedQuoting, Item, ListQuoting, word_of
from nymproxy_migrate.formats.text import Text, TextBuilder
from nymproxy_migrate.model import BinarySource, CommandContext, Home, HomeSource
from nymproxy_migrate.names import mentions_program
from nymproxy_migrate.words import Command, Piece, PieceKind, Word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from nymproxy_migrate.formats.commands import Found

# Images whose user is known to be root.
_ROOT_IMAGES = frozenset(
    [
        "debian",
        "ubuntu",
        "alpine",
        "rust",
        "python",
        "node",
        "golang",
        "fedora",
        "centos",
        "rockylinux",
        "almalinux",
        "archlinux",
        "busybox",
        "scratch",
        "buildpack-deps",
        "amazonlinux",
        "debian-slim",
    ]
)
_INSTALLS_OURS = re.compile(r"(?:pipx?|uv)[^\n]*install[^\n]*\bnymproxy\b")


@dataclass(slots=True)
class _Stage:
    """What a stage has said so far."""

    name: str
    base: str
    user: str | None = None
    home: str | None = None
    brings_old: bool = False
    brings_ours: bool = False
    runs: list[Node] = field(default_factory=list)
    copies: list[Node] = field(default_factory=list)
    healthcheck: Node | None = None
    entrypoint: Node | None = None
    command: Node | None = None


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of every stage."""
    yield from syntax.errors(syntax.parse("containerfile", text), text, "Containerfile")
    for stage in _stages(text):
        yield from _commands(stage, text)


def _stages(text: Text) -> list[_Stage]:
    stages: list[_Stage] = []
    for node in syntax.parse("containerfile", text).named_children:
        if node.type == "from_instruction":
            stages.append(_stage(node, text, stages))
        elif stages:
            _follow(stages[-1], node, text)
    return stages


def _stage(node: Node, text: Text, stages: list[_Stage]) -> _Stage:
    words = text.source(node).split()
    words = [word for word in words[1:] if not word.startswith("--")]
    base = words[0] if words else ""
    name = words[2] if len(words) > 2 and words[1].lower() == "as" else ""
    parent = next((stage for stage in stages if stage.name and stage.name == base), None)
    if parent is None:
        return _Stage(name, base)
    return _Stage(
        name, parent.base, parent.user, parent.home, parent.brings_old, parent.brings_ours
    )


def _follow(stage: _Stage, node: Node, text: Text) -> None:
    source = text.source(node)
    match node.type:
        case "user_instruction":
            stage.user = source.split(None, 1)[-1].partition(":")[0].strip()
        case "env_instruction":
            found = re.search(r"\bHOME[= ]\"?([^\s\"$]+)", source)
            if found is not None:
                stage.home = found[1]
        case "run_instruction":
            stage.runs.append(node)
            stage.brings_ours |= _INSTALLS_OURS.search(source) is not None
            stage.brings_old |= mentions_program(source)
        case "copy_instruction" | "add_instruction":
            stage.brings_old |= not containerfile_heredocs.has(node) and mentions_program(source)
            stage.copies.append(node)
        case "healthcheck_instruction":
            commands = (child for child in node.children if child.type == "cmd_instruction")
            stage.healthcheck = next(commands, None)
        case "entrypoint_instruction":
            stage.entrypoint = node
        case "cmd_instruction":
            stage.command = node


def _commands(stage: _Stage, text: Text) -> Iterator[Found]:
    binary = _binary(stage)
    context = CommandContext("Containerfile", _home(stage), binary)
    for run in stage.runs:
        yield from _one(run, text, context)
    for copied in stage.copies:
        if containerfile_heredocs.has(copied):
            yield from containerfile_heredocs.files(copied, text, binary)
        else:
            yield _copy(copied, text, context)
    if stage.healthcheck is not None:
        yield from _one(stage.healthcheck, text, context)
    entrypoint = _array(stage.entrypoint)
    command = _array(stage.command)
    if entrypoint is not None and command is not None:
        # An entry point that is given a program starts it, when it is done.
        is_given = mentions_program(text.source(command).partition(",")[0])
        yield from _exec_form([command] if is_given else [entrypoint, command], text, context)
        return
    for node in (stage.entrypoint, stage.command):
        if node is not None:
            yield from _one(node, text, context)


def _binary(stage: _Stage) -> BinarySource:
    built = stage.brings_old or stage.name != "" or not _is_foreign(stage.base)
    return (
        BinarySource.OWN_IMAGE if stage.brings_ours else images.source_of(stage.base, built=built)
    )


def copied_files(text: Text) -> Iterator[tuple[str, BinarySource]]:
    """Yield the files and folders that the stages copy from the build context.

    Each with where the programs of its stage come from.
    """
    for stage in _stages(text):
        for copied in stage.copies:
            words = [word for word in text.source(copied).split()[1:] if not word.startswith("--")]
            is_ours = not any(word.startswith("--from") for word in text.source(copied).split())
            if is_ours and not containerfile_heredocs.has(copied):
                yield from ((path, _binary(stage)) for path in words[:-1])


def installs_old(text: Text) -> bool:
    """Tell whether a stage puts an old program into the image."""
    return any(stage.brings_old for stage in _stages(text))


def _copy(node: Node, text: Text, context: CommandContext) -> Command:
    """Return an instruction that copies as the command that it is."""
    start = node.start_byte
    words = []
    for found in re.finditer(rb"[^\s\\]+", text.data[start : node.end_byte]):
        place = text.span(start + found.start(), start + found.end())
        piece = Piece(PieceKind.LITERAL, found[0].decode("utf-8", "surrogateescape"))
        words.append(Word((piece,), place))
    quoting = FixedQuoting("it is an instruction of the builder")
    return Command(tuple(words), text.span(start, node.end_byte), context, quoting)


def _one(node: Node, text: Text, context: CommandContext) -> Iterator[Found]:
    array = _array(node)
    if array is not None:
        yield from _exec_form([array], text, context)
        return
    in_shell = CommandContext(context.format_name, Home(HomeSource.SHELL), context.binary)
    if containerfile_heredocs.has(node):
        yield from containerfile_heredocs.script(node, text, in_shell)
        return
    for child in node.named_children:
        if child.type == "shell_command":
            yield from shell.find(_shell_text(child, text), in_shell)


def _array(node: Node | None) -> Node | None:
    if node is None:
        return None
    return next((child for child in node.children if child.type == "json_string_array"), None)


def _exec_form(arrays: list[Node], text: Text, context: CommandContext) -> Iterator[Found]:
    nodes = [
        child for array in arrays for child in array.named_children if child.type == "json_string"
    ]
    if not nodes:
        return
    items = []
    for node in nodes:
        inner = keyed.DOUBLE_QUOTED.text(text, node.start_byte + 1, node.end_byte - 1)
        raw = text.data[node.start_byte : node.end_byte]
        items.append(Item(inner, text.span(node.start_byte, node.end_byte), raw))
    separator = b", "
    if len(nodes) > 1 and nodes[0].parent == nodes[1].parent:
        separator = keyed.separator_between(
            text.data, nodes[0].end_byte, nodes[1].start_byte, separator
        )
    quoting = ListQuoting(items, keyed.write_double_quoted, text.encode(separator))
    yield from commands_of([word_of(item) for item in items], context, quoting)


def _shell_text(node: Node, text: Text) -> Text:
    """Return shell form as a text; comment lines between continuations are not the shell's."""
    builder = TextBuilder(text)
    position = node.start_byte
    for child in node.children:
        if child.type == "comment":
            builder.copy(position, child.start_byte)
            position = child.end_byte
    builder.copy(position, node.end_byte)
    return builder.build(node.end_byte)


def _is_foreign(base: str) -> bool:
    return base.partition("@")[0].partition(":")[0] not in _ROOT_IMAGES


def _home(stage: _Stage) -> Home:
    if stage.home is not None:
        return Home(HomeSource.LITERAL, stage.home)
    if stage.user in {"root", "0"} or (stage.user is None and not _is_foreign(stage.base)):
        return Home(HomeSource.USER, "/root", "root")
    return Home(HomeSource.UNKNOWN, None, stage.user)
