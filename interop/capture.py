"""Captures what the Rust programs send, as the payloads of mixnet messages: test fixtures.

Each scene runs a Rust program against ours, in this process, whose mixnet client notes every
payload that arrives. The application is the same everywhere: a short piece, its echo, a longer
piece and its echo, the end. The payloads hold ids and these bytes, and no secrets.
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import anyio

from interop.cells import Client, Server
from interop.echo import echo_service
from interop.programs import NYM_SDK_VERSION
from interop.stage import Ends, Network
from nymproxy import NymProxyClient, NymProxyServer
from nymproxy.legacy.connector import mixnet_connector
from nymproxy.mixnet.transport import TransportWrapper
from nymproxy.testing.payload import payload_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from interop.programs import RustPrograms
    from nymproxy.address import NodeIdentity
    from nymproxy.mixnet.machine import ClientStatus
    from nymproxy.mixnet.transport import ConnectedClient, Received

logger = logging.getLogger("nymproxy.interop")

APP_SEED = 9
SHORT_BYTES, ALL_BYTES = 5, 9_005
"""Two chunks of the old client's reading buffer, and a bit."""
ECHO_SECONDS = 60.0
END_SECONDS = 3.0
"""For what Rust sends after the app's end."""


@dataclass(slots=True)
class Capture:
    """The payloads that arrived, with the seconds since the first one."""

    messages: list[tuple[float, bytes]] = field(default_factory=list)
    _began_at: float | None = None

    def note(self, payload: bytes) -> None:
        """Add one."""
        now = time.monotonic()
        self._began_at = now if self._began_at is None else self._began_at
        self.messages.append((round(now - self._began_at, 3), payload))


class CapturingClient(TransportWrapper):
    """A mixnet client that notes what arrives at another one."""

    def __init__(self, client: ConnectedClient, capture: Capture) -> None:
        super().__init__(client)
        self._client = client
        self._capture = capture

    @property
    def status(self) -> ClientStatus:
        """Of the client."""
        return self._client.status

    async def receive(self) -> AsyncIterator[Received]:
        """Note and pass on."""
        async for received in super().receive():
            self._capture.note(received.payload)
            yield received

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._client.__aexit__(exc_type, exc_value, traceback)


@dataclass(frozen=True, slots=True)
class Scene:
    """One pair of programs, of which one is Rust's."""

    client: Client
    server: Server

    @property
    def name(self) -> str:
        """Of the fixture."""
        return f"{self.client.name}_to_{self.server.name}".lower()


SCENES = (
    Scene(Client.RUST_PROXY, Server.OURS),
    Scene(Client.OUR_LEGACY, Server.RUST_PROXY),
    Scene(Client.RUST_DIALER, Server.OURS),
    Scene(Client.OUR_STREAM, Server.RUST_ACCEPTOR),
)


async def _converse(address: tuple[str, int]) -> None:
    data = payload_bytes(APP_SEED, ALL_BYTES)
    async with await anyio.connect_tcp(*address) as app:
        for begin, end in ((0, SHORT_BYTES), (SHORT_BYTES, ALL_BYTES)):
            await app.send(data[begin:end])
            echoed = b""
            with anyio.fail_after(ECHO_SECONDS):
                while len(echoed) < end - begin:
                    echoed += await app.receive()
        await app.send_eof()
        await anyio.sleep(END_SECONDS)


@asynccontextmanager
async def _running(
    stage: Ends, scene: Scene, network: Network, upstream: str, capture: Capture
) -> AsyncIterator[tuple[str, int]]:
    """Run both programs, ours in this process; give where apps connect to."""
    connect = mixnet_connector(env=network.env_file, profile="bare")

    async def capturing(gateway: NodeIdentity | None = None) -> CapturingClient:
        return CapturingClient(await connect(gateway), capture)

    async with anyio.create_task_group() as tasks:
        if scene.server is Server.OURS:
            server = await NymProxyServer.create(upstream, None, connector=capturing)
            await tasks.start(server.run)
            address = str(server.nym_address())
            async with stage.client(scene.client, network, address) as local:
                yield local
        else:
            async with stage.server(scene.server, network, upstream) as address:
                client = NymProxyClient(
                    address,
                    listen_port=0,
                    default_client_amount=1,
                    wire="legacy" if scene.client is Client.OUR_LEGACY else "stream",
                    connector=capturing,
                )
                await tasks.start(client.run)
                yield client.local_address
        tasks.cancel_scope.cancel()


def _as_json(scene: Scene, capture: Capture) -> str:
    content = {
        "client": scene.client.value,
        "server": scene.server.value,
        "nym_sdk": NYM_SDK_VERSION,
        "app": {"seed": APP_SEED, "length": ALL_BYTES},
        "messages": [
            {"seconds": seconds, "payload": payload.hex()} for seconds, payload in capture.messages
        ],
    }
    return json.dumps(content, indent=1) + "\n"


async def capture_all(programs: RustPrograms, directory: Path) -> None:
    """Run every scene on one localnet, and write one fixture for each."""
    with tempfile.TemporaryDirectory(prefix="nymproxy-capture-") as name:
        stage = Ends(programs, Path(name))
        async with stage.network() as network, echo_service() as upstream:
            for scene in SCENES:
                capture = Capture()
                async with _running(stage, scene, network, upstream, capture) as address:
                    await _converse(address)
                path = anyio.Path(directory / f"{scene.name}.json")
                await path.write_text(_as_json(scene, capture))
                logger.info("%s: %d messages", scene.name, len(capture.messages))
