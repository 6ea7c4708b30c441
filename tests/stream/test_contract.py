"""Our streams keep the contract: trio's checks on trio, and their port on both backends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
import trio.testing

from nymproxy.testing import MemoryFaults
from nymproxy.testing.checks import check_half_closeable_stream
from tests.stream.support import Pair, connected_pair, on_virtual_time, with_rules
from tests.stream.trio_adapter import TrioStream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nymproxy.stream.stream import MixnetStream

# Small windows, so that a stream is clogged after a few frames.
SMALL = with_rules(initial_window_bytes=32 * 1024, send_window_bytes=16 * 1024)


async def clog(stream: MixnetStream) -> None:
    """Send until the stream takes not one byte more."""
    machine = stream._channel._machine
    for size in (1000, 1):

        async def fill(size: int = size) -> None:
            while True:
                await stream.send(b"x" * size)

        async with anyio.create_task_group() as task_group:
            task_group.start_soon(fill)
            # Nobody reads, so the peer raises no limit any more.
            while machine.room >= size or not machine.outbound.is_window_blocked:  # noqa: ASYNC110
                await anyio.sleep(0.01)
            task_group.cancel_scope.cancel()


def makers(
    pair: Pair,
) -> tuple[
    Callable[[], Awaitable[tuple[MixnetStream, MixnetStream]]],
    Callable[[], Awaitable[tuple[MixnetStream, MixnetStream]]],
]:
    """Return a maker of connected streams, and one of streams clogged in both directions."""

    async def make() -> tuple[MixnetStream, MixnetStream]:
        return await pair.connect(wait=True)

    async def make_clogged() -> tuple[MixnetStream, MixnetStream]:
        dialed, accepted = await make()
        await clog(dialed)
        await clog(accepted)
        return dialed, accepted

    return make, make_clogged


# The half-close check includes the two-way check in both directions, and that the one-way check.


@pytest.mark.slow
async def test_the_stream_passes_the_checks() -> None:
    async with connected_pair(options=SMALL) as pair:
        make, make_clogged = makers(pair)
        with anyio.fail_after(100):
            await check_half_closeable_stream(make, make_clogged)


@pytest.mark.slow
def test_the_stream_passes_the_checks_of_trio() -> None:
    async def main() -> None:
        faults = MemoryFaults(delay_seconds=0.05, jitter_seconds=0.1)
        async with connected_pair(faults=faults) as pair:
            make, _ = makers(pair)

            async def make_adapted() -> tuple[TrioStream, TrioStream]:
                dialed, accepted = await make()
                return TrioStream(dialed), TrioStream(accepted)

            await trio.testing.check_half_closeable_stream(make_adapted, None)

    on_virtual_time(main)
