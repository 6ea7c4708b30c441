"""The matrix as data: who talks to whom, which workloads, and what a peer cannot do and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Client(Enum):
    """What listens on the app's side."""

    RUST_PROXY = "Rust nym-proxy-client"
    OUR_LEGACY = "our legacy client"
    RUST_DIALER = "Rust stream dialer"
    OUR_STREAM = "our stream dialer"

    @property
    def is_rust(self) -> bool:
        """Whether it is a Rust program."""
        return self in (Client.RUST_PROXY, Client.RUST_DIALER)


class Server(Enum):
    """What stands in front of the upstream."""

    RUST_PROXY = "Rust nym-proxy-server"
    OURS = "our server"
    RUST_ACCEPTOR = "Rust stream acceptor"
    OUR_ACCEPTOR = "our stream acceptor"

    @property
    def is_rust(self) -> bool:
        """Whether it is a Rust program."""
        return self in (Server.RUST_PROXY, Server.RUST_ACCEPTOR)


class Workload(Enum):
    """What the app does."""

    FIRST_BYTE = "first byte"
    ECHO = "64-byte echo"
    DOWNLOAD = "download"
    UPLOAD = "upload"
    HALF_CLOSE = "half-close"
    GREETING = "server speaks first"
    AT_ONCE = "at once"
    IN_A_ROW = "3 in a row"
    BURSTS = "bursts of small writes"
    LARGE_REPLY = "reply larger than its SURBs"
    LOSS = "2 % loss, reordering"


@dataclass(frozen=True, slots=True)
class Cell:
    """One client with one server.

    Attributes:
        client: who dials.
        server: who answers.
        must: whether every workload that is possible has to pass; the others only show what two
            old peers do with each other.
    """

    client: Client
    server: Server
    must: bool = True

    @property
    def is_mixed(self) -> bool:
        """Whether one end is a Rust program, and the other one ours."""
        return self.client.is_rust is not self.server.is_rust

    @property
    def name(self) -> str:
        """The cell in words."""
        return f"{self.client.value} → {self.server.value}"


CELLS = (
    Cell(Client.OUR_LEGACY, Server.OURS),
    Cell(Client.OUR_LEGACY, Server.RUST_PROXY),
    Cell(Client.RUST_PROXY, Server.OURS),
    Cell(Client.RUST_PROXY, Server.RUST_PROXY, must=False),
    Cell(Client.OUR_STREAM, Server.OURS),
    Cell(Client.OUR_STREAM, Server.OUR_ACCEPTOR),
    Cell(Client.OUR_STREAM, Server.RUST_ACCEPTOR),
    Cell(Client.RUST_DIALER, Server.OURS),
    Cell(Client.RUST_DIALER, Server.OUR_ACCEPTOR),
    Cell(Client.RUST_DIALER, Server.RUST_ACCEPTOR, must=False),
)

_OLD_SERVER = "nym-proxy-server sends nothing when the upstream ends"
_OLD_CLIENT = "nym-proxy-client ignores a Close from the server"
_RUST_STREAM = "a Rust stream cannot tell its peer that it has ended"
_COVER = "each connection has an identity, and the cover of so many is more than two cores"
_SILENT_APP = "nym-proxy-client sends nothing before the app's first byte"


def why_no_end_of_data(cell: Cell) -> str | None:
    """Return why the app cannot see the answer's end of data, or ``None`` if it must."""
    if cell.client is Client.RUST_PROXY:
        return _OLD_CLIENT if cell.server is Server.OURS else _OLD_SERVER
    if cell.server is Server.RUST_PROXY:
        return _OLD_SERVER
    if cell.server is Server.RUST_ACCEPTOR:
        return _RUST_STREAM
    return None


def why_not(cell: Cell, workload: Workload, profile: str = "bare") -> str | None:
    """Return why the workload is impossible for the peers of the cell, or ``None``."""
    if workload is Workload.AT_ONCE and profile != "bare":
        return _COVER
    if workload is Workload.HALF_CLOSE and cell.client is Client.RUST_DIALER:
        return _RUST_STREAM
    if workload is Workload.GREETING and cell.client is Client.RUST_PROXY:
        return _SILENT_APP
    return None
