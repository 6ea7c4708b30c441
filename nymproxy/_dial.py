"""Connections to the outside, all of them: direct or through a proxy, plain or with TLS."""

from __future__ import annotations

import functools
import logging
import ssl
from typing import TYPE_CHECKING

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
    # Imported only when it is used, as it takes a while.
    from python_socks import ProxyType
    from python_socks.async_.anyio import Proxy

    kind = {"http": ProxyType.HTTP, "socks5": ProxyType.SOCKS5}[proxy.scheme]
    asked = Proxy(kind, proxy.host, proxy.port, proxy.username, proxy.password, rdns=True)
    try:
        return await asked.connect(host, port, timeout=float("inf"))
    except Exception as error:
        # Whatever it is: the library asserts and indexes what the proxy answers. Its message may
        # have the target, or the proxy's own words, so that only the type is fit for a log.
        logger.debug("connecting through a proxy failed: %s", type(error).__name__)
        reason = "does not answer" if isinstance(error, OSError) else "does not connect"
        # A status or a reply code; the proxy's own words are anybody's, and stay out.
        code = getattr(error, "error_code", None)
        raise ProxyFailed(
            f"the proxy {proxy} {reason}" + (f" (code {code})" if code else "")
        ) from None


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
