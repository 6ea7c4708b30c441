"""Containers of a pod, and what looks like them (Nomad, Helm values): ``command`` and ``args``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import expansions, images
from nymproxy_migrate.formats.commands import commands_of
from nymproxy_migrate.formats.lists import FixedQuoting
from nymproxy_migrate.formats.yaml_nodes import Document, get, text_value
from nymproxy_migrate.formats.yaml_words import list_command, list_words, without_user
from nymproxy_migrate.model import BinarySource, CommandContext, Home, HomeSource, Unparsable
from nymproxy_migrate.words import Command, Piece, PieceKind, Word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.yaml_nodes import YamlNode as Node


_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")


def is_container(node: Node) -> bool:
    """Tell whether a mapping has a command as a list, or a program with a list of arguments."""
    command, arguments = get(node, "command", "entrypoint"), get(node, "args")
    if command is not None and command.id == "sequence":
        return True
    return arguments is not None and arguments.id == "sequence"


def find(document: Document, container: Node) -> Iterator[Found]:
    """Yield the command of a container."""
    command, arguments = get(container, "command", "entrypoint"), get(container, "args")
    context = _context(container)
    lists = [
        node
        for node in (command, arguments)
        if node is not None and node.id == "sequence" and node.value
    ]
    if not lists or any(child.id != "scalar" for node in lists for child in node.value):
        return
    words, quoting = list_words(document, lists, expansions.kubernetes)
    image = get(container, "image")
    program, reason = None, ""
    if command is not None and command.id == "scalar" and command.value:
        # A program as a string beside a list of arguments (Nomad, CI actions).
        reason = "the program and its arguments stand in two places"
        program = _scalar_word(document, command)
    elif image is not None and image.id == "scalar" and images.starts_with_flags(words):
        reason = "the image brings the program"
        span = document.text.span(image.start_mark.index, image.end_mark.index)
        program = images.program_of(str(image.value), span)
    if program is not None:
        words = [program, *words]
        yield Command(tuple(words), images.around(words), context, FixedQuoting(reason))
    elif not reason:
        yield from commands_of(words, context, quoting)


def hooks(document: Document, container: Node) -> Iterator[tuple[Node, Iterator[Found]]]:
    """Yield the probes and hooks of a container: the node that was read, and its command.

    They run the programs of the container's image, which their own mapping does not name.
    """
    context = _context(container)
    life = get(container, "lifecycle")
    for owner, keys in ((container, _PROBES), (life, _HOOKS)):
        for key in keys if owner is not None and owner.id == "mapping" else ():
            hook = get(owner, key)
            run = get(hook, "exec") if hook is not None and hook.id == "mapping" else None
            command = get(run, "command") if run is not None and run.id == "mapping" else None
            if command is not None and command.id == "sequence":
                yield run, list_command(document, [command], context, expansions.kubernetes)


def _scalar_word(document: Document, node: Node) -> Word:
    try:
        text = document.scalar(node)
        pieces = tuple(text.pieces(0, len(text.data)))
    except Unparsable:
        pieces = (Piece(PieceKind.OPAQUE, str(node.value)),)
    return Word(pieces, document.text.span(node.start_mark.index, node.end_mark.index))


def _context(container: Node) -> CommandContext:
    image = get(container, "image")
    binary = (
        BinarySource.PATH
        if image is None
        else images.source_of(text_value(image) or "", built=False)
    )
    context = CommandContext("container", binary=binary)
    variables = get(container, "env")
    if variables is not None and variables.id == "sequence":
        for item in variables.value:
            if item.id == "mapping" and text_value(get(item, "name")) == "HOME":
                home = text_value(get(item, "value"))
                if home and "$(" not in home:
                    return replace(context, home=Home(HomeSource.LITERAL, home))
    security = get(container, "securityContext")
    user = None
    if security is not None and security.id == "mapping":
        user = text_value(get(security, "runAsUser"))
    return without_user(context, user)
