"""What a server can tell about who connects: a listening post in the server's place counts senders.

The post is a client of the mixnet like any server. It never answers; all it does is look at the
sender tags of what arrives while one proxy client opens a few connections to it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol

import anyio

from nymproxy_migrate.parity.measure import Linkability

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from nymproxy import NymAddress, Received, SenderTag
    from nymproxy.testing.counters import NetworkTotals
    from nymproxy.testing.workloads import Target

    StartClient = Callable[[str], AbstractAsyncContextManager[Target]]

CONNECTIONS = 3
ARRIVAL_SECONDS = 5.0
"""How long the first messages of all connections may take, registering identities included."""


class Post(Protocol):
    """The part of a client of the mixnet that a listening post needs."""

    @property
    def address(self) -> NymAddress:
        """Where it listens."""
        ...

    def receive(self) -> AsyncIterator[Received]:
        """Iterate over what arrives."""
        ...


async def watch(
    post: Post,
    start_client: StartClient,
    network: Callable[[], Awaitable[NetworkTotals]] | None,
) -> Linkability:
    """Let a client connect to the post a few times, and count the senders that the post sees.

    Args:
        post: receives only.
        start_client: runs a proxy client that carries to the given Nym address.
        network: the localnet's counters, for the identities registered meanwhile.
    """
    before = await network() if network is not None else None
    async with start_client(str(post.address)) as target, AsyncExitStack() as connections:
        for number in range(CONNECTIONS):
            stream = await connections.enter_async_context(
                await anyio.connect_tcp(target.host, target.port)
            )
            await stream.send(b"hello from connection %d\n" % number)
        tags = await _senders(post.receive())
    identities = None
    if network is not None and before is not None:
        identities = (await network() - before).registrations
    return Linkability(CONNECTIONS, len(tags), identities)


async def _senders(arriving: AsyncIterator[Received]) -> set[SenderTag]:
    """Collect tags until there is one for each connection; who shares a tag takes all the time."""
    tags: set[SenderTag] = set()
    with anyio.move_on_after(ARRIVAL_SECONDS):
        async for message in arriving:
            if message.sender_tag is not None:
                tags.add(message.sender_tag)
            if len(tags) == CONNECTIONS:
                break
    return tags
