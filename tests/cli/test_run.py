"""One process, several forwards: reloaded under load, and through a restart of the network."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import psutil  # type: ignore[import-untyped]
import pytest
from anyio import to_thread

from nymproxy.cli.operator import ControlSocket
from nymproxy.errors import NetworkError
from nymproxy.localnet import Localnet, LocalnetConfig
from nymproxy.testing.processes import Child, child_process, stop_process
from nymproxy.testing.stage import Stage
from tests.legacy.proxies import echo, until, upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import ByteStream

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])

INHERITS = """
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "ssh"}
os.execv(sys.executable, [sys.executable, "-m", "nymproxy", *sys.argv[2:]])
"""


def file_of(env: Path | str, upstream: str, *clients: str, servers: int = 2) -> str:
    tables = [f'grace_period = 0.2\n[network]\nenv = "{env}"\n[log]\njson = true\n']
    tables += [
        f'[[server]]\nname = "server-{number}"\nupstream = "{upstream}"\n'
        f'config_dir = "keys-{number}"\nprofile = "bare"\naddress_file = "server-{number}.json"\n'
        for number in range(servers)
    ]
    return "".join([*tables, *clients])


def client_of(name: str, address: str, listen: str) -> str:
    return (
        f'[[client]]\nname = "{name}"\nserver = "{address}"\nlisten = "{listen}"\n'
        f'profile = "bare"\nidentity = "shared"\naddress_file = "{name}.json"\n'
    )


def ready_line(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@asynccontextmanager
async def running(folder: Path, inherited: socket.socket) -> AsyncIterator[Child]:
    async with child_process(
        "run",
        ["-c", INHERITS, str(inherited.fileno()), "run", "-c", str(folder / "nymproxy.toml")],
        log_directory=folder,
        program=[sys.executable],
        ready_timeout_seconds=60,
        inherited=[inherited.fileno()],
    ) as child:
        yield child


async def echoes(stream: ByteStream, text: bytes) -> None:
    with anyio.fail_after(100):
        await stream.send(text)
        received = b""
        while len(received) < len(text):
            received += await stream.receive()
        assert received == text


async def test_three_clients_and_two_servers_reloaded_while_they_work(tmp_path: Path) -> None:
    config, names = tmp_path / "nymproxy.toml", ("tcp", "unix", "fd")
    files = {name: tmp_path / f"{name}.json" for name in names}
    async with Localnet(LocalnetConfig(seed=5)) as localnet, upstream(echo) as upstream_address:
        config.write_text(file_of(localnet.env_file, upstream_address))
        with socket.create_server(("127.0.0.1", 0)) as inherited:
            async with running(tmp_path, inherited) as child:
                servers = [tmp_path / f"server-{number}.json" for number in range(2)]
                await until(lambda: all(each.exists() for each in servers), seconds=100)
                first, second = (str(ready_line(each)["address"]) for each in servers)
                clients = [
                    client_of("tcp", first, "127.0.0.1:0"),
                    client_of("unix", second, f"unix:{tmp_path}/app.sock"),
                    client_of("fd", first, "fd:ssh"),
                ]
                config.write_text(file_of(localnet.env_file, upstream_address, *clients))
                child.process.send_signal(signal.SIGHUP)
                await until(lambda: all(each.exists() for each in files.values()), seconds=100)
                host, _, port = ready_line(files["tcp"])["local_address"].rpartition(":")
                async with (
                    await anyio.connect_tcp(host, int(port)) as tcp,
                    await anyio.connect_unix(tmp_path / "app.sock") as unix,
                    await anyio.connect_tcp(*inherited.getsockname()) as fd,
                ):
                    streams: tuple[ByteStream, ...] = (tcp, unix, fd)
                    for stream in streams:
                        await echoes(stream, b"before")
                    # One goes, one comes; the sessions of the others do not notice.
                    added = client_of("new", second, "127.0.0.1:0")
                    config.write_text(
                        file_of(localnet.env_file, upstream_address, *clients[1:], added)
                    )
                    child.process.send_signal(signal.SIGHUP)
                    await until(lambda: (tmp_path / "new.json").exists(), seconds=100)
                    await until(lambda: not files["tcp"].exists(), seconds=100)
                    for stream in streams[1:]:
                        await echoes(stream, os.urandom(40_000))
                    with anyio.fail_after(100), pytest.raises(anyio.BrokenResourceError):
                        await tcp.receive()
            lines = [json.loads(line) for line in child.log.read_text().splitlines()]
    assert [each["event"] for each in lines if each.get("event") == "reloaded"] == ["reloaded"] * 2
    assert not [each for each in os.listdir(tmp_path) if each.endswith(".json")]


def _readyz(path: Path) -> int:
    try:
        return ControlSocket(path).ask("GET", "/readyz")[0]
    except NetworkError:
        return 0


async def _until_readyz_is(code: int, path: Path) -> None:
    while await to_thread.run_sync(_readyz, path) != code:  # noqa: ASYNC110
        await anyio.sleep(0.2)


class Stopwatch:
    """Seconds less those in which processes that we started were ready and had no processor."""

    def __init__(self) -> None:
        self._began, self._delayed = anyio.current_time(), self._delayed_seconds()

    def seconds(self) -> float:
        passed = anyio.current_time() - self._began
        return passed - max(0.0, self._delayed_seconds() - self._delayed)

    @staticmethod
    def _delayed_seconds() -> float:
        seconds = 0.0
        for child in psutil.Process().children(recursive=True):
            for path in Path(f"/proc/{child.pid}/task").glob("*/schedstat"):
                with suppress(OSError):
                    seconds += int(path.read_text().split()[1]) / 1e9
        return seconds


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
async def test_a_restart_of_the_network_shows_within_15_seconds_both_ways(tmp_path: Path) -> None:
    """Its cheap sibling, in virtual time, is in ``tests/operating/test_monitoring.py``."""
    stage, socket_path = Stage(folder=tmp_path), tmp_path / "control"
    flags = ("--state-dir", str(tmp_path / "net"))
    config = tmp_path / "nymproxy.toml"
    async with AsyncExitStack() as stack:
        upstream_address = await stack.enter_async_context(upstream(echo))
        network = AsyncExitStack()
        env_file = (await network.enter_async_context(stage.localnet(*flags))).env_file
        control = f'[control]\nsocket = "{socket_path}"\n'
        config.write_text(file_of(env_file, upstream_address, control))
        with socket.create_server(("127.0.0.1", 0)) as inherited:
            child = await stack.enter_async_context(running(tmp_path, inherited))
            ready_files = [tmp_path / f"server-{number}.json" for number in range(2)]
            await until(lambda: all(each.exists() for each in ready_files), seconds=100)
            address = ready_line(ready_files[0])["address"]
            client = client_of("unix", address, f"unix:{tmp_path}/a")
            config.write_text(file_of(env_file, upstream_address, control, client))
            child.process.send_signal(signal.SIGHUP)
            await until(lambda: (tmp_path / "unix.json").exists(), seconds=100)
            assert await to_thread.run_sync(_readyz, socket_path) == 200

            await network.aclose()
            since_the_loss = Stopwatch()
            await _until_readyz_is(503, socket_path)
            assert since_the_loss.seconds() < 15
            # Any of the forwards that is not ready makes it so; this one hears of it in its turn.
            await until(lambda: not (tmp_path / "unix.json").exists(), seconds=100)

            await stack.enter_async_context(stage.localnet(*flags, name="again"))
            since_the_return = Stopwatch()
            await _until_readyz_is(200, socket_path)
            assert since_the_return.seconds() < 15
            async with await anyio.connect_unix(tmp_path / "a") as stream:
                await echoes(stream, b"after the restart")
            await stop_process(child.process)
