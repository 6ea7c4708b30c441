"""Opens channels to the first of several servers that works, and notices when one does not."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from nymproxy._background_task import without_group
from nymproxy.channel.servers import ANSWER_SECONDS
from nymproxy.errors import (
    ClientDisconnected,
    NymError,
    PhaseTimeout,
    StreamError,
    UnknownGateway,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from nymproxy.address import NymAddress
    from nymproxy.channel.channel import Channel
    from nymproxy.channel.mux import ChannelMux
    from nymproxy.channel.protocol import ChannelProtocol
    from nymproxy.channel.servers import Servers

_FAILURES = (UnknownGateway, StreamError, PhaseTimeout)


async def open_to_first(
    mux: ChannelMux,
    protocol_for: Callable[[NymAddress], ChannelProtocol],
    servers: Servers,
    *,
    first: bytes = b"",
    wait: bool = False,
    timeout: float | None = None,
) -> tuple[Channel, NymAddress]:
    """Open a channel to the first server that lets itself be dialed; returns it, and whose it is.

    A server that has failed before has to answer, in protocols that tell.

    Args:
        mux: where.
        protocol_for: which protocol each takes.
        servers: are told what becomes of it.
        first: the first bytes that are sent, at most a send window. A server that has to answer
            first gets them when it has: no two servers may do the same for them.
        wait: have every one answer.
        timeout: limit of each such wait in seconds.

    Raises:
        NymError: as :meth:`ChannelMux.open`, by the last one that was tried.
        anyio.BrokenResourceError: the channel failed right after its server has answered.
    """
    order = servers.order(anyio.current_time())
    for address in order:
        protocol = protocol_for(address)
        doubts = wait or (protocol.opens_explicitly and servers.is_doubtful(address))
        try:
            channel = await mux.open(
                protocol,
                address,
                first=b"" if doubts else first,
                wait=doubts,
                timeout=timeout or ANSWER_SECONDS,
            )
        except _FAILURES:
            servers.failed(address, anyio.current_time())
            if address == order[-1]:
                raise
        else:
            if doubts:
                servers.answered(address)
                await _send(channel, first)
            return channel, address
    raise AssertionError("there is at least one server")  # pragma: no cover


async def _send(channel: Channel, first: bytes) -> None:
    try:
        await channel.send(first)
    except BaseException:  # nobody else has the channel yet
        channel.abort()
        raise


@asynccontextmanager
async def watched(channel: Channel, address: NymAddress, servers: Servers) -> AsyncIterator[None]:
    """Tell the servers, during the block, whether one of them answers on a new channel."""
    if len(servers.addresses) == 1:
        yield
        return
    with without_group():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch, channel, address, servers)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()


async def _watch(channel: Channel, address: NymAddress, servers: Servers) -> None:
    try:
        try:
            await channel.wait_established(ANSWER_SECONDS)
        except PhaseTimeout:
            servers.failed(address, anyio.current_time())
            await channel.wait_established()
    except anyio.BrokenResourceError as error:
        if isinstance(error.__cause__, NymError) and not _is_ours(error.__cause__):
            servers.failed(address, anyio.current_time())
    else:
        servers.answered(address)


def _is_ours(error: NymError) -> bool:
    """Tell whether a channel failed by what is on this side."""
    return isinstance(error, ClientDisconnected)
