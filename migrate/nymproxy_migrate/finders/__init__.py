"""Finders look into one file each and return findings.

A finder is a module of this package with ``find(source, options)``. The table says which bytes
must occur in a file before the module (and the parser behind it) is even imported: most files of a
tree have nothing to do with this tool, and a search for a few names is all they cost.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nymproxy_migrate.model import Finding, SourceFile
    from nymproxy_migrate.options import ScanOptions

    Find = Callable[[SourceFile, ScanOptions], Iterable[Finding]]

COMMAND_NEEDLES = (
    b"nym-proxy-",
    b"nym_proxy_",
    b"proxy_client",
    b"proxy_server",
    b"server-address",
    b"server_address",
    b"upstream-tcp-address",
    b"upstream_tcp_address",
    b"upstream-address",
    b"client-pool-reserve",
    b"client_pool_reserve",
    b"standalone-tcp-proxies",
    b"cargo install",
    b"nymtech/nym",
    b"nym",
)
"""Any of these may belong to an old command: every name, and every flag that names one.

``nym`` alone covers programs with a generic name in a folder of their own.
"""


@dataclass(frozen=True, slots=True)
class FinderEntry:
    """A finder and when to load it.

    Attributes:
        module: its module in this package.
        needles: bytes of which at least one must occur in the file.
        suffixes: ends of file names that it reads; empty for any file.
    """

    module: str
    needles: tuple[bytes, ...]
    suffixes: tuple[str, ...] = ()

    def wants(self, source: SourceFile) -> bool:
        """Tell whether the file may hold something for this finder."""
        if self.suffixes and not source.name.endswith(self.suffixes):
            return False
        return any(needle in source.data for needle in self.needles)

    def load(self) -> Find:
        """Import the finder and return its function."""
        return cast("Find", importlib.import_module(f"{__name__}.{self.module}").find)


FINDERS: tuple[FinderEntry, ...] = (FinderEntry("commands", COMMAND_NEEDLES),)
"""In the order in which they run; each new finder adds its line."""
