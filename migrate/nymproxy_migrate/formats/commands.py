"""From words to commands: what every format does once it has found the words of a place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from nymproxy_migrate.formats import prefixes
from nymproxy_migrate.formats.lists import FixedQuoting
from nymproxy_migrate.model import (
    BinarySource,
    CommandContext,
    Home,
    HomeSource,
    Span,
    Unparsable,
)
from nymproxy_migrate.words import Command, Quoting, Word, literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nymproxy_migrate.formats.text import Text


@dataclass(frozen=True, slots=True)
class Embedded:
    """A text that is, or becomes, a file of its own: whoever reads the outer one goes on in it.

    Attributes:
        path: what the file is called, which decides its format.
        text: its content.
        context: how it runs, when it is shell text that is run here and not written anywhere.
        binary: where the programs come from where the file is.
    """

    path: str
    text: Text
    context: CommandContext | None = None
    binary: BinarySource = BinarySource.PATH


Found = Command | Unparsable | Embedded
"""What a format yields: a command, a place that does not parse, or a text to go on with."""

SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh", "su", "runuser"})
_CONTAINER_TOOLS = frozenset({"docker", "podman"})
_OTHER_HOMES = frozenset({"ssh", "su", "runuser"})
"""What these start has the HOME of another user or machine."""
_SHELL_OPTIONS_WITH_VALUE = frozenset({"-O", "+O", "-o", "+o", "--rcfile", "--init-file"})
_REMOTE_OPTIONS_WITH_VALUE = frozenset("BbcDEeFIiJLlmOopQRSWw")


class WordReader(Quoting, Protocol):
    """A quoting that can also read a word as a text of its own, for nested shells."""

    def text_of(self, word: Word) -> Text | None:
        """Return what the word hands to its program, or None if that is not known here."""
        ...


def commands_of(
    words: Sequence[Word], context: CommandContext, quoting: WordReader
) -> Iterator[Found]:
    """Yield the command that some words are, or those in the shell text that they hold."""
    if started := _entrypoint(words):
        refusing = FixedQuoting("the program stands before the image")
        span = Span(words[0].span.start, words[-1].span.end)
        yield Command(started, span, replace(context, binary=BinarySource.IMAGE), refusing)
        return
    stripped = prefixes.strip(words, context)
    rest, context = words[stripped.count :], stripped.context
    if not rest:
        return
    name = program_name(rest[0])
    if name == "ssh" and (remote := _remote(rest)):
        yield from commands_of(remote, replace(context, home=Home(HomeSource.SHELL)), quoting)
        return
    scripts = _scripts(name, rest, quoting)
    if scripts is not None:
        if name in _OTHER_HOMES:
            context = replace(context, home=Home(HomeSource.SHELL))
        yield from _nested(scripts, context, quoting)
        return
    yield Command(tuple(rest), Span(rest[0].span.start, rest[-1].span.end), context, quoting)


def _remote(words: Sequence[Word]) -> Sequence[Word]:
    """Return the command that ssh is given in words of its own."""
    position = prefixes.skip_options(words, 1, _REMOTE_OPTIONS_WITH_VALUE, frozenset())
    command = words[position + 1 :]
    return command if len(command) > 1 else ()


def _entrypoint(words: Sequence[Word]) -> tuple[Word, ...]:
    """Return the command of a container whose program is given as an option."""
    if not any(program_name(word) in _CONTAINER_TOOLS for word in words):
        return ()
    for position, word in enumerate(words):
        lead = word.leading_literal
        if lead == "--entrypoint" and position + 1 < len(words):
            program, rest = words[position + 1], words[position + 2 :]
        elif lead.startswith("--entrypoint="):
            text = (word.literal or "").partition("=")[2]
            program, rest = Word(literal(text), word.span), words[position + 1 :]
        else:
            continue
        return (program, *rest[prefixes.container_image(rest) + 1 :])
    return ()


def program_name(word: Word) -> str:
    """Return the last part of a program's path, as far as it is literal."""
    literal = word.literal
    return "" if literal is None else literal.rpartition("/")[2]


def _scripts(name: str, words: Sequence[Word], quoting: WordReader) -> list[Word] | None:
    """Return the words that are shell text: ``bash -c TEXT``, ``ssh HOST TEXT``, ``trap TEXT``."""
    if name in SHELLS:
        return _after_dash_c(words)
    if name == "ssh":
        position = prefixes.skip_options(words, 1, _REMOTE_OPTIONS_WITH_VALUE, frozenset())
        script = list(words[position + 1 :])
        return script if len(script) == 1 else None
    if name == "trap":
        return list(words[1:2])
    if name == "alias":
        return [word for word in words[1:] if "=" in word.leading_literal]
    return None


def _after_dash_c(words: Sequence[Word]) -> list[Word] | None:
    position = 1
    while position < len(words):
        option = words[position].literal
        if option is None:
            return None
        if option in {"-c", "--command"} or (
            option.startswith("-") and not option.startswith("--") and option.endswith("c")
        ):
            return list(words[position + 1 : position + 2])
        if option in _SHELL_OPTIONS_WITH_VALUE:
            position += 1
        elif not option.startswith(("-", "+")) and program_name(words[0]) not in {"su", "runuser"}:
            return None
        position += 1
    return None


def _nested(scripts: list[Word], context: CommandContext, quoting: WordReader) -> Iterator[Found]:
    for word in scripts:
        text = quoting.text_of(word)
        if text is not None:
            yield Embedded(".sh", text, context)
