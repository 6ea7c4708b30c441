"""Finders look into one file each and return findings.

A finder is a module of this package with ``find(source, options)``. The table says which bytes
must occur in a file before the module (and the parser behind it) is even imported: most files of a
tree have nothing to do with this tool, and a search for a few names is all they cost.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from nymproxy_migrate import log_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nymproxy_migrate.model import Finding, SourceFile
    from nymproxy_migrate.options import ScanOptions

    Find = Callable[[SourceFile, ScanOptions], Iterable[Finding]]

COMMAND_PATTERN = (
    rb"(?<!o)nym|proxy_client|proxy_server|(?:server|upstream|upstream-tcp)-address"
    rb"|(?:server|upstream|upstream_tcp)_address|client[-_]pool[-_]reserve"
)
"""What an old command has: a name, a folder of its own for a generic name, or a flag."""

_COMMAND_NEEDLES = (
    b"nym", b"proxy_client", b"proxy_server", b"-address", b"_address", b"-pool-reserve",
    b"_pool_reserve",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FinderEntry:
    """A finder and when to load it.

    Attributes:
        module: its module in this package.
        needles: bytes of which at least one must occur in the file.
        suffixes: ends of file names that it reads; empty for any file.
        pattern: a regular expression that must match besides, to tell ``nym`` from ``synonym``.
    """

    module: str
    needles: tuple[bytes, ...]
    suffixes: tuple[str, ...] = ()
    pattern: bytes = b""

    def wants(self, source: SourceFile) -> bool:
        """Tell whether the file may hold something for this finder."""
        if self.suffixes and not source.name.endswith(self.suffixes):
            return False
        if not any(needle in source.data for needle in self.needles):
            return False
        return not self.pattern or re.search(self.pattern, source.data) is not None

    def load(self) -> Find:
        """Import the finder and return its function."""
        return cast("Find", importlib.import_module(f"{__name__}.{self.module}").find)


FINDERS: tuple[FinderEntry, ...] = (
    FinderEntry("commands", _COMMAND_NEEDLES, pattern=COMMAND_PATTERN),
    FinderEntry(
        "services",
        (b"nym-proxy-", b"proxy_server", b"proxy_client", b"nymproxy", b"nym-tcp-proxy-server"),
        (".service", ".conf", ".yml", ".yaml"),
    ),
    FinderEntry(
        "env_files",
        (b"NYM_API", b"NYXD", b"NYMD_VALIDATOR", b"API_VALIDATOR", b"CONFIGURED"),
    ),
    FinderEntry(
        "python_sockets",
        (b"127.0.0.1", b"localhost"),
        (".py",),
        rb"create_connection|open_connection|connect_tcp|\.connect(?:_ex)?\(|open_tcp_stream",
    ),
    FinderEntry(
        "docs",
        (*_COMMAND_NEEDLES, b"NymProxy", *log_lines.NEEDLES),
        (".md", ".markdown", ".mdx"),
        rb"(?:```|~~~)",
    ),
    FinderEntry("log_scrapes", log_lines.NEEDLES),
    FinderEntry(
        "rust",
        (b"nym_sdk", b"::tcp_proxy", b"::client_pool", b"struct NymProxy"),
        (".rs",),
        pattern=rb"tcp_proxy|NymProxy|ClientPool|client_pool|open_stream|listener",
    ),
    FinderEntry("cargo", (b"nym-sdk", b"nym_sdk", b"nymtech/"), ("Cargo.toml",)),
    FinderEntry("go", (b"go-nym/bindings",), (".go",)),
)
"""In the order in which they run; each new finder adds its line."""
