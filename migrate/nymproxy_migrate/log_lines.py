"""The lines that the old programs log, as scripts look for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_GAP = r"(?:[ ]|\\s[+*]?|\\[ ]|\.[+*]?|\[\[:space:\]\][+*]?|\[ \][+*]?)+"


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the old programs.

    Attributes:
        text: its beginning, without what changes.
        tells_address: it says the server's Nym address.
        is_theirs: no other program is likely to log it.
    """

    text: str
    tells_address: bool = False
    is_theirs: bool = False


LOG_LINES = (
    LogLine("Client created", tells_address=True),
    LogLine("Our Nym address is", tells_address=True, is_theirs=True),
    LogLine("Connecting to mixnet server at", is_theirs=True),
    LogLine("Starting session:"),
    LogLine("Not enough clients in pool", is_theirs=True),
    LogLine("Grabbed client"),
    LogLine("created outside of the connection pool", is_theirs=True),
    LogLine("Sent message with id"),
    LogLine("Closing read end of session", is_theirs=True),
    LogLine("Closing write end of session", is_theirs=True),
    LogLine("Triggering client shutdown"),
    LogLine("Spawned a new session handler", is_theirs=True),
    LogLine("Failed to deserialize ProxiedMessage", is_theirs=True),
    LogLine("No sender tag found", is_theirs=True),
    LogLine("Clients in reserve", is_theirs=True),
    LogLine("Error creating client"),
    LogLine("next_msg_id is"),
)

_SOURCES = tuple(
    # Without the first letter: `grep -i` is often given lower case. A pattern that starts with
    # letters is searched much faster than one with a choice.
    _GAP.join(map(re.escape, line.text[1:].split()))
    for line in LOG_LINES
)
_PATTERNS = tuple(
    (line, re.compile(source)) for line, source in zip(LOG_LINES, _SOURCES, strict=True)
)
_BYTE_PATTERNS = tuple(re.compile(source.encode("ascii")) for source in _SOURCES)

NEEDLES = tuple(sorted({max(line.text[1:].split(), key=len).encode("ascii") for line in LOG_LINES}))
"""The longest word of each line: words are what stays the same in a pattern."""

_NYM = re.compile(rb"(?i)(?<![a-z])nym(?![a-z])|nym_?proxy|nymtech")


def looked_for(text: str) -> LogLine | None:
    """Return the line that a search text or a pattern looks for."""
    return next((line for line, pattern in _PATTERNS if pattern.search(text)), None)


def occur_in(data: bytes) -> bool:
    """Tell whether a file holds anything that looks like one of the lines; made to be fast."""
    return any(pattern.search(data) for pattern in _BYTE_PATTERNS)


def speaks_of_nym(data: bytes) -> bool:
    """Tell whether a file has to do with Nym, so that lines that others log, too, count."""
    return _NYM.search(data) is not None
