"""What a server answers before the body: in pieces, too often, or not at all."""

from __future__ import annotations

from collections import deque

import anyio
import h11
import pytest
from anyio.abc import ByteStream

from nymproxy._http_head import basic, client_protocol, next_event, response_to

REQUEST = h11.Request(method="GET", target="/", headers=[("Host", "example")])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\n\r\n"


class Script(ByteStream):
    """A server that says some pieces, whatever it is asked, and then ends."""

    def __init__(self, *pieces: bytes) -> None:
        self.sent = b""
        self._pieces = deque(pieces)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if not self._pieces:
            raise anyio.EndOfStream
        piece = self._pieces.popleft()
        if len(piece) > max_bytes:
            self._pieces.appendleft(piece[max_bytes:])
        return piece[:max_bytes]

    async def send(self, item: bytes) -> None:
        self.sent += item

    async def send_eof(self) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError


async def test_a_response_may_come_byte_by_byte_and_the_body_after_it() -> None:
    stream, protocol = Script(*(bytes([byte]) for byte in OK + b"{}")), client_protocol()
    response = await response_to(REQUEST, protocol, stream)
    assert isinstance(response, h11.Response)
    assert response.status_code == 200
    assert stream.sent == b"GET / HTTP/1.1\r\nHost: example\r\n\r\n"
    body = b""
    while isinstance(event := await next_event(protocol, stream), h11.Data):
        body += bytes(event.data)
    assert body == b"{}"
    assert isinstance(event, h11.EndOfMessage)


async def test_interim_responses_are_passed_over_as_long_as_they_are_few() -> None:
    few = await response_to(REQUEST, client_protocol(), Script(EARLY * 15 + OK))
    assert isinstance(few, h11.Response)
    many = await response_to(REQUEST, client_protocol(), Script(EARLY * 16 + OK))
    assert isinstance(many, h11.InformationalResponse)


@pytest.mark.parametrize("said", [b"", OK[:9], EARLY])
async def test_an_end_before_it_is_an_error(said: bytes) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        await response_to(REQUEST, client_protocol(), Script(*[said] if said else []))


async def test_a_head_is_bounded() -> None:
    endless = Script(b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"x" * 1000] * 100)
    with pytest.raises(h11.RemoteProtocolError):
        await response_to(REQUEST, client_protocol(), endless)
    assert endless._pieces


def test_who_asks() -> None:
    assert basic("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert basic("Aladdin", None) == "Basic QWxhZGRpbjo="
