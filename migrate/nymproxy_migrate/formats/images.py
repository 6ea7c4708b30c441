"""Containers that run an image: where the program comes from, and whose HOME it has."""

from __future__ import annotations

from nymproxy_migrate import names
from nymproxy_migrate.model import BinarySource, Span
from nymproxy_migrate.words import Piece, PieceKind, Word


def source_of(image: str | None, *, built: bool) -> BinarySource:
    """Return where a container's program comes from; our own image has ours on its PATH."""
    name = (image or "").partition("@")[0].rpartition("/")[2].partition(":")[0]
    if "nymproxy" in name:
        return BinarySource.OWN_IMAGE
    return BinarySource.BUILD if built else BinarySource.IMAGE


def program_of(image: str, span: Span) -> Word | None:
    """Return the old program that an image is named after, as a word at the image's place."""
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    role = names.mentioned_role(name) if names.is_ours(name) else None
    if role is None:
        return None
    return Word((Piece(PieceKind.LITERAL, f"nym-proxy-{role}"),), span)


def starts_with_flags(words: list[Word]) -> bool:
    """Tell whether the words are only arguments: the image brings the program."""
    return bool(words) and words[0].leading_literal.startswith("-")


def around(words: list[Word]) -> Span:
    """Return the span of words that need not stand in order."""
    return Span(min(word.span.start for word in words), max(word.span.end for word in words))
