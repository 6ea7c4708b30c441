"""Registration of a client at the gateway, over its websocket."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nymproxy.localnet import gateway_door
from nymproxy.localnet.counters import Direction, DropReason
from nymproxy.localnet.gateway_bandwidth import FREE_BANDWIDTH_BYTES
from nymproxy.mixnet.gateway import ClientIdentityKey
from nymproxy.mixnet.gateway.responses import (
    BandwidthResponse,
    ErrorResponse,
    OutOfBandwidthResponse,
    RegisterResponse,
    SendResponse,
)
from tests.localnet.client import Client, websocket_to
from tests.localnet.lone_gateway import LoneGateway, blank_packet, gateway_hangs_up

if TYPE_CHECKING:
    import pytest


class TestRegistration:
    async def test_a_new_client_has_no_bandwidth(self, gateway: LoneGateway) -> None:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as websocket:
            assert await client.register(websocket) == RegisterResponse(6, True)
            assert await client.forward(blank_packet()) == OutOfBandwidthResponse(2413, 0)
            assert await client.claim() == BandwidthResponse(FREE_BANDWIDTH_BYTES)
            sent = await client.forward(blank_packet())
            assert sent == SendResponse(FREE_BANDWIDTH_BYTES - 2413)
            sent = await client.forward(blank_packet(), version=1)
            assert sent == SendResponse(FREE_BANDWIDTH_BYTES - 2 * 2413)
        assert gateway.counters.packets(Direction.FROM_CLIENT) == 2
        assert gateway.counters.dropped(DropReason.NOT_LOOPBACK) == 2

    async def test_a_connected_client_cannot_register_again(self, gateway: LoneGateway) -> None:
        first = Client(gateway.info)
        async with websocket_to(gateway.info) as websocket:
            await first.register(websocket)
            second = Client(gateway.info, first.identity)
            async with websocket_to(gateway.info) as other:
                second.websocket = other
                await other.send(
                    '{"type":"handshakePayload","protocol_version":6,"data":'
                    f"{[*first.address, *bytes(48)]}}}"
                )
                answer = await second.response()
                assert answer == ErrorResponse("There is already an open connection to this client")
                await gateway_hangs_up(other)

    async def test_a_failed_handshake_says_so_and_hangs_up(self, gateway: LoneGateway) -> None:
        async with websocket_to(gateway.info) as websocket:
            await websocket.send('{"type":"handshakePayload","protocol_version":6,"data":[1,2,3]}')
            texts = [await websocket.receive() for _ in range(3)]
            await gateway_hangs_up(websocket)
        assert "handshakeError" in str(texts[0])
        assert texts[1] == texts[2]
        assert "Failed to perform registration handshake" in str(texts[1])

    async def test_a_handshake_left_half_way_times_out(
        self, gateway: LoneGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gateway_door, "HANDSHAKE_MESSAGE_SECONDS", 0.05)
        client = ClientIdentityKey.generate(os.urandom)
        async with websocket_to(gateway.info) as websocket:
            data = [*client.public_key, *([9] + [0] * 31), *bytes(16)]
            await websocket.send(
                f'{{"type":"handshakePayload","protocol_version":6,"data":{data}}}'
            )
            assert "handshakePayload" in str(await websocket.receive())
            assert "timed out waiting for a handshake message" in str(await websocket.receive())
