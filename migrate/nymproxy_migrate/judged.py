"""What the judge says about a command."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nymproxy_migrate.model import Evidence
    from nymproxy_migrate.words import Command, Word


class Role(enum.StrEnum):
    """Which of the two proxies a command starts; also the name of the new subcommand."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class OldFlag:
    """One flag of an old command.

    Attributes:
        name: the long name, spelled right, without dashes: ``"listen-port"``.
        flag_word: the word that holds the flag (and its value, when attached).
        value: the value's word; the same as ``flag_word`` when attached; None for ``--help``.
        value_at: offset of the value in the literal text of its word, 0 when it is a word of its
            own.
        spelled: the flag as written: ``"--listen_port"``, ``"-s"``.
        repaired: the old program rejects this spelling.
    """

    name: str
    flag_word: Word
    value: Word | None
    value_at: int
    spelled: str
    repaired: bool = False

    @property
    def text(self) -> str | None:
        """The value, when it is literal."""
        if self.value is None or self.value.literal is None:
            return None
        return self.value.literal[self.value_at :]


@dataclass(frozen=True, slots=True)
class OldInvocation:
    """A command that starts an old proxy, read by the old parser's rules.

    Attributes:
        role: client or server.
        command: the command.
        program: the words that name the program (several for ``cargo run --bin NAME --``).
        flags: in order.
        refusals: why the old parser would refuse the command; empty when it would not.
        unreadable: why its arguments cannot be known here; empty when they can.
        needs: what else the tree must show, when the command alone could be anybody's.
    """

    role: Role
    command: Command
    program: tuple[Word, ...]
    flags: tuple[OldFlag, ...]
    refusals: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    needs: Evidence | None = None

    def flag(self, name: str) -> OldFlag | None:
        """Return the first flag of a name."""
        return next((flag for flag in self.flags if flag.name == name), None)


@dataclass(frozen=True, slots=True)
class UnreadableCommand:
    """A command whose program cannot be read here, but that looks like an old proxy.

    Attributes:
        role: client or server, as far as the name or the flags tell.
        command: the command.
        reason: what stands in the place of the name.
        looked_up: the name comes from ``command -v``, ``which`` or the like.
        needs: what else the tree must show, when the command alone could be anybody's.
    """

    role: Role
    command: Command
    reason: str
    looked_up: bool = False
    needs: Evidence | None = None
