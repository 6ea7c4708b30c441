"""The gateway's websocket before a client is admitted: what ends the connection."""

from __future__ import annotations

from contextlib import suppress

import anyio
import pytest

from nymproxy.localnet import gateway_door
from nymproxy.mixnet.gateway.requests import SupportedProtocolRequest
from nymproxy.mixnet.gateway.responses import ErrorResponse, SupportedProtocolResponse
from tests.localnet.client import Client, websocket_to
from tests.localnet.lone_gateway import LoneGateway, gateway_hangs_up


class TestBeforeAdmission:
    @pytest.mark.parametrize(
        ("message", "complaint"),
        [
            ("no json", "Only 'Register' or 'Authenticate' requests are allowed"),
            ('{"type":"claimFreeTestnetBandwidth"}', "Only 'Register' or 'Authenticate'"),
            ('{"type":"authenticate","address":"a","enc_address":"b","iv":"c"}', "legacy"),
            (b"\x01\x01" + bytes(40), "without prior authentication"),
        ],
    )
    async def test_anything_else_ends_the_connection(
        self, gateway: LoneGateway, message: str | bytes, complaint: str
    ) -> None:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as client.websocket:
            await client.websocket.send(message)
            answer = await client.response()
            assert isinstance(answer, ErrorResponse)
            assert complaint in answer.message
            await gateway_hangs_up(client.websocket)

    async def test_a_ping_is_an_error(self, gateway: LoneGateway) -> None:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as client.websocket:
            await client.websocket.ping(b"\x01\x02\x03")
            answer = await client.response()
            assert isinstance(answer, ErrorResponse)
            assert "type ping which was not expected" in answer.message
            await gateway_hangs_up(client.websocket)

    async def test_the_version_may_be_asked_any_number_of_times(self, gateway: LoneGateway) -> None:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as websocket:
            client.websocket = websocket
            for _ in range(3):
                await websocket.send(SupportedProtocolRequest().encode())
                assert await client.response() == SupportedProtocolResponse(6)
            await client.register(websocket)
            await websocket.send(SupportedProtocolRequest().encode())
            assert await client.response() == SupportedProtocolResponse(6)

    async def test_silence_ends_the_connection(
        self, gateway: LoneGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gateway_door, "INITIAL_MESSAGE_SECONDS", 0.05)
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as client.websocket:
            answer = await client.response()
            assert answer == ErrorResponse("timed out while waiting for initial data")
            await gateway_hangs_up(client.websocket)

    async def test_no_upgrade_ends_the_connection(
        self, gateway: LoneGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gateway_door, "UPGRADE_SECONDS", 0.05)
        async with await anyio.connect_tcp("127.0.0.1", gateway.node.client_port) as stream:
            with (
                anyio.fail_after(30),
                pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)),
            ):
                await stream.receive()

    @pytest.mark.parametrize("garbage", [b"\0" * 2000, b"GET / HTTP/1.1\r\n\r\n", b"\r\n\r\n"])
    async def test_what_is_no_websocket_is_turned_away(
        self, gateway: LoneGateway, garbage: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gateway_door, "UPGRADE_SECONDS", 0.1)
        async with await anyio.connect_tcp("127.0.0.1", gateway.node.client_port) as stream:
            await stream.send(garbage)
            with anyio.fail_after(30), suppress(anyio.BrokenResourceError):
                async for _ in stream:
                    pass
