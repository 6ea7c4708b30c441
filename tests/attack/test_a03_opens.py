"""A 3: opening sessions, or connections, and saying nothing does not keep anybody else out."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.legacy.limits import SessionLimits
from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.stream.nx2.envelopes import CAPABILITY_BYTE
from nymproxy.testing import MemoryFaults, MemoryMessage, MemoryNetwork, MessageFate
from tests.legacy.memory_clients import MemoryConnector
from tests.legacy.proxies import proxies, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from nymproxy.address import NymAddress
    from nymproxy.testing import MemoryEndpoint
    from tests.attack.figures import AttackFigures
    from tests.legacy.proxies import Proxies

CAPABILITIES = 0xA3
SESSIONS = 32
OPENS = 10 * SESSIONS
LIMIT = 16
CONNECTIONS = 10 * LIMIT


async def open_streams(
    endpoint: MemoryEndpoint,
    to: NymAddress,
    count: int,
    surbs: int,
    capabilities: int = CAPABILITIES,
) -> None:
    """Send Opens, and read nothing."""
    for number in range(count):
        frame = StreamFrame(1 + number, MessageType.OPEN, 0, b"", capabilities)
        await endpoint.send(to, frame.encode(), surbs=surbs)


def limits(monkeypatch: pytest.MonkeyPatch, **values: float) -> None:
    """Make a server impatient, so that its seconds are fractions of one."""
    impatient = partial(SessionLimits, **values)  # type: ignore[arg-type]
    monkeypatch.setattr("nymproxy.legacy.server.SessionLimits", impatient)


@asynccontextmanager
async def honest(
    network: MemoryNetwork, attack_figures: AttackFigures
) -> AsyncIterator[tuple[Proxies, Callable[[], Awaitable[None]]]]:
    """Proxies with an honest connection; gives what makes one request on it."""
    async with (
        proxies(
            network,
            wire="stream",
            identity_mode="shared",
            server={"max_sessions": SESSIONS, "max_sessions_per_client": SESSIONS // 4},
        ) as both,
        await both.connect() as app,
    ):

        async def ask() -> None:
            with attack_figures.honest(), anyio.fail_after(60):
                await app.send(b"hello")
                assert await app.receive() == b"hello"

        for _ in range(5):
            await ask()
        yield both, ask


async def ask_anew(both: Proxies) -> None:
    """One request on a connection of its own."""
    with anyio.fail_after(60):
        async with await both.connect() as app:
            await app.send(b"hello")
            assert await app.receive() == b"hello"


@pytest.mark.parametrize(
    ("anyio_backend", "tags", "surbs"),
    [("asyncio", 1, 0), ("asyncio", OPENS, 20), ("trio", OPENS, 0), ("trio", 1, 20)],
)
async def test_opens_that_say_nothing(
    attack_figures: AttackFigures,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tags: int,
    surbs: int,
) -> None:
    limits(monkeypatch, protected_seconds=0.05, half_open_seconds=1.0)
    async with (
        MemoryNetwork(faults=MemoryFaults(delay_seconds=0.002)) as network,
        honest(network, attack_figures) as (both, ask),
    ):
        to = both.server.nym_address()
        with attack_figures.attack(f"{OPENS} Opens of {tags} tags with {surbs} SURBs"):
            async with anyio.create_task_group() as attackers:
                for number in range(tags):
                    attackers.start_soon(
                        open_streams, network.endpoint(f"a{number}"), to, OPENS // tags, surbs
                    )
                for _ in range(5):
                    await ask()
            assert len(both.server.session_map()) <= SESSIONS
            for _ in range(3):
                await anyio.sleep(0.06)  # what came last is protected so long
                await ask_anew(both)
        await until(lambda: len(both.server.session_map()) == 1)  # only the honest one is left
        await ask()
    attack_figures.check(memory_limit_bytes=64 << 20)
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) < 10


@pytest.mark.parametrize(("anyio_backend", "surbs"), [("asyncio", 0), ("trio", 20)])
async def test_opens_whose_offers_never_come(attack_figures: AttackFigures, surbs: int) -> None:
    """128 of them kept everybody else out for 100 s: they waited in the backlog of the listener."""
    count = 10 * 128
    async with (
        MemoryNetwork(faults=MemoryFaults(delay_seconds=0.002)) as network,
        honest(network, attack_figures) as (both, ask),
    ):
        to = both.server.nym_address()
        with attack_figures.attack(f"{count} Opens without the OFFERs that they announce"):
            for number in range(10):
                stranger = network.endpoint(f"a{number}")
                await open_streams(stranger, to, count // 10, surbs, CAPABILITY_BYTE)
                await ask()
            await ask_anew(both)
        await ask()
        await until(lambda: len(both.server.session_map()) == 1)
    attack_figures.check(memory_limit_bytes=64 << 20)


def lost_to_strangers(message: MemoryMessage) -> MessageFate:
    is_lost = message.sender == "server" and message.recipient.startswith("stranger")
    return MessageFate.ABANDON if is_lost else MessageFate.DELIVER


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_strangers_that_are_gone_when_they_are_refused(
    attack_figures: AttackFigures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each end that they do not acknowledge kept its channel for 5 s, until there was none left."""
    limits(monkeypatch, protected_seconds=0.0)
    async with (
        MemoryNetwork(
            faults=MemoryFaults(
                delay_seconds=0.002,
                choose_fate=lost_to_strangers,
                retransmission_seconds=0.3,
                max_retransmissions=1,
            )
        ) as network,
        honest(network, attack_figures) as (both, ask),
    ):
        to = both.server.nym_address()
        with attack_figures.attack(f"{OPENS} Opens with SURBs that lead nowhere"):
            for number in range(OPENS):
                stranger = network.endpoint(f"stranger {number}")
                await open_streams(stranger, to, 1, 5)
            await ask()
            await ask_anew(both)
        await ask()
    attack_figures.check(memory_limit_bytes=64 << 20)


async def test_refusals_without_surbs_hold_up_no_other(attack_figures: AttackFigures) -> None:
    """A refusal is sent with a SURB that is in hand, or not at all."""
    async with (
        MemoryNetwork(faults=MemoryFaults(delay_seconds=0.002)) as network,
        honest(network, attack_figures) as (both, ask),
    ):
        to = both.server.nym_address()
        with attack_figures.attack(f"{OPENS} Opens without SURBs, all refused"):
            async with anyio.create_task_group() as attackers:
                for number in range(OPENS):
                    attackers.start_soon(open_streams, network.endpoint(f"a{number}"), to, 1, 0)
                for _ in range(5):
                    await ask()
            refused = network.endpoint("refused")
            await open_streams(refused, to, 1, 20)
            with anyio.fail_after(20):
                async for received in refused.receive():
                    if StreamFrame.decode(received.payload).message_type is MessageType.RESET:
                        break
        await ask()
    attack_figures.check(memory_limit_bytes=64 << 20)


async def test_silent_connections_of_apps(attack_figures: AttackFigures) -> None:
    """They cost no more identities than a few, and a good one beside them does not wait."""
    async with MemoryNetwork(faults=MemoryFaults(delay_seconds=0.002)) as network:
        connector = MemoryConnector(network, seconds=0.02)
        async with proxies(network, connector=connector, max_connections=LIMIT) as both:

            async def ask() -> None:
                with attack_figures.honest():
                    await ask_anew(both)

            for _ in range(3):
                await ask()
            silent = []
            with attack_figures.attack(f"{CONNECTIONS} silent connections"):
                for number in range(CONNECTIONS):
                    silent.append(await both.connect())
                    if number % LIMIT == 0:
                        await ask()
                assert len(both.client._connections) <= LIMIT
            made = len([client for client in connector.clients if not client.closed])
            attack_figures.notes["identities"] = str(made)
            assert made <= CONNECTIONS // 2  # the others are closed, or being closed
            for stream in silent:
                await anyio.aclose_forcefully(stream)
            await ask()
    attack_figures.check(memory_limit_bytes=64 << 20)
