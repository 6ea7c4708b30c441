"""What stands on each side of a comparison, in words; and the old programs, if they do."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy_migrate.parity.model import Side
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = ("nym-proxy-client", "nym-proxy-server")
_OURS = {
    Side.LEGACY: "nymproxy with --wire legacy at both ends, which is not the old program",
    Side.STREAM: "nymproxy with --wire stream at both ends",
}
_SERVERS = {
    Side.LEGACY: "the server of --legacy, with `nymproxy client --wire legacy`",
    Side.STREAM: "the server of --stream, with `nymproxy client --wire stream`",
}


@dataclass(frozen=True, slots=True)
class OldPrograms:
    """The published programs, whose way is then the legacy side."""

    client: Path
    server: Path


def find_old(client: Path | None, server: Path | None) -> OldPrograms:
    """Return the old programs: those that are named, or else those on PATH.

    Raises:
        Refused: one is not there, or cannot be executed.
    """
    found = []
    for name, given in zip(NAMES, (client, server), strict=True):
        path = shutil.which(name if given is None else given.absolute())
        if path is None:
            flag = name.removeprefix("nym-proxy-")
            where = f"no {name} is on PATH" if given is None else f"{given} is no program"
            raise Refused(f"{where}; name one with --old-{flag} PATH")
        found.append(Path(path))
    return OldPrograms(*found)


def in_words(old: OldPrograms | None, *, are_servers: bool) -> Mapping[Side, str]:
    """Return what each side is."""
    if old is None:
        return _SERVERS if are_servers else _OURS
    legacy = f"the old programs: {old.client} and {old.server}"
    return {**_OURS, Side.LEGACY: legacy}
