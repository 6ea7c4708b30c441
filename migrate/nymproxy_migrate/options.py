"""What a scan is asked to do; every finder gets it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from nymproxy_migrate.survey import Survey
from nymproxy_migrate.workers import limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nymproxy_migrate.reading import Exclusion

Target = Literal["auto", "legacy", "stream"]

DEFAULT_SIZE_LIMIT = 2 * 1024 * 1024
"""Larger files (in bytes) are data, not deployments; a scan leaves them alone and says so."""


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """Options of a scan.

    Attributes:
        docs: look into fenced blocks of Markdown, too.
        to: the wire of rewritten clients, which ``"auto"`` leaves to what their servers show;
            ``"stream"`` counts only where both ends are known.
        decisions: choices taken with ``--decide CODE=choice``, by code.
        program: what the old program names become; None for ``nymproxy``, or ``installed`` where
            its name alone may not find it.
        installed: where nymproxy is on this machine.
        size_limit: largest file to read, in bytes.
        time_limit_seconds: for all files together, by the clock.
        survey: what the tree says at a first look.
        stream_servers: Nym addresses whose server is known to speak the stream protocol.
        exclude: files and folders that are no part of what is scanned.
        select: how codes begin that are wanted; empty for all.
        ignore: how codes begin that are not wanted.
    """

    docs: bool = False
    to: Target = "auto"
    decisions: Mapping[str, str] = field(default_factory=dict)
    program: str | None = None
    installed: str | None = None
    size_limit: int = DEFAULT_SIZE_LIMIT
    time_limit_seconds: float = limits.TOTAL_SECONDS
    survey: Survey = field(default_factory=Survey)
    stream_servers: frozenset[str] = frozenset()
    exclude: Exclusion | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def wants(self, code: str) -> bool:
        """Tell whether findings with a code are to be shown and acted upon."""
        return (not self.select or code.startswith(self.select)) and not (
            self.ignore and code.startswith(self.ignore)
        )
