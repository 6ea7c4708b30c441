"""The names of the old programs, and what else only they have."""

from __future__ import annotations

import re

CLIENTS = frozenset({"nym-proxy-client", "nym_proxy_client"})
SERVERS = frozenset({"nym-proxy-server", "nym_proxy_server"})
GENERIC_CLIENTS = frozenset({"proxy_client", "client"})
GENERIC_SERVERS = frozenset({"proxy_server", "server"})
PYTHON_CALL = "Python call"
"""The format of commands in Python, whose findings have codes of their own."""

_OURS = re.compile(r"(?<!\w)(?<!\w-)nym[-_]proxy[-_](?:client|server)(?:\.exe)?(?![\w-])")
_PROGRAM = re.compile(
    r"(?<!\w)(?<!\w-)(?:nym[-_]proxy[-_]|proxy_)(client|server)(?:\.exe)?(?![\w-])"
)
_BASE58 = r"[1-9A-HJ-NP-Za-km-z]{32,44}"
_ADDRESS = re.compile(rf"{_BASE58}\.{_BASE58}@{_BASE58}(?![1-9A-HJ-NP-Za-km-z])")
_NODE = re.compile(_BASE58)
_FOLDER = re.compile(r"(?i)(?<![a-z0-9])(?:nym|nymtech|standalone-tcp-proxies)(?![a-z0-9])")


def is_ours(text: str) -> bool:
    """Tell whether a text names one of the old programs by a name that nothing else has."""
    return _OURS.search(text) is not None


def first_mention(data: bytes) -> int | None:
    """Return where a file names an old program for the first time."""
    found = _OURS.search(data.decode("latin-1"))
    return None if found is None else found.start()


def mentions_program(text: str) -> bool:
    """Tell whether a text names one of the old programs (generic ``client`` does not count)."""
    return _PROGRAM.search(text) is not None


def mentioned_role(text: str) -> str | None:
    """Return ``"client"`` or ``"server"``, after the first old program that a text names."""
    found = _PROGRAM.search(text)
    return None if found is None else found[1]


def is_nym_address(text: str) -> bool:
    """Tell whether a text is written like a Nym address."""
    return _ADDRESS.fullmatch(text) is not None


def with_short_addresses(text: str) -> str:
    """Return a text in which only the beginnings of Nym addresses stand, for people to read."""
    return _ADDRESS.sub(lambda found: f"{found[0][:8]}...", text)


def is_node(text: str) -> bool:
    """Tell whether a text is written like the identity of a node."""
    return _NODE.fullmatch(text) is not None


def speaks_of_nym(path: str) -> bool:
    """Tell whether a folder of a path has to do with Nym: the word, not as part of another."""
    return _FOLDER.search(path) is not None
