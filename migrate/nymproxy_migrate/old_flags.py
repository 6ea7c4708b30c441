"""The arguments of the old programs, read by the rules of their parser (clap 4).

``--flag value``, ``--flag=value``, ``-s value``, ``-svalue`` and ``-s=value`` mean the same; a flag
given twice, an unknown one and a positional argument are errors. Long flags are not abbreviated.
Spellings with underscores are errors, too, but published instructions contain them: those are
repaired.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nymproxy.cli.old_flags import RENAMED, SHORT
from nymproxy_migrate.judged import OldFlag, Role
from nymproxy_migrate.words import PieceKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy_migrate.words import Word

REQUIRED = {Role.CLIENT: "server-address", Role.SERVER: "upstream-tcp-address"}

_WHOLE_NUMBERS = {
    "listen-port": 65535,
    "close-timeout": 2**64 - 1,
    "client-pool-reserve": 2**64 - 1,
}
_NUMBER = re.compile(r"\+?[0-9]+")


@dataclass(slots=True)
class Reading:
    """What the arguments say.

    Attributes:
        flags: the flags that are known, in order.
        refusals: why the old parser would refuse them.
        unreadable: words that may be anything when the command runs.
        unknown: flags that the old parser does not know.
        positionals: words that are no flag's value.
        help: only the help text is asked for.
    """

    flags: list[OldFlag] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    positionals: list[str] = field(default_factory=list)
    help: bool = False


def read_arguments(role: Role, words: Sequence[Word]) -> Reading:
    """Read the words behind the program."""
    reading = Reading()
    position = 0
    while position < len(words):
        word = words[position]
        following = words[position + 1] if position + 1 < len(words) else None
        lead = word.leading_literal
        if word.literal is None and not _names_flag(lead):
            reading.unreadable.append(_shown(word))
            position += 1
        elif lead.startswith("--") and lead != "--":
            position += _read_long(role, word, following, reading)
        elif lead.startswith("-") and lead not in {"-", "--"}:
            position += _read_short(role, word, following, reading)
        else:
            reading.positionals.append(_shown(word))
            position += 1
    _check(role, reading)
    return reading


def _names_flag(lead: str) -> bool:
    return re.match(r"--[A-Za-z][\w-]*=|-[a-z]", lead) is not None and lead != "-"


def _read_long(role: Role, word: Word, following: Word | None, reading: Reading) -> int:
    name, equals, _ = word.leading_literal.partition("=")
    right = name[2:].replace("_", "-")
    right = RENAMED.get(right, right)
    if name == "--help":
        reading.help = True
        reading.flags.append(OldFlag("help", word, None, 0, name))
        return 1
    if right not in SHORT[role]:
        reading.unknown.append(name)
        # What follows may be its value.
        return 2 if not equals and following is not None and not _is_option(following) else 1
    repaired = name[2:] != right
    if equals:
        reading.flags.append(OldFlag(right, word, word, len(name) + 1, name, repaired))
        return 1
    return _take_value(right, word, following, name, repaired, reading)


def _read_short(role: Role, word: Word, following: Word | None, reading: Reading) -> int:
    spelled = word.leading_literal[:2]
    if spelled == "-h":
        reading.help = True
        reading.flags.append(OldFlag("help", word, None, 0, spelled))
        return 1
    name = next((long for long, short in SHORT[role].items() if short == spelled), None)
    if name is None:
        reading.unknown.append(spelled)
        return 2 if following is not None and not _is_option(following) else 1
    if word.literal == spelled:
        return _take_value(name, word, following, spelled, False, reading)
    at = 3 if word.leading_literal[2:3] == "=" else 2
    reading.flags.append(OldFlag(name, word, word, at, spelled))
    return 1


def _take_value(
    name: str,
    word: Word,
    following: Word | None,
    spelled: str,
    repaired: bool,
    reading: Reading,
) -> int:
    if following is None or _is_option(following):
        reading.refusals.append(f"{spelled} has no value")
        return 1
    reading.flags.append(OldFlag(name, word, following, 0, spelled, repaired))
    return 2


def _is_option(word: Word) -> bool:
    lead = word.leading_literal
    return lead.startswith("-") and lead != "-"


def _check(role: Role, reading: Reading) -> None:
    seen: set[str] = set()
    for flag in reading.flags:
        if flag.name in seen:
            reading.refusals.append(f"--{flag.name} is given twice")
        seen.add(flag.name)
        limit = _WHOLE_NUMBERS.get(flag.name)
        text = flag.text
        if limit is not None and text is not None:
            if not _NUMBER.fullmatch(text):
                reading.refusals.append(f"--{flag.name} is not a number: {text!r}")
            elif int(text) > limit:
                reading.refusals.append(f"--{flag.name} is too large: {text}")
    reading.refusals += [f"there is no flag {name}" for name in reading.unknown]
    reading.refusals += [f"it takes no argument like {word!r}" for word in reading.positionals]
    required = REQUIRED[role]
    if required not in seen and not reading.help and not reading.unreadable:
        reading.refusals.append(f"--{required} is missing")


def _shown(word: Word) -> str:
    return "".join(
        "$" + piece.text if piece.kind is PieceKind.VARIABLE else piece.text
        for piece in word.pieces
    )
