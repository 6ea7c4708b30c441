"""Wrong uses: each row of docs/wrong-uses.md raises what it says, and ends nothing else."""

from __future__ import annotations

import ast
import builtins
import os
import re
import warnings
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from nymproxy import MixnetClient, NymProxyClient, NymProxyServer, UsageError, errors
from nymproxy.stream.background import in_background
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.testing import MemoryNetwork

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from nymproxy.stream.stream import MixnetStream

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "wrong-uses.md"


@dataclass(frozen=True)
class Row:
    what: str
    code: str
    raised: str
    text: str


def rows_of(section: str) -> list[Row]:
    """Read the table of a section of the page."""
    (body,) = re.findall(rf"^## {section}$(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S)
    cells = re.findall(r"^\| ([^|`]+) \| `([^|]+)` \| `(\w+)` \| ([^|]+) \|$", body, re.M)
    rows = [Row(*found) for found in cells]
    assert len(rows) == body.count("\n| ") - 1, "a row of another form"
    return rows


async def run(code: str, names: dict[str, Any]) -> None:
    """Run a row's code as the body of an async function."""
    function = f"async def row():\n    {code}\n"
    ast.parse(function)
    scope = dict(names)
    exec(function, scope)
    await scope["row"]()


def check(row: Row, error: BaseException | None) -> None:
    known = {**vars(builtins), **vars(anyio), **vars(errors)}
    assert type(error) is known[row.raised], f"{row.what}: {error!r}"
    assert str(error) == row.text, row.what


async def echo(stream: MixnetStream) -> None:
    async with stream:
        async for data in stream:
            if data == b"reset":
                stream.abort(reason="enough")
                return
            if data != b"say nothing":
                await stream.send(data)


async def wait_for_failure(stream: MixnetStream) -> None:
    with pytest.raises(anyio.BrokenResourceError):
        await stream.receive()


@asynccontextmanager
async def scene() -> AsyncIterator[dict[str, Any]]:
    """What the rows of async code may name."""
    async with (
        MemoryNetwork() as network,
        StreamEndpoint(network.endpoint("server"), grace_seconds=0) as server,
        StreamEndpoint(network.endpoint("client"), grace_seconds=0) as client,
        StreamEndpoint(lost_link := network.endpoint("lost"), grace_seconds=0) as lost,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(server.listener().serve, echo)
        names: dict[str, Any] = {"address": server.address, "client": client, "network": network}
        client.listener()
        for name in ("stream", "other", "ended", "at_end", "closed", "reset", "busy", "cut"):
            names[name] = await client.open_stream(server.address, wait=True)
        await names["ended"].send_eof()
        await names["at_end"].send_eof()
        with pytest.raises(anyio.EndOfStream):
            await names["at_end"].receive()
        await names["closed"].aclose()
        await names["reset"].send(b"reset")
        await wait_for_failure(names["reset"])
        tasks.start_soon(names["busy"].receive)
        await cancel_in_the_middle(names["cut"])
        async with StreamEndpoint(network.endpoint("left"), grace_seconds=0) as left:
            pass
        lost_link.lose_gateway()
        await lost.mux.wait_ended()
        yield {
            **names,
            **{"left": left, "lost": lost, "anyio": anyio, "StreamEndpoint": StreamEndpoint},
            **{"MemoryNetwork": MemoryNetwork, "MixnetClient": MixnetClient},
            **{"NymProxyClient": NymProxyClient, "NymProxyServer": NymProxyServer},
        }
        tasks.cancel_scope.cancel()


async def cancel_in_the_middle(stream: MixnetStream) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.send, bytes(20_000_000))
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()


async def test_async_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with scene() as names:
        for row in rows_of("Async code"):
            error: BaseException | None = None
            try:
                with anyio.fail_after(30):
                    await run(row.code, names)
            except Exception as caught:  # whatever it is, it is compared
                error = caught
            check(row, error)
            with anyio.fail_after(30):
                await names["other"].send(b"still there")
                assert await names["other"].receive() == b"still there", row.what


# Blocking code.


@asynccontextmanager
async def own_network() -> AsyncIterator[StreamEndpoint]:
    """A client that can only talk to itself, and answers itself."""
    async with (
        MemoryNetwork() as network,
        StreamEndpoint(network.endpoint("server"), grace_seconds=0) as server,
        StreamEndpoint(network.endpoint("client"), grace_seconds=0) as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(server.listener().serve, echo)
        client.server_address = server.address  # type: ignore[attr-defined]
        yield client
        tasks.cancel_scope.cancel()


async def connect() -> AbstractAsyncContextManager[StreamEndpoint]:
    return own_network()


def forked(call: Callable[[], object]) -> None:
    """Call in a forked process, and raise the error of that here."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads is the case
        child = os.fork()
    if child == 0:
        try:
            call()
        except UsageError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, "rb") as pipe:
        raise UsageError(pipe.read().decode())


def test_blocking_rows() -> None:
    background = in_background(connect)
    client = background.start()
    address = client.client.server_address  # type: ignore[attr-defined]
    names: dict[str, Any] = {"background": background, "client": client, "forked": forked}
    names["MixnetClient"] = MixnetClient
    names["stream"] = client.open_stream(address, wait=True, timeout=60)
    names["other"] = client.open_stream(address, wait=True, timeout=60)
    with in_background(connect) as short:
        names["stopped"] = short.open_stream(short.client.server_address)  # type: ignore[attr-defined]
    for row in rows_of("Blocking code"):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - it is compared
            exec(row.code, dict(names))
        check(row, caught.value)
        names["other"].send(b"still there")
        assert names["other"].receive(timeout=60) == b"still there"
    background.stop()
    background.stop()  # nothing happens
