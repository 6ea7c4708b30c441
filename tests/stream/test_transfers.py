"""Whole transfers under faults: what comes out is what went in, or an error, never other bytes."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import ClientDisconnected, StreamPeerLost
from nymproxy.stream import StreamOptions
from nymproxy.testing import MemoryFaults
from tests.stream.support import NX1, PLAIN, Pair, connected_pair, on_virtual_time, receive_all

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from nymproxy.stream.stream import MixnetStream

MEGABYTE = 1_000_000
FAST_FAULTS = MemoryFaults(
    delay_seconds=0.002,
    jitter_seconds=0.02,
    loss=0.05,
    retransmission_seconds=0.03,
    duplication=0.2,
    reordering=0.1,
    reordering_seconds=0.05,
)
SLOW_FAULTS = MemoryFaults(
    delay_seconds=0.15,
    jitter_seconds=0.2,
    loss=0.05,
    duplication=0.05,
    reordering=0.1,
    reordering_seconds=1.0,
)


async def exchange(
    pair: Pair,
    upload: bytes,
    download: bytes,
    *,
    meanwhile: Callable[[], Coroutine[Any, Any, None]] = anyio.lowlevel.checkpoint,
    waits: bool = False,
) -> tuple[bytes, bytes]:
    """Send both ways at once over one stream; return what arrived at the acceptor and dialer."""
    dialed, accepted = await pair.connect(wait=waits)
    arrived: dict[str, bytes] = {}

    async def send(stream: MixnetStream, data: bytes) -> None:
        for start in range(0, len(data), 50_000):
            await stream.send(data[start : start + 50_000])
        await stream.send_eof()

    async def receive(name: str, stream: MixnetStream) -> None:
        arrived[name] = await receive_all(stream)

    async with anyio.create_task_group() as task_group:
        task_group.start_soon(meanwhile)
        task_group.start_soon(send, dialed, upload)
        task_group.start_soon(send, accepted, download)
        task_group.start_soon(receive, "dialed", dialed)
        task_group.start_soon(receive, "accepted", accepted)
    await dialed.wait_closed()
    await accepted.wait_closed()
    return arrived["accepted"], arrived["dialed"]


def payloads(seed: int, upload_bytes: int, download_bytes: int) -> tuple[bytes, bytes]:
    """Return reproducible bytes for both directions."""
    generator = random.Random(seed)
    return generator.randbytes(upload_bytes), generator.randbytes(download_bytes)


@pytest.mark.slow
@pytest.mark.parametrize("options", [StreamOptions(), PLAIN], ids=["NX1", "plain"])
async def test_a_megabyte_both_ways_under_loss_duplication_and_reordering(
    options: StreamOptions,
) -> None:
    upload, download = payloads(1, MEGABYTE, MEGABYTE)
    async with connected_pair(options=options, faults=FAST_FAULTS, seed=4) as pair:
        with anyio.fail_after(50):
            arrived = await exchange(pair, upload, download)
        assert [hashlib.sha256(data).digest() for data in arrived] == [
            hashlib.sha256(data).digest() for data in (upload, download)
        ]
        log = pair.network.messages()
        assert any(message.retransmissions for message in log)
        assert any(len(message.delivered_at) == 2 for message in log)


@given(
    seed=st.integers(0, 2**32),
    sizes=st.tuples(st.integers(0, 150_000), st.integers(0, 150_000)),
    sides=st.tuples(st.booleans(), st.booleans()),
    loss=st.floats(0, 0.3),
    duplication=st.floats(0, 0.5),
    reordering=st.floats(0, 0.5),
)
def test_any_faults_deliver_the_same_bytes(
    seed: int,
    sizes: tuple[int, int],
    sides: tuple[bool, bool],
    loss: float,
    duplication: float,
    reordering: float,
) -> None:
    upload, download = payloads(seed, *sizes)
    faults = replace(SLOW_FAULTS, loss=loss, duplication=duplication, reordering=reordering)

    async def main() -> tuple[bytes, bytes]:
        async with connected_pair(
            options=StreamOptions(extensions=sides[0]),
            peer_options=StreamOptions(extensions=sides[1]),
            faults=faults,
            seed=seed,
        ) as pair:
            return await exchange(pair, upload, download)

    assert on_virtual_time(main) == (upload, download)


@pytest.mark.parametrize(
    ("who", "options", "waits"),
    [
        ("dialer", StreamOptions(), False),
        ("dialer", StreamOptions(), True),
        # A stranger that is silent from the start counts as one without NX2 after 20 s.
        ("acceptor", StreamOptions(), True),
        ("dialer", NX1, False),
        ("acceptor", NX1, False),
    ],
)
def test_an_endpoint_without_gateway_for_a_while_loses_nothing(
    who: str, options: StreamOptions, waits: bool
) -> None:
    upload, download = payloads(2, 300_000, 300_000)

    async def main() -> tuple[bytes, bytes]:
        async with connected_pair(options=options, faults=SLOW_FAULTS) as pair:
            [endpoint] = [each for each in pair.links if each.name == who]

            async def lose_the_gateway() -> None:
                await anyio.sleep(0.5)
                endpoint.disconnect()
                await anyio.sleep(40)
                endpoint.reconnect()

            arrived = await exchange(
                pair, upload, download, meanwhile=lose_the_gateway, waits=waits
            )
            assert anyio.current_time() > 40
            return arrived

    assert on_virtual_time(main) == (upload, download)


def test_an_endpoint_without_gateway_for_good_is_an_error_at_both_ends() -> None:
    async def main() -> None:
        async with connected_pair(faults=SLOW_FAULTS) as pair:
            dialed, accepted = await pair.connect(wait=True)
            errors: dict[str, BaseException | None] = {}

            async def send_for_ever(name: str, stream: MixnetStream) -> None:
                try:
                    while True:
                        await stream.send(bytes(10_000))
                except anyio.BrokenResourceError as error:
                    errors[name] = error.__cause__

            async with anyio.create_task_group() as task_group:
                task_group.start_soon(send_for_ever, "dialed", dialed)
                task_group.start_soon(send_for_ever, "accepted", accepted)
                await anyio.sleep(1)
                pair.links[1].lose_gateway()
            assert isinstance(errors["accepted"], ClientDisconnected)
            assert isinstance(errors["dialed"], StreamPeerLost)

    on_virtual_time(main)
