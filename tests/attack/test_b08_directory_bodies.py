"""B8: what a directory answers is bounded before it is anything in memory."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.errors import DirectoryUnavailable
from nymproxy.mixnet.directory.bodies import MAX_VALUES, parse_nodes_page
from nymproxy.mixnet.directory.client import MAX_BODY_BYTES, DirectoryClient
from nymproxy.mixnet.directory.http_session import LARGE_BODIES_AT_ONCE
from tests.directory.network import Network, answer, answers_for, serve
from tests.directory.test_client import details

if TYPE_CHECKING:
    from tests.attack.figures import AttackFigures

CLIENTS = 10
MEMORY_LIMIT_BYTES = 200 << 20
SLACK_SECONDS = 0.1
"""Ten clients begin at once in the process of both servers: that takes 0.02 s by itself, and took
0.4 s while bodies were decompressed and sized up in one go."""


def bomb(unit: bytes, megabytes: int, before: bytes = b"", after: bytes = b"") -> bytes:
    """Return an HTTP answer that becomes so many times larger than it is."""
    body = before + unit * ((megabytes << 20) // len(unit)) + after
    compressed = gzip.compress(body, compresslevel=1)
    return answer(compressed, headers="Content-Encoding: gzip\r\n")


NODES = b'{"metadata":{},"nodes":{"pagination":{"total":0},"data":['
BOMBS = {
    "spaces": lambda: bomb(b" ", 32),
    "empty lists": lambda: bomb(b"[],", MAX_BODY_BYTES >> 21, NODES, b"0]}}"),
    "empty objects": lambda: bomb(b"{},", MAX_BODY_BYTES >> 21, NODES, b"0]}}"),
    "depth": lambda: bomb(b"[", MAX_BODY_BYTES >> 21),
    "quotes": lambda: bomb(b'""', MAX_BODY_BYTES >> 21, b"[" * 40),
    "long number": lambda: bomb(b"9", MAX_BODY_BYTES >> 21, b'{"a":', b"}"),
}


@pytest.fixture
def anyio_backend() -> str:
    """One is enough here: the client's own tests run on both."""
    return "asyncio"


@pytest.mark.parametrize("name", BOMBS)
async def test_bombs_do_not_fill_the_memory(name: str, attack_figures: AttackFigures) -> None:
    """Many clients ask a hostile directory at once, while another asks an honest one."""
    hostile = BOMBS[name]()
    async with serve(lambda _: hostile) as bad, serve(answers_for(Network())) as good:

        async def be_attacked() -> None:
            with pytest.raises(DirectoryUnavailable):
                await DirectoryClient(details(bad)).fetch_topology()

        honest = DirectoryClient(details(good))
        for _ in range(3):
            with attack_figures.honest():
                await honest.fetch_topology()
        with attack_figures.attack(f"{CLIENTS} clients, {len(hostile) >> 10} KiB of {name}"):
            async with anyio.create_task_group() as group:
                for _ in range(CLIENTS):
                    group.start_soon(be_attacked)
                with attack_figures.honest():
                    await honest.fetch_topology()
        for _ in range(3):
            with attack_figures.honest():
                await honest.fetch_topology()
    attack_figures.check(memory_limit_bytes=MEMORY_LIMIT_BYTES, slack_seconds=SLACK_SECONDS)


async def test_the_worst_that_is_still_read(attack_figures: AttackFigures) -> None:
    """As many values as a body may have, each as large in memory as a value can be made."""
    count = MAX_VALUES - 10
    body = NODES + b",".join([b"{}"] * (count // 2)) + b"]}}"
    compressed = zlib.compress(body, 1, wbits=31)
    hostile = answer(compressed, headers="Content-Encoding: gzip\r\n")
    async with serve(lambda _: hostile) as bad, serve(answers_for(Network())) as good:
        honest = DirectoryClient(details(good))

        async def be_attacked() -> None:
            with pytest.raises(DirectoryUnavailable):
                await DirectoryClient(details(bad)).fetch_gateways()

        with attack_figures.honest():
            await honest.fetch_topology()
        with attack_figures.attack(f"4 clients, {len(compressed)} bytes of gzip"):
            async with anyio.create_task_group() as group:
                for _ in range(4):
                    group.start_soon(be_attacked)
                with attack_figures.honest():
                    await honest.fetch_topology()
        with attack_figures.honest():
            await honest.fetch_topology()
    attack_figures.notes["bodies at once"] = str(LARGE_BODIES_AT_ONCE)
    attack_figures.check(memory_limit_bytes=MEMORY_LIMIT_BYTES, slack_seconds=SLACK_SECONDS)


def test_a_body_at_the_limits_is_read() -> None:
    """The bounds are no trap for an honest directory: ten times the network fits."""
    entry = '{"node_id":1,"a":[1,2],"b":{"c":true,"d":true,"e":true},"f":null}'
    page = Network().page([])
    body = str(page).replace("'", '"').replace("None", "null").replace("[]", f"[{entry}]")
    assert parse_nodes_page(body.encode()).malformed_count == 1
