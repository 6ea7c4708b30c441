"""The parts that measure: loads against a real upstream, single operations, /proc, the sampler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from benchmarks import micro
from benchmarks.bulk import DIRECTIONS, move
from benchmarks.cells import Cell
from benchmarks.echo import WARM_UP_REQUESTS, echo
from benchmarks.measure import measure_micro
from benchmarks.results import Results
from benchmarks.sampler import Sampler, area_of
from benchmarks.usage import (
    Usage,
    cpu_seconds,
    peak_memory_bytes,
    process_tree,
    queued_seconds,
    ran_seconds,
)
from nymproxy.mixnet.messages import MixPacket, ReassembledMessage
from nymproxy.mixnet.sphinx import ForwardHop, PacketSize
from nymproxy.testing.payload import payload_bytes
from nymproxy.testing.upstream import serve_upstream
from nymproxy.testing.workloads import Target
from tests.benchmarks.builders import record

if TYPE_CHECKING:
    from pathlib import Path


def _target(address: str) -> Target:
    host, _, port = address.partition(":")
    return Target(host, int(port), 10.0)


@pytest.mark.parametrize("size", [1, 64, 8192])
async def test_every_echo_is_timed(size: int) -> None:
    async with serve_upstream() as upstream:
        run = await echo(_target(upstream.http), seed=3, size=size, rate=100.0, requests=10)
    assert run.problem is None
    assert run.lost == 0
    assert len(run.seconds) == 10
    assert run.sent == 10 + WARM_UP_REQUESTS
    assert all(seconds > 0 for seconds in run.seconds)


async def test_a_stall_is_charged_to_every_request_that_it_delays() -> None:
    size, stall, rate, requests = 10, 0.5, 50.0, 10
    total = (requests + WARM_UP_REQUESTS) * size
    asked = 0

    async def stalls(stream: SocketStream) -> None:
        nonlocal asked
        async with stream:
            await stream.receive()
            await anyio.sleep(stall)  # everything is late, though each is answered at once
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
            await stream.send(payload_bytes(3, total))

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, stalls)
        port = listener.extra(SocketAttribute.local_port)
        run = await echo(Target("127.0.0.1", port), seed=3, size=size, rate=rate, requests=requests)
        tasks.cancel_scope.cancel()
    assert run.problem is None
    distances = [one - other for one, other in zip(run.seconds, run.seconds[1:], strict=False)]
    # All came together, and were due one after the other: each counts from its own instant.
    assert distances == pytest.approx([1 / rate] * (requests - 1), abs=1e-6)


async def test_a_wrong_echo_is_found() -> None:
    async def wrong(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            total = (5 + WARM_UP_REQUESTS) * 10
            body = bytearray(payload_bytes(3, total))
            body[0] ^= 1
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
            await stream.send(bytes(body))
            with suppress(anyio.BrokenResourceError):
                async for _ in stream:
                    pass

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, wrong)
        port = listener.extra(SocketAttribute.local_port)
        run = await echo(Target("127.0.0.1", port), seed=3, size=10, rate=200.0, requests=5)
        tasks.cancel_scope.cancel()
    assert run.problem == "another SHA-256"


async def test_an_echo_without_a_peer_says_so() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)
    run = await echo(Target("127.0.0.1", port), seed=3, size=10, rate=200.0, requests=5)
    assert run.problem is not None
    assert run.lost == 5


@pytest.mark.parametrize("direction", DIRECTIONS)
async def test_transfers_are_checked_both_ways(direction: str) -> None:
    async with serve_upstream() as upstream:
        moved = await move(_target(upstream.http), direction, 100_000, 5)
        record_ = upstream.record
    assert moved.problem is None
    assert moved.payload_bytes == 100_000 * (2 if direction == "both" else 1)
    assert moved.goodput > 0
    assert (record_.bytes_received >= 100_000) is (direction != "down")
    assert (record_.bytes_sent >= 100_000) is (direction != "up")


async def test_a_transfer_that_fails_says_so() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)
    moved = await move(Target("127.0.0.1", port), "both", 10, 5)
    assert moved.problem is not None


def test_single_operations_do_what_their_names_say() -> None:
    bench = micro.Bench(1)
    results = {one.name: one.prepare()() for one in micro.operations(bench)}
    assert tuple(results) == micro.OPERATIONS
    for name in ("data_packet", "data_packet_prepared"):
        sealed = results[name]
        assert isinstance(sealed, bytes)
        packet = MixPacket.decode_v2(bench.shared_key.open(sealed[14:], sealed[2:14]))
        assert len(packet.packet) == PacketSize.REGULAR.packet_length
    assert isinstance(results["unwrap"], ForwardHop)
    used = results["surb_use"]
    assert isinstance(used, bytes)
    assert len(used) == PacketSize.REGULAR.packet_length
    whole = results["reassemble_1mb"]
    assert isinstance(whole, ReassembledMessage)
    assert len(whole.padded) > 1_000_000


def test_prepared_headers_are_really_taken_from_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    run = micro.Bench(1).data_packet_prepared()()

    def fail(*_arguments: object, **_more: object) -> None:
        raise AssertionError("a header or key was made in the timed part")

    monkeypatch.setattr("nymproxy.mixnet.machine.packets.build_header", fail)
    monkeypatch.setattr("nymproxy.mixnet.messages.FragmentKey.draw", fail)
    assert run()


def test_single_operations_become_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(micro, "ROUND_PAUSE_SECONDS", 0)
    results = Results(record(1.0))
    cell = Cell("W15", "default", "both", {"divisor": 1000})
    measure_micro(cell, results, 1)
    names = {one.params["operation"] for one in results.records[1:]}
    assert names == {*micro.OPERATIONS, "x25519", "x25519_base"}
    for one in results.records[1:]:
        one.check()
        assert one.sample is not None
        assert one.sample.unit == "us"
        assert one.sample.value > 0
    wires = {one.params["operation"]: one.wire for one in results.records[1:]}
    assert (wires["lp_frame"], wires["proxied_message"]) == ("stream", "legacy")


def test_own_usage_is_seen() -> None:
    before = Usage.of([os.getpid()])
    ends = time.process_time() + 0.05
    while time.process_time() < ends:
        sum(range(1000))
    after = Usage.of([os.getpid()])
    assert sum(after.since(before)) > 0
    assert after.peak_memory_bytes > 1_000_000


def test_workers_count_as_their_parent() -> None:
    code = (
        "import subprocess, sys;"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE);"
        "print(child.pid, flush=True); input(); child.communicate(b'\\n')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert process_tree(parent.pid) == [parent.pid, child]
        parent.communicate(b"\n")


def test_a_process_that_is_gone_uses_nothing(tmp_path: Path) -> None:
    assert cpu_seconds(1, tmp_path) == peak_memory_bytes(1, tmp_path) == 0
    assert queued_seconds(1, tmp_path) == ran_seconds(1, tmp_path) == 0
    assert process_tree(1, tmp_path) == [1]


def test_proc_is_read_as_written(tmp_path: Path) -> None:
    (tmp_path / "7/task/7").mkdir(parents=True)
    ticks = " ".join(str(number) for number in range(4, 60))
    (tmp_path / "7/stat").write_text(f"7 (a ) name) S {ticks}")
    (tmp_path / "7/status").write_text("Name:\tx\nVmHWM:\t  2048 kB\n")
    (tmp_path / "7/task/7/children").write_text("")
    (tmp_path / "7/task/7/schedstat").write_text("1000 2500000000 3\n")
    assert cpu_seconds(7, tmp_path) * os.sysconf("SC_CLK_TCK") == 14 + 15 + 16 + 17
    assert peak_memory_bytes(7, tmp_path) == 2048 * 1024
    assert queued_seconds(7, tmp_path) == 2.5
    assert ran_seconds(7, tmp_path) == 1e-6


def test_processes_that_come_and_go_do_not_make_time_negative() -> None:
    now, before = Usage((1.0, 2.0), 0.0, 0), Usage((0.5,), 0.0, 0)
    assert now.since(before) == (2.5,)
    assert before.since(now) == (0.0,)


@pytest.mark.parametrize(
    ("files", "area"),
    [
        (["/x/nacl/bindings.py", "/n/nymproxy/mixnet/sphinx/header.py"], "sphinx"),
        (["/n/nymproxy/mixnet/sphinx/packet.py", "/n/nymproxy/mixnet/messages/acks.py"], "acks"),
        (
            ["/n/nymproxy/mixnet/sphinx/packet.py", "/n/nymproxy/mixnet/machine/packets.py"],
            "sphinx",
        ),
        (
            ["/n/nymproxy/mixnet/gateway/keys.py", "/n/nymproxy/mixnet/gateway/link.py"],
            "gateway cipher",
        ),
        (["/x/websockets/frames.py", "/n/nymproxy/mixnet/gateway/websocket.py"], "framing"),
        (["/usr/lib/asyncio/events.py", "/x/anyio/_backends/_asyncio.py"], "event loop"),
        (["/n/nymproxy/mixnet/sphinx/packet.py"], "sphinx"),
        (["/usr/lib/json/decoder.py"], "other"),
        ([], "other"),
    ],
)
def test_a_stack_belongs_to_one_area(files: list[str], area: str) -> None:
    assert area_of(files) == area


def test_the_sampler_sees_what_runs(tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    (tmp_path / "busy.py").write_text(
        "import time\n"
        "def spin():\n"
        "    ends = time.process_time() + 0.2\n"
        "    while time.process_time() < ends:\n"
        "        pass\n"
        "spin()\n"
    )
    subprocess.run(
        [sys.executable, "-m", "benchmarks.sampler", str(output), "busy"],
        check=True,
        env={**os.environ, "PYTHONPATH": f"{os.getcwd()}:{tmp_path}"},
    )
    report = json.loads(output.read_text())
    assert report["samples"] > 0
    assert sum(report["areas"].values()) == pytest.approx(1.0)
    assert any(name.endswith(":spin") for name in report["functions"])


def test_a_reset_sampler_has_seen_nothing() -> None:
    sampler = Sampler()
    sampler.samples = 3
    sampler.areas["sphinx"] = 3
    sampler.reset()
    assert sampler.report() == {"samples": 0, "areas": {}, "functions": {}}
