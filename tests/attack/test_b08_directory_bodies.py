"""B8: what a directory answers is bounded before it is anything in memory."""

from __future__ import annotations

import gc
import gzip
import time
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from nymproxy import _strict_json
from nymproxy._strict_json import JsonReader
from nymproxy.errors import DirectoryFormatError, DirectoryUnavailable
from nymproxy.mixnet.directory.bodies import MAX_VALUES, READER, parse_nodes_page
from nymproxy.mixnet.directory.bounded_body import BoundedBody
from nymproxy.mixnet.directory.client import MAX_BODY_BYTES, DirectoryClient
from nymproxy.mixnet.directory.http_session import LARGE_BODIES_AT_ONCE, _parse_large
from tests.directory.network import Network, answer, answers_for, serve
from tests.directory.test_client import details
from tests.turns import counted_calls

if TYPE_CHECKING:
    from tests.attack.figures import AttackFigures

CLIENTS = 10
MEMORY_LIMIT_BYTES = 200 << 20
SLACK_SECONDS = 0.15
"""Of this process's time on the processor, which the others' requests share: 0.03 s were seen, and
0.4 s while bodies were decompressed and sized up in one go."""
HELD_SECONDS = 0.06
"""Of the processor, in one go, by the thread that parses: 0.02 s were seen, and 0.15 s before."""


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


async def endure(hostile: bytes, clients: int, of_what: str, figures: AttackFigures) -> None:
    """Many clients ask a hostile directory at once, while another asks an honest one.

    Judged by what the process computes meanwhile: whoever else wants its processor has no part.
    """
    figures.clock = time.process_time
    async with serve(lambda _: hostile) as bad, serve(answers_for(Network())) as good:

        async def be_attacked() -> None:
            with pytest.raises(DirectoryUnavailable):
                await DirectoryClient(details(bad)).fetch_topology()

        honest = DirectoryClient(details(good))

        async def ask() -> None:
            with figures.honest(), anyio.fail_after(20):
                await honest.fetch_topology()

        for _ in range(3):
            await ask()
        with figures.attack(f"{clients} clients, {len(hostile) >> 10} KiB of {of_what}"):
            async with anyio.create_task_group() as group:
                for _ in range(clients):
                    group.start_soon(be_attacked)
                await ask()
        for _ in range(3):
            await ask()
    figures.check(memory_limit_bytes=MEMORY_LIMIT_BYTES, slack_seconds=SLACK_SECONDS)


@pytest.mark.parametrize("name", BOMBS)
async def test_bombs_do_not_fill_the_memory(name: str, attack_figures: AttackFigures) -> None:
    await endure(BOMBS[name](), CLIENTS, name, attack_figures)


async def test_the_worst_that_is_still_read(attack_figures: AttackFigures) -> None:
    """As many values as a body may have, each as large in memory as a value can be made."""
    body = NODES + b",".join([b'{"a":0.1,"b":1}'] * (MAX_VALUES // 3 - 10)) + b"]}}"
    compressed = zlib.compress(body, 1, wbits=31)
    hostile = answer(compressed, headers="Content-Encoding: gzip\r\n")
    attack_figures.notes["bodies at once"] = str(LARGE_BODIES_AT_ONCE)
    await endure(hostile, 4, "values", attack_figures)


SLOW = {
    "objects": lambda: b",".join([b'{"a":0.1,"b":1}'] * (MAX_VALUES // 3 - 10)),
    "keys": lambda: (
        b"{" + b",".join(b'"%d":1' % number for number in range(MAX_VALUES - 10)) + b"}"
    ),
    "escapes": lambda: b",".join([b'"' + rb"\n" * 65_000 + b'"'] * 60),
    "space": lambda: b",".join([b" " * 1_000_000 + b'""'] * 8),
    "one number": lambda: b"0." + b"9" * (MAX_BODY_BYTES - 1000),
}


@pytest.mark.parametrize("name", SLOW)
def test_parsing_lets_the_event_loop_have_its_turn(
    name: str, attack_figures: AttackFigures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that parses holds the interpreter from one of its own functions to the next."""
    body = NODES + SLOW[name]() + b"]}}"
    assert len(body) <= MAX_BODY_BYTES

    def longest_hold() -> float:
        held, began = 0.0, time.thread_time()

        def note(*_: object) -> None:
            nonlocal held, began
            now = time.thread_time()
            held, began = max(held, now - began), now

        monkeypatch.setattr(_strict_json, "_give_way", note)
        monkeypatch.setattr(JsonReader, "_count_value", note)
        with suppress(DirectoryFormatError):
            _parse_large(READER.read_object, body)
        note()
        return held

    longest = longest_hold()
    for _ in range(2):
        if longest > HELD_SECONDS:  # what happens to the process in that moment is not in all
            longest = min(longest, longest_hold())
    attack_figures.notes["longest hold"] = f"{longest * 1000:.0f} ms of CPU"
    assert longest < HELD_SECONDS


async def test_chunks_of_a_byte_let_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand of them may come at once, and took 0.1 s in which nobody else had a turn."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n[\r\n" * 3_000
    async with (
        serve(lambda _: chunked) as bad,
        counted_calls(monkeypatch, BoundedBody, "feed") as fed,
    ):
        with pytest.raises(DirectoryUnavailable):
            await DirectoryClient(details(bad)).fetch_topology()
    assert fed.total >= 3_000
    assert fed.longest <= 2


async def test_interim_responses_are_counted() -> None:
    """They may go on for as long as a request may take."""
    endless = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000 + answer(b"{}")
    async with serve(lambda _: endless) as bad:
        with pytest.raises(DirectoryUnavailable, match="interim"):
            await DirectoryClient(details(bad)).fetch_topology()


def test_garbage_is_collected_again_when_the_last_large_body_is_parsed() -> None:
    """And never where the application itself has turned that off."""
    assert gc.isenabled()
    assert not _parse_large(lambda body: _parse_large(lambda _: gc.isenabled(), body), b"")
    assert _parse_large(lambda _: gc.isenabled(), b"") is False
    assert gc.isenabled()
    gc.disable()
    try:
        _parse_large(bytes, b"")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_body_at_the_limits_is_read() -> None:
    """The bounds are no trap for an honest directory: ten times the network fits."""
    entry = '{"node_id":1,"a":[1,2],"b":{"c":true,"d":true,"e":true},"f":null}'
    page = Network().page([])
    body = str(page).replace("'", '"').replace("None", "null").replace("[]", f"[{entry}]")
    assert parse_nodes_page(body.encode()).malformed_count == 1
