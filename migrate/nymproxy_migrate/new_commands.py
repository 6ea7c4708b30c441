"""Commands that are already ``nymproxy client`` or ``nymproxy server``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate.judged import Role

if TYPE_CHECKING:
    from nymproxy_migrate.words import Command, Word


@dataclass(frozen=True, slots=True)
class NewInvocation:
    """A new command, as far as finishing a migration needs it.

    Attributes:
        role: client or server.
        address: the word that holds a client's server address.
        address_at: offset of the address in the literal text of its word.
        wire: the word that holds the value of ``--wire``, when it is a word of its own.
        has_wire: there is a ``--wire`` in one form or another.
        config_dir: what a server's ``--config-dir`` says, when it is literal.
        has_unknown_dir: it says something that is not literal.
        is_compat: HOME stands in front of the directory.
        may_be_new: the server may begin with new keys where old ones are expected.
    """

    role: Role
    address: Word | None = None
    address_at: int = 0
    wire: Word | None = None
    has_wire: bool = False
    config_dir: str | None = None
    has_unknown_dir: bool = False
    is_compat: bool = False
    may_be_new: bool = False


def read(command: Command) -> NewInvocation | None:
    """Read a new command; None when it is something else."""
    words = command.words
    if len(words) < 2 or (words[0].literal or "").rpartition("/")[2] != "nymproxy":
        return None
    if words[1].literal not in {"client", "server"}:
        return None
    role = Role(words[1].literal)
    address, at, wire = None, 0, None
    for word, following in zip(words[2:], (*words[3:], None), strict=False):
        lead = word.leading_literal
        if word.literal in {"-s", "--server-address"}:
            address, at = following, 0
        elif lead.startswith("--server-address="):
            address, at = word, len("--server-address=")
        elif lead.startswith("-s"):
            address, at = word, 2
        elif word.literal == "--wire":
            wire = following
    given, is_unknown = _config_dir(words)
    flags = {word.literal for word in words}
    return NewInvocation(
        role,
        address,
        at,
        wire,
        any(word.leading_literal.partition("=")[0] == "--wire" for word in words),
        given,
        is_unknown,
        "--compat-config-dir" in flags,
        "--new-identity" in flags,
    )


def _config_dir(words: tuple[Word, ...]) -> tuple[str | None, bool]:
    """Return the directory that is given, and whether it is one that cannot be read here."""
    for word, following in zip(words[2:], (*words[3:], None), strict=False):
        lead = word.leading_literal
        if word.literal in {"-c", "--config-dir"} and following is not None:
            return following.literal, following.literal is None
        if lead.startswith("--config-dir="):
            literal = word.literal
            return None if literal is None else literal.partition("=")[2], literal is None
    return None, False
