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
        config_dir: the directory of a server, when it stands there as it is.
    """

    role: Role
    address: Word | None = None
    address_at: int = 0
    wire: Word | None = None
    config_dir: str | None = None


def read(command: Command) -> NewInvocation | None:
    """Read a new command; None when it is something else."""
    words = command.words
    if len(words) < 2 or (words[0].literal or "").rpartition("/")[2] != "nymproxy":
        return None
    if words[1].literal not in {"client", "server"}:
        return None
    role = Role(words[1].literal)
    address, at, wire, config_dir = None, 0, None, None
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
        elif word.literal in {"-c", "--config-dir"} and following is not None:
            config_dir = following.literal
    if any(word.literal == "--compat-config-dir" for word in words):
        config_dir = None
    return NewInvocation(role, address, at, wire, config_dir)
