"""The workloads against the upstream itself, and against upstreams that do wrong."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from anyio.abc import SocketAttribute, SocketStream

from nymproxy.testing import workloads
from nymproxy.testing.payload import Payload, payload_bytes, payload_digest
from nymproxy.testing.upstream import serve_upstream
from nymproxy.testing.workloads import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


def _target(address: str, timeout_seconds: float = 10.0) -> Target:
    host, _, port = address.partition(":")
    return Target(host, int(port), timeout_seconds)


@asynccontextmanager
async def _service(
    handler: Callable[[SocketStream], Awaitable[None]],
) -> AsyncIterator[Target]:
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, handler)
        yield Target("127.0.0.1", listener.extra(SocketAttribute.local_port), 0.5)
        tasks.cancel_scope.cancel()


def test_payload_is_the_same_in_any_pieces() -> None:
    payload = Payload(7)
    assert payload.take(10) + payload.take(100_000) == payload_bytes(7, 100_010)
    assert payload_bytes(7, 10) != payload_bytes(8, 10)


async def test_every_workload_passes_without_a_proxy() -> None:
    async with serve_upstream() as upstream:
        http, greeter = _target(upstream.http), _target(upstream.greeter)
        results = [
            await workloads.first_byte(http),
            await workloads.echo(http),
            await workloads.download(http, 300_000),
            await workloads.upload(http, 300_000),
            await workloads.connections_at_once(http, 5, 10_000),
            await workloads.greeting(greeter),
            await workloads.half_close(http),
            await workloads.bursts(http, 2),
            await workloads.round_trips(http, 10),
        ]
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://{upstream.http}/statistics")
    for result in results:
        assert result.ok, result
        assert result.ends_of_data == result.connections
        assert (result.first_byte_seconds is None) == (result.name == "upload")
        assert result.first_wrong_byte is None
    assert len(results[-1].round_trips_seconds) == 10
    assert [seen for _, seen in results[-1].progress] == list(range(64, 641, 64))
    record = json.loads(answer.text)
    assert record["connections"] == record["ends_of_data"] == 13
    assert record["resets"] == 0
    assert record["bytes_received"] == 300_000 + 64 + 1_200 + 640 + len(b"HELO app\r\n")


async def test_a_wrong_byte_is_found() -> None:
    async def wrong(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            body = bytearray(payload_bytes(2, 1000))
            body[500] ^= 1
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(body))

    async with _service(wrong) as target:
        result = await workloads.download(target, 1000)
    assert not result.ok
    assert result.problem == "another SHA-256"
    assert result.first_wrong_byte == 500


@pytest.mark.parametrize("sent", [0, 999])
async def test_a_cut_off_answer_is_found(sent: int) -> None:
    async def short(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            body = payload_bytes(2, 1000)[:sent]
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + body)

    async with _service(short) as target:
        result = await workloads.download(target, 1000)
    assert not result.ok
    assert result.problem == "the answer is cut off"


async def _open_ended(stream: SocketStream) -> None:
    async with stream:
        await stream.receive()
        body = payload_bytes(2, 1000)
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + body)
        await anyio.sleep(5)


async def test_a_missing_end_of_data_is_no_problem_where_none_is_promised() -> None:
    async with _service(_open_ended) as target:
        patient = replace(target, timeout_seconds=30.0, end_of_data_seconds=1.0)
        began = anyio.current_time()
        result = await workloads.download(patient, 1000)
        took = anyio.current_time() - began
    assert result.ok
    assert result.ends_of_data == 0
    assert result.seconds <= took - 1.0, "the wait counts as the answer's time"


async def test_a_missing_end_of_data_is_found() -> None:
    async with _service(_open_ended) as target:
        result = await workloads.download(target, 1000)
    assert not result.ok
    assert result.ends_of_data == 0
    assert result.problem == "not done within 0.5 s"


async def test_a_closed_port_is_a_result_not_an_error() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)
    result = await workloads.download(Target("127.0.0.1", port), 10)
    assert not result.ok


def test_digest_agrees_with_the_bytes() -> None:
    import hashlib

    for length in (0, 1, 65536, 200_000):
        expected = hashlib.sha256(payload_bytes(3, length)).hexdigest()
        assert payload_digest(3, length) == expected
