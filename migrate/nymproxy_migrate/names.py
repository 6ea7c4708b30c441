"""The names of the old programs."""

from __future__ import annotations

import re

CLIENTS = frozenset({"nym-proxy-client", "nym_proxy_client"})
SERVERS = frozenset({"nym-proxy-server", "nym_proxy_server"})
GENERIC_CLIENTS = frozenset({"proxy_client", "client"})
GENERIC_SERVERS = frozenset({"proxy_server", "server"})
PYTHON_CALL = "Python call"
"""The format of commands in Python, whose findings have codes of their own."""

_PROGRAM = re.compile(
    r"(?<!\w)(?<!\w-)(?:nym[-_]proxy[-_]|proxy_)(client|server)(?:\.exe)?(?![\w-])"
)


def mentions_program(text: str) -> bool:
    """Tell whether a text names one of the old programs (generic ``client`` does not count)."""
    return _PROGRAM.search(text) is not None


def mentioned_role(text: str) -> str | None:
    """Return ``"client"`` or ``"server"``, after the first old program that a text names."""
    found = _PROGRAM.search(text)
    return None if found is None else found[1]
