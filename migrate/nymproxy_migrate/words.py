"""Commands as words with exact byte spans: what formats produce and the judge reads.

A format (shell, unit file, YAML list, JSON array, Python list...) turns the place where a
command stands into a :class:`Command`. Its :class:`Quoting` knows how to write a word back in the
same place, in the same style.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from nymproxy_migrate.model import CommandContext, Span


class PieceKind(enum.Enum):
    """What a piece of a word is."""

    LITERAL = "literal"
    VARIABLE = "variable"
    """``$NAME`` or ``${NAME}``, expanded when the command runs."""
    OPAQUE = "opaque"
    """A command substitution, a template expression, an f-string field: nobody knows."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a word: its value after quote removal, or the variable's name, or the source."""

    kind: PieceKind
    text: str


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command.

    Attributes:
        pieces: what it is made of, in order.
        span: its bytes in the file, quotes included.
    """

    pieces: tuple[Piece, ...]
    span: Span

    @property
    def literal(self) -> str | None:
        """The value, when it is fully literal."""
        if all(piece.kind is PieceKind.LITERAL for piece in self.pieces):
            return "".join(piece.text for piece in self.pieces)
        return None

    @property
    def leading_literal(self) -> str:
        """The literal text before the first piece that is not."""
        text = ""
        for piece in self.pieces:
            if piece.kind is not PieceKind.LITERAL:
                break
            text += piece.text
        return text


def literal(text: str) -> tuple[Piece, ...]:
    """Return a text as the pieces of a word."""
    return (Piece(PieceKind.LITERAL, text),)


class Quoting(Protocol):
    """Writes words the way their format wants them."""

    def word(self, pieces: tuple[Piece, ...], like: bytes) -> bytes:
        """Return the bytes of a word, quoted in the style of the bytes that it replaces.

        Raises:
            ValueError: the format cannot hold such a word.
        """
        ...

    def separator(self) -> bytes:
        """Return what stands between two words: a space, or the separator of a list."""
        ...


@dataclass(frozen=True, slots=True)
class Command:
    """A command in command position.

    Attributes:
        words: the program and its arguments, without prefixes such as ``exec`` or ``sudo``.
        span: from the first to the last word.
        context: how it runs.
        quoting: how words are written here.
    """

    words: tuple[Word, ...]
    span: Span
    context: CommandContext
    quoting: Quoting
