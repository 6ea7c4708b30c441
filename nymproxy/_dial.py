"""Connections to the outside, all of them: direct or through a proxy, plain or with TLS."""

from __future__ import annotations

import functools
import logging
import ssl
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.streams.tls import TLSStream

from nymproxy._tcp_stream import TcpStream
from nymproxy.connection_options import ConnectionOptions, ProxyUrl

if TYPE_CHECKING:
    from anyio.abc import ByteStream

logger = logging.getLogger("nymproxy.dial")


class ProxyFailed(ConnectionError):
    """The proxy does not answer, or does not connect; the message says which, and no target."""


async def dial(host: str, port: int, options: ConnectionOptions) -> ByteStream:
    """Connect to a host, trying all of its addresses, or ask the proxy to. The caller limits it.

    Raises:
        OSError: nobody answers.
        ProxyFailed: the proxy does not, or does not connect.
    """
    if options.proxy is None:
        return await TcpStream.connect(host, port)
    return await _dial_through(ProxyUrl.parse(options.proxy), host, port)


async def _dial_through(proxy: ProxyUrl, host: str, port: int) -> ByteStream:
    connect = {"http": _http_connect, "socks5": _socks5_connect}[proxy.scheme]
    try:
        return await connect(proxy, host, port)
    except ProxyFailed:
        raise
    except Exception as error:
        # Whatever it is: a library asserts and indexes what the proxy answers. Its message may
        # have the target, or the proxy's own words, so that only the type is fit for a log.
        logger.debug("connecting through a proxy failed: %s", type(error).__name__)
        reason = "does not answer" if isinstance(error, OSError) else "does not connect"
        raise ProxyFailed(f"the proxy {proxy} {reason}") from None


async def _socks5_connect(proxy: ProxyUrl, host: str, port: int) -> ByteStream:
    # Imported only when it is used, as it takes a while.
    from python_socks import ProxyType
    from python_socks.async_.anyio import Proxy

    kind, user = ProxyType.SOCKS5, (proxy.username, proxy.password)
    asked = Proxy(kind, proxy.host, proxy.port, *user, rdns=True)
    return await asked.connect(host, port, timeout=float("inf"))


async def _http_connect(proxy: ProxyUrl, host: str, port: int) -> ByteStream:
    """Ask for a tunnel. The answer's head may come in pieces, which python_socks takes for the
    whole, and for what the target says."""
    import h11  # likewise

    from nymproxy import _http_head

    stream: ByteStream = await TcpStream.connect(proxy.host, proxy.port)
    try:
        protocol = _http_head.client_protocol()
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        headers = [("Host", authority)]
        if proxy.username is not None:
            who = _http_head.basic(proxy.username, proxy.password)
            headers.append(("Proxy-Authorization", who))
        request = h11.Request(method="CONNECT", target=authority, headers=headers)
        event = await _http_head.response_to(request, protocol, stream)
        if protocol.their_state is not h11.SWITCHED_PROTOCOL:
            # A status; the proxy's own words are anybody's, and stay out.
            code = f" (code {event.status_code})" if isinstance(event, h11.Response) else ""
            raise ProxyFailed(f"the proxy {proxy} does not connect{code}")
        if protocol.trailing_data[0]:
            raise ProxyFailed(f"the proxy {proxy} speaks before the target was asked")
    except BaseException:  # also a cancellation: nobody else has the stream to close it
        await anyio.aclose_forcefully(stream)
        raise
    return stream


async def start_tls(stream: ByteStream, host: str, options: ConnectionOptions) -> ByteStream:
    """Start TLS with a server that has a certificate for ``host``.

    Raises:
        ssl.SSLError: it has none that is trusted, or breaks the protocol.
        EndOfStream, BrokenResourceError: the connection ended.
    """
    return await TLSStream.wrap(
        stream,
        server_side=False,
        hostname=host,
        ssl_context=await trusted_context(options),
        standard_compatible=False,
    )


async def trusted_context(options: ConnectionOptions) -> ssl.SSLContext:
    """Return what TLS trusts."""
    if options.ssl_context is not None:
        return options.ssl_context
    return await anyio.to_thread.run_sync(_default_context)  # reads a file, the first time


@functools.cache
def _default_context() -> ssl.SSLContext:
    import certifi

    return ssl.create_default_context(cafile=certifi.where())
