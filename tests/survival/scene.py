"""Real processes to be killed, suspended and ended, on a network that does what a test wants.

The proxies are the commands that users run, each a process; the network, the upstream and the app
are in the test's own event loop, so that a test holds both ends of a connection in its hands::

    async with scene(tmp_path, "stream", handler) as stage:
        app = await stage.connect()
        stage.server.child.kill()
        assert (await read_to_the_end(app, 35)).end is End.RESET
"""

from __future__ import annotations

import enum
import socket
import struct
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.abc import SocketAttribute

from nymproxy import NymAddress
from nymproxy.localnet import Localnet, LocalnetConfig, RunningLocalnet
from nymproxy.testing.payload import Payload
from nymproxy.testing.stage import Stage, StagedClient, StagedServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from anyio.abc import SocketStream

    from nymproxy.localnet import FaultPlan

    Handler = Callable[[SocketStream], Awaitable[object]]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_RESET = (anyio.BrokenResourceError, ConnectionError)
PIECE_BYTES = 64 * 1024


def wires(**expected: pytest.MarkDecorator) -> pytest.MarkDecorator:
    """Both wires, each with what is expected of it."""
    return pytest.mark.parametrize(
        "wire",
        [
            pytest.param(wire, marks=[expected[wire]] if wire in expected else [])
            for wire in ("legacy", "stream")
        ],
    )


class End(enum.Enum):
    """How a connection ended, as the side that reads sees it."""

    ORDERLY = "end of data"
    RESET = "reset"
    NONE = "no end in time"


@dataclass(frozen=True, slots=True)
class Seen:
    """What came, how it ended, and when."""

    data: bytes
    end: End
    seconds: float


@dataclass(slots=True)
class Scene:
    """A pair of proxy processes, and all around them.

    Attributes:
        localnet: to be told what goes wrong.
        stage: starts further processes.
        server: replaced by a test that starts another one.
        client: likewise.
    """

    localnet: RunningLocalnet
    stage: Stage
    server: StagedServer
    client: StagedClient

    async def connect(self) -> SocketStream:
        """Connect an app."""
        target = self.client.target()
        return await anyio.connect_tcp(target.host, target.port)

    def server_identity(self) -> str:
        """The server's identity, for the patterns of a fault plan."""
        return str(NymAddress.parse(self.server.address)).partition(".")[0]

    async def client_identities(self) -> list[str]:
        """All other identities that are connected now."""
        by_gateway = await self.localnet.clients()
        all_names = {name for names in by_gateway.values() for name in names}
        return sorted(all_names - {self.server_identity()})


@asynccontextmanager
async def scene(
    folder: Path,
    wire: str,
    handler: Handler,
    *,
    config: LocalnetConfig | None = None,
    grace_seconds: int = 2,
    faults: FaultPlan | None = None,
    server_flags: tuple[str, ...] = (),
    client_flags: tuple[str, ...] = (),
) -> AsyncIterator[Scene]:
    """Run a localnet, an upstream, a server at gateway 0 and a client; end all in order.

    Args:
        folder: for keys and logs.
        wire: of the client.
        handler: what the upstream does with each connection.
        config: of the localnet.
        grace_seconds: of both proxies.
        faults: in force once the pair is ready.
        server_flags: further flags.
        client_flags: likewise.
    """
    stage = Stage(folder=folder, flags=("--grace-period", str(grace_seconds)))
    async with (
        Localnet(config or LocalnetConfig(seed=1)) as localnet,
        tcp_service(handler) as upstream,
        stage.server(
            *(localnet.env_file, upstream, "-g", str(localnet.gateways[0].identity)),
            *server_flags,
        ) as server,
        stage.client(
            *(localnet.env_file, server.address, "--wire", wire),
            *("--identity-mode", "shared", *client_flags),
        ) as client,
    ):
        if faults is not None:
            await localnet.set_faults(faults)
        yield Scene(localnet, stage, server, client)


@asynccontextmanager
async def tcp_service(handler: Handler) -> AsyncIterator[str]:
    """Serve TCP connections on loopback; gives ``host:port``. Their errors are nobody's."""

    async def handle(stream: SocketStream) -> None:
        with suppress(*_RESET, anyio.EndOfStream, anyio.ClosedResourceError):
            async with stream:
                await handler(stream)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield f"127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()


async def send_payload(stream: SocketStream, length: int, seed: int = 1) -> None:
    """Send that many bytes of a payload that :func:`is_payload` knows."""
    payload = Payload(seed)
    for position in range(0, length, PIECE_BYTES):
        await stream.send(payload.take(min(PIECE_BYTES, length - position)))


def is_payload(data: bytes, seed: int = 1) -> bool:
    """Whether these are the first bytes of a payload: nothing wrong, nothing twice."""
    return data == Payload(seed).take(len(data))


def is_complete_or_told(seen: Seen, length: int) -> bool:
    """The one promise: every byte and an orderly end, or right bytes and a reset."""
    if not is_payload(seen.data):
        return False
    return seen.end is End.RESET or (seen.end is End.ORDERLY and len(seen.data) == length)


async def read_to_the_end(stream: SocketStream, seconds: float) -> Seen:
    """Read until the connection ends in one way or another, for a limited time."""
    started, parts, end = anyio.current_time(), [], End.NONE
    with anyio.move_on_after(seconds):
        try:
            while True:
                parts.append(await stream.receive())
        except anyio.EndOfStream:
            end = End.ORDERLY
        except _RESET:
            end = End.RESET
    return Seen(b"".join(parts), end, anyio.current_time() - started)


async def reset(stream: SocketStream) -> None:
    """End a connection with a reset, in place of an end of data."""
    raw = stream.extra(SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    await stream.aclose()
