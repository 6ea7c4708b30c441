"""Commands that are lists of strings: YAML and JSON lists, the exec form of a Containerfile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate.words import Piece, PieceKind, Word

if TYPE_CHECKING:
    from nymproxy_migrate.formats.text import Text
    from nymproxy_migrate.model import Span

Write = Callable[[bytes, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Item:
    """One string of a list: its value, and where its source stands."""

    text: Text
    span: Span
    raw: bytes


def word_of(item: Item) -> Word:
    """Return an item as a word."""
    pieces = item.text.pieces(0, len(item.text.data))
    return Word(tuple(pieces) or (Piece(PieceKind.LITERAL, ""),), item.span)


class ListQuoting:
    """Writes items of a list.

    Args:
        items: the items, all of which use the same notation.
        write: writes a value in the style of some raw source.
        separator: what stands between two items.
        brackets: what stands in front of, between and behind items that are shown in one line;
            None where the source itself can be.
    """

    def __init__(
        self,
        items: list[Item],
        write: Write,
        separator: bytes,
        brackets: tuple[str, str, str] | None = ("[", ", ", "]"),
    ) -> None:
        self._items = {item.span.start: item for item in items}
        self._style = items[0].raw if items else b""
        self._write = write
        self._separator = separator
        self.brackets = brackets

    def word(self, pieces: tuple[Piece, ...], like: bytes) -> bytes:
        """Return an item in the style of the one that it replaces."""
        return self._write(_literal(pieces), like or self._style)

    def separator(self) -> bytes:
        """Return what stands between two items."""
        return self._separator

    def text_of(self, word: Word) -> Text | None:
        """Return an item's value as a text."""
        item = self._items.get(word.span.start)
        return None if item is None else item.text


class FixedQuoting:
    """The place of a command whose words cannot be written: they come from several places."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def word(self, pieces: tuple[Piece, ...], like: bytes) -> bytes:
        """Refuse."""
        raise ValueError(self._reason)

    def separator(self) -> bytes:
        """Return a space; nothing is written with it."""
        return b" "

    def text_of(self, word: Word) -> Text | None:
        """Return None: nothing is rewritten here."""
        return None


def _literal(pieces: tuple[Piece, ...]) -> bytes:
    if any(piece.kind is not PieceKind.LITERAL for piece in pieces):
        raise ValueError("nothing expands variables here")
    return "".join(piece.text for piece in pieces).encode("utf-8", "surrogateescape")
