"""TLS inside a stream, for services that ask for it or peers that must prove a host name.

The mixnet encrypts between the two Nym addresses already; this is for what lies beyond.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio.streams.tls import TLSStream

from nymproxy.errors import PhaseTimeout

if TYPE_CHECKING:
    import ssl

    from anyio.abc import ByteStream

__all__ = ("accept_tls", "connect_tls")

HANDSHAKE_TIMEOUT_SECONDS = 60.0
"""Two round trips through the mixnet take seconds."""


async def connect_tls(
    stream: ByteStream,
    server_hostname: str,
    ssl_context: ssl.SSLContext | None = None,
    *,
    timeout: float = HANDSHAKE_TIMEOUT_SECONDS,
) -> TLSStream:
    """Start TLS as the client.

    Args:
        stream: an open stream; closing the result closes it.
        server_hostname: the name that the server's certificate must carry.
        ssl_context: ``None`` for the system's trusted certificates.
        timeout: limit of the handshake in seconds.

    A handshake that fails, for whatever reason, closes the stream.

    Raises:
        ssl.SSLError: the certificate is not trusted, or the peer speaks no TLS.
        anyio.BrokenResourceError: the stream failed, or ended in the handshake.
        PhaseTimeout: the handshake took too long.
    """
    return await _wrap(stream, timeout, server_hostname, ssl_context, server_side=False)


async def accept_tls(
    stream: ByteStream,
    ssl_context: ssl.SSLContext,
    *,
    timeout: float = HANDSHAKE_TIMEOUT_SECONDS,
) -> TLSStream:
    """Start TLS as the server. Arguments and errors as in :func:`connect_tls`.

    Args:
        stream: an accepted stream.
        ssl_context: with the server's certificate.
        timeout: limit of the handshake in seconds.
    """
    return await _wrap(stream, timeout, None, ssl_context, server_side=True)


async def _wrap(
    stream: ByteStream,
    timeout: float,
    hostname: str | None,
    ssl_context: ssl.SSLContext | None,
    *,
    server_side: bool,
) -> TLSStream:
    try:
        with anyio.fail_after(timeout):
            return await _ExplainingTLSStream.wrap(
                stream, server_side=server_side, hostname=hostname, ssl_context=ssl_context
            )
    except BaseException as error:
        await anyio.aclose_forcefully(stream)
        if isinstance(error, TimeoutError):
            raise PhaseTimeout(
                f"no TLS handshake within {timeout:g} s; does the peer speak TLS on this stream?"
            ) from error
        if isinstance(error, anyio.BrokenResourceError) and not str(error):
            raise _cut_off(error) from error
        raise


class _ExplainingTLSStream(TLSStream):
    """Says why where anyio's class raises an error without a text."""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        try:
            return await super().receive(max_bytes)
        except anyio.BrokenResourceError as error:
            raise _cut_off(error) from error.__cause__
        except anyio.EndOfStream:
            raise anyio.EndOfStream("the peer has ended TLS; all of it was received") from None

    async def send(self, item: bytes) -> None:
        try:
            await super().send(item)
        except anyio.BrokenResourceError as error:
            raise _cut_off(error) from error.__cause__


def _cut_off(error: anyio.BrokenResourceError) -> anyio.BrokenResourceError:
    return anyio.BrokenResourceError(
        str(error) or "the peer ended the stream without ending TLS, so data may be missing"
    )
