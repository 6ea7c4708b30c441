"""Services of a compose file: ``entrypoint``, ``command`` and ``healthcheck``, strings or lists."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import expansions, images, shell
from nymproxy_migrate.formats.commands import commands_of
from nymproxy_migrate.formats.lists import FixedQuoting
from nymproxy_migrate.formats.yaml_nodes import Document, get, text_value
from nymproxy_migrate.formats.yaml_words import list_words, split_words, without_user
from nymproxy_migrate.model import CommandContext, Home, HomeSource
from nymproxy_migrate.words import Command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found, WordReader
    from nymproxy_migrate.formats.yaml_nodes import YamlNode as Node
    from nymproxy_migrate.words import Word


def find(document: Document, service: Node) -> Iterator[Found]:
    """Yield the command of a service, and that of its health check."""
    context = _context(service)
    yield from _command(document, service, context)
    healthcheck = get(service, "healthcheck")
    if healthcheck is not None and healthcheck.id == "mapping":
        test = get(healthcheck, "test")
        if test is not None:
            yield from _test(document, test, context)


def _test(document: Document, test: Node, context: CommandContext) -> Iterator[Found]:
    in_shell = replace(context, home=Home(HomeSource.SHELL))
    if test.id == "scalar":
        yield from shell.find(expansions.compose(document.scalar(test)), in_shell)
        return
    if test.id != "sequence" or len(test.value) < 2:
        return
    how, *rest = test.value
    if text_value(how) == "CMD":
        words, quoting = list_words(document, [test], expansions.compose)
        yield from commands_of(words[1:], context, quoting)
    elif text_value(how) == "CMD-SHELL" and rest[0].id == "scalar":
        text = document.scalar(rest[0], flow=bool(test.flow_style))
        yield from shell.find(expansions.compose(text), in_shell)


def _command(document: Document, service: Node, context: CommandContext) -> Iterator[Found]:
    parts = [
        node
        for node in (get(service, "entrypoint"), get(service, "command"))
        if node is not None and (node.id == "sequence" or text_value(node)) and node.value
    ]
    if not parts:
        return
    words, quoting = _words(document, parts)
    image = get(service, "image")
    if image is not None and images.starts_with_flags(words):
        span = document.text.span(image.start_mark.index, image.end_mark.index)
        program = images.program_of(str(image.value), span)
        if program is not None:
            words = [program, *words]
            refusing = FixedQuoting("the image brings the program")
            yield Command(tuple(words), images.around(words), context, refusing)
        return
    yield from commands_of(words, context, quoting)


def _words(document: Document, parts: list[Node]) -> tuple[list[Word], WordReader]:
    if all(part.id == "sequence" for part in parts):
        return list_words(document, parts, expansions.compose)
    words: list[Word] = []
    for part in parts:
        found, quoting = (
            list_words(document, [part], expansions.compose)
            if part.id == "sequence"
            else split_words(document, part, expansions.compose)
        )
        words += found
    if len(parts) == 1:
        return words, quoting
    return words, FixedQuoting("the program and its arguments stand in two places")


def _context(service: Node) -> CommandContext:
    built = get(service, "build") is not None
    binary = images.source_of(text_value(get(service, "image")), built=built)
    context = CommandContext("compose service", binary=binary)
    home = _environment(get(service, "environment")).get("HOME")
    if home is not None and "$" not in home:
        return replace(context, home=Home(HomeSource.LITERAL, home))
    return without_user(context, text_value(get(service, "user")))


def _environment(node: Node | None) -> dict[str, str]:
    if node is None or node.id == "scalar":
        return {}
    if node.id == "mapping":
        return {key.value: str(value.value) for key, value in node.value if value.id == "scalar"}
    pairs = [str(item.value).partition("=") for item in node.value if item.id == "scalar"]
    return {name: value for name, equals, value in pairs if equals}
