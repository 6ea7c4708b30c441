"""What a gateway can do to its client's process, which has other gateways, too."""

from __future__ import annotations

import pytest
from websockets.frames import Opcode

from nymproxy.errors import GatewayUnreachable
from nymproxy.mixnet.gateway import SharedKey, responses
from nymproxy.mixnet.gateway.encrypted_texts import ForgetMeAck, seal_response
from nymproxy.mixnet.gateway.websocket import WebSocketStream
from nymproxy.mixnet.gateway.websocket_messages import MessageAssembler
from tests.gateway.streams import memory_streams
from tests.gateway.test_protocol import streaming
from tests.gateway.test_websocket import URI, connected, frame
from tests.turns import counted_calls

FRAMES = 8_000
IN_A_ROW = 2_000
"""Two steps of parsing may follow each other. A packet costs a hundred times as much as a frame."""

SMALLEST = {
    "pings": frame(Opcode.PING, b"") * FRAMES,
    "pongs": frame(Opcode.PONG, b"") * FRAMES,
    "continuations": frame(Opcode.TEXT, b"", fin=False)
    + frame(Opcode.CONT, b"", fin=False) * FRAMES,
    "messages": frame(Opcode.BINARY, b"") * FRAMES,
}


@pytest.mark.parametrize("kind", SMALLEST)
async def test_frames_of_two_bytes_let_others_have_their_turn(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 KiB of them come at once, and took 0.15 s in which nobody else had a turn."""
    async with (
        connected() as (client, server, _near, far),
        counted_calls(monkeypatch, MessageAssembler, "take") as taken,
    ):
        await far.send(SMALLEST[kind])
        if kind == "continuations":
            await far.send(frame(Opcode.CONT, b"the end"))
            assert await client.receive() == "the end"
        else:
            await server.send("the end")
            while await client.receive_event() != "the end":
                pass
    assert taken.total > FRAMES
    assert taken.longest <= IN_A_ROW


async def test_what_comes_while_we_close_is_not_kept() -> None:
    """A second of it, at full speed, while nobody takes anything any more."""
    async with connected() as (client, _server, _near, far):
        await far.send(frame(Opcode.BINARY, b"x" * 900) * 100)
        await far.send_eof()
        await client.aclose()
        assert client.take_event() is None


SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        SWITCHING + b"Sec-WebSocket-Accept: \x9b31m\x80" + b"x" * 8_000 + b"\r\n\r\n",
        (b"HTTP/1.1 101 Switching Protocols\r\n" + b"Upgrade: %s\r\n" % (b"a," * 4_000)) * 100,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 500_000,
    ],
    ids=["words", "headers", "body"],
)
async def test_what_is_no_websocket_server_says_little(answer: bytes) -> None:
    """It stands in an error, which is logged at each try: a megabyte and a half, once, and the
    terminal was told what to do."""
    near, far = memory_streams()
    await far.send(answer)
    await far.send_eof()
    with pytest.raises(GatewayUnreachable) as refused:
        await WebSocketStream.connect(near, URI)
    assert len(str(refused.value)) < 300
    assert str(refused.value).isprintable()
    assert refused.value.__cause__ is None
    await near.aclose()
    await far.aclose()


def test_what_a_gateway_makes_us_log_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    """At a gigabit a second that was a full disk in an hour."""
    driver = streaming()
    other = SharedKey(b"o" * 32)
    for _ in range(1_000):
        driver.say(responses.SupportedProtocolResponse(6))
        driver.say(responses.BandwidthResponse(2**62))
        driver.say(seal_response(ForgetMeAck(), other, b"n" * 12))
    assert len(caplog.messages) == 3
    driver.advance(60)
    driver.say(responses.SupportedProtocolResponse(6))
    assert "999 more" in caplog.messages[-1]
