"""Malformed and fragmented requests of an admitted client, against the gateway's websocket."""

from __future__ import annotations

import os

from websockets.frames import Opcode

from nymproxy.localnet.counters import Direction
from nymproxy.mixnet.gateway import RequestKind, SharedKey, seal_frame
from nymproxy.mixnet.gateway.responses import ErrorResponse, GatewayResponse, SendResponse
from tests.localnet.client import Client, websocket_to
from tests.localnet.lone_gateway import LoneGateway, blank_packet, gateway_hangs_up


class TestMalformedRequests:
    async def _answers(self, gateway: LoneGateway, *messages: str | bytes) -> list[GatewayResponse]:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as websocket:
            await client.register(websocket)
            answers = []
            for message in messages:
                await websocket.send(message)
                answers.append(await client.response())
            await client.claim()  # The connection is still good.
            return answers

    async def test_texts(self, gateway: LoneGateway) -> None:
        answers = await self._answers(
            gateway,
            "nonsense",
            '{"type":"authenticate","address":"a","enc_address":"b","iv":"c"}',
            '{"type":"handshakePayload","protocol_version":6,"data":[1]}',
            '{"type":"encryptedRequest","ciphertext":[1,2],"nonce":[0,0,0,0,0,0,0,0,0,0,0,0]}',
        )
        texts = [answer.message for answer in answers if isinstance(answer, ErrorResponse)]
        assert "Provided text request was malformed" in texts[0]
        assert "unknown type" in texts[1]
        assert "RegisterHandshakeInitRequest in an authenticated client" in texts[2]
        assert texts[3] == "failed to decrypt provided text request"

    async def test_frames(self, gateway: LoneGateway) -> None:
        other = SharedKey(bytes(32))
        sealed = seal_frame(other, RequestKind.FORWARD_SPHINX_V2, b"x", bytes(12))
        in_the_clear = b"\x02\x00" + bytes(12) + blank_packet().encode_v2()
        answers = await self._answers(gateway, b"", b"\x09" * 40, sealed, in_the_clear)
        for answer in answers:
            assert isinstance(answer, ErrorResponse)
            assert "Provided binary request was malformed" in answer.message
        assert gateway.counters.packets(Direction.FROM_CLIENT) == 0

    async def test_a_long_message_in_fragments_is_put_together(self, gateway: LoneGateway) -> None:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as websocket:
            await client.register(websocket)
            await client.claim()
            assert client.key is not None
            frame = seal_frame(
                client.key,
                RequestKind.FORWARD_SPHINX_V2,
                blank_packet().encode_v2(),
                os.urandom(12),
            )
            protocol = websocket._protocol
            protocol.send_binary(frame[:1000], fin=False)
            protocol.send_ping(b"between")
            protocol.send_continuation(frame[1000:], fin=True)
            await websocket.send()
            assert isinstance(await client.response(), SendResponse)

    async def test_a_broken_websocket_frame_ends_the_connection(self, gateway: LoneGateway) -> None:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as websocket:
            await client.register(websocket)
            await websocket._stream.send(bytes((0xF0 | Opcode.BINARY, 0x80)) + bytes(4))
            await gateway_hangs_up(websocket)
