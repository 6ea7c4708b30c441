"""One config directory served by the Rust server and by ours in turns: is it one Nym address?"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interop.cells import Client, Server
from interop.records import IdentityRecord
from nymproxy.errors import NymError
from nymproxy.testing import workloads
from nymproxy.testing.workloads import Target

if TYPE_CHECKING:
    from pathlib import Path

    from interop.stage import Ends, Network

logger = logging.getLogger("nymproxy.interop")

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One server on the directory.

    Attributes:
        server: which one.
        is_killed: it ends with SIGKILL, after it has carried bytes, not with SIGTERM.
    """

    server: Server
    is_killed: bool


TURNS = (
    Turn(Server.RUST_PROXY, is_killed=False),
    Turn(Server.OURS, is_killed=False),
    Turn(Server.RUST_PROXY, is_killed=True),
    Turn(Server.OURS, is_killed=True),
    Turn(Server.RUST_PROXY, is_killed=False),
)
"""Made by Rust, taken over, given back; then the same with servers that were killed."""


async def _take(stage: Ends, network: Network, turn: Turn, directory: Path) -> tuple[str, str]:
    """Let one server carry bytes; return its address, and what was wrong or nothing."""
    async with stage.server_on(turn.server, network, network.http, directory) as server:
        async with stage.client(Client.OUR_LEGACY, network, server.address) as (host, port):
            result = await workloads.echo(Target(host, port, TIMEOUT_SECONDS, 1.0), 5_000)
        if turn.is_killed:
            server.kill()
        return server.address, "" if result.ok else result.problem or "no answer"


async def run_identity(stage: Ends, network: Network) -> list[IdentityRecord]:
    """Run the turns, one after another, on one directory that the first one makes."""
    home = stage.directory / "identity"
    home.mkdir()
    records: list[IdentityRecord] = []
    first_address = ""
    for turn in TURNS:
        address, problem = "", ""
        try:
            address, problem = await _take(stage, network, turn, home / "deployment")
        except NymError as error:
            problem = str(error)
        first_address = first_address or address
        records.append(
            IdentityRecord(
                turn.server.value,
                turn.is_killed,
                is_same_address=bool(address) and address == first_address,
                problem=problem or None,
            )
        )
        logger.info("identity, %s: %s", turn.server.value, "ok" if records[-1].ok else problem)
    return records
