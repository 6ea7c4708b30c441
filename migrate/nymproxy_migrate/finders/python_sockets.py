"""Sockets in Python that go to an old client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Unparsable
from nymproxy_migrate.rules import nym032

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding, SourceFile
    from nymproxy_migrate.options import ScanOptions


def find(source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    """Yield the sockets of a file that go to where an old client listens by default."""
    from nymproxy_migrate.formats import python_sockets

    try:
        sockets = list(python_sockets.find(source))
    except Unparsable:
        return  # another finder says so, if the file starts a proxy
    for span, function in sockets:
        yield from nym032.find(source, span, function)
