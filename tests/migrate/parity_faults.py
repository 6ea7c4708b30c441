"""Faults for the answers that pass a relay, and ways over loopback that need no mixnet."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from nymproxy.testing.upstream import serve_upstream
from nymproxy.testing.workloads import Target
from nymproxy_migrate.parity.model import Side
from nymproxy_migrate.parity.relay import relay, unaltered
from nymproxy_migrate.parity.sides import Ways

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from nymproxy_migrate.parity.relay import Alteration

MESSAGE_BYTES = 1000


async def messages(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Cut what comes into messages; what is shorter than one passes at once."""
    async for piece in pieces:
        for start in range(0, len(piece), MESSAGE_BYTES):
            yield piece[start : start + MESSAGE_BYTES]


async def lost_end(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Deliver everything but the end of data."""
    async for piece in pieces:
        yield piece
    await anyio.sleep_forever()


async def swapped(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Swap the second whole message of a connection with the one behind it."""
    whole = 0
    held: bytes | None = None
    async for message in messages(pieces):
        whole += len(message) == MESSAGE_BYTES
        if whole == 2 and held is None:
            held = message
            continue
        yield message
        if held:
            yield held
            held = b""


async def doubled(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Deliver the second whole message of a connection twice."""
    whole = 0
    async for message in messages(pieces):
        yield message
        whole += len(message) == MESSAGE_BYTES
        if whole == 2:
            yield message
            whole += 1


def stalled(seconds: float) -> Alteration:
    """Stop for a while after 30 kB of one connection; the other connections are well."""
    done = False

    async def alter(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        nonlocal done
        passed = 0
        async for piece in pieces:
            yield piece
            passed += len(piece)
            if passed > 30_000 and not done:
                done = True
                await anyio.sleep(seconds)

    return alter


@asynccontextmanager
async def loopback(
    *, up: Alteration = unaltered, down: Alteration = unaltered
) -> AsyncIterator[list[Ways]]:
    """Both sides over plain TCP; the faults are on the stream side, before its client."""
    async with (
        serve_upstream() as upstream,
        relay(upstream.http) as legacy_gate,
        relay(upstream.http) as stream_gate,
        relay(stream_gate.address, up=up, down=down) as faulty,
    ):
        yield [
            Ways(side, target(entry), gate, upstream.http, upstream.greeter)
            for side, entry, gate in (
                (Side.LEGACY, legacy_gate.address, legacy_gate),
                (Side.STREAM, faulty.address, stream_gate),
            )
        ]


def target(address: str) -> Target:
    """Return where a workload connects to."""
    host, _, port = address.rpartition(":")
    return Target(host, int(port))
