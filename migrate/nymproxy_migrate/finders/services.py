"""Settings of services that the new programs make use of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.rules import nym007

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding, SourceFile
    from nymproxy_migrate.options import ScanOptions


def find(source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    """Yield the hints about a unit or a file of services."""
    return nym007.find(source)
