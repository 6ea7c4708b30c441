"""What systemd is sent, and that nobody needs to listen."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.operating.service_manager import ServiceManager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def manager_socket(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        path = str(tmp_path / "notify")
        listening.bind(path)
        listening.settimeout(5)
        yield listening, path


def test_each_state_is_one_datagram(manager_socket: tuple[socket.socket, str]) -> None:
    listening, path = manager_socket
    manager = ServiceManager({"NOTIFY_SOCKET": path})
    manager.status("waiting\nfor a gateway")
    manager.status("waiting\nfor a gateway")
    manager.ready()
    manager.reloading()
    manager.stopping()
    received = [listening.recv(500).decode() for _ in range(4)]
    assert received[0] == "STATUS=waiting for a gateway"
    assert received[1] == "READY=1"
    assert received[2].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert received[3] == "STOPPING=1"


def test_abstract_names_begin_with_an_at() -> None:
    name = f"nymproxy-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        listening.settimeout(5)
        ServiceManager({"NOTIFY_SOCKET": "@" + name}).ready()
        assert listening.recv(100) == b"READY=1"


def test_without_a_manager_nothing_happens() -> None:
    ServiceManager({}).ready()


def test_a_manager_that_is_gone_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nowhere")}).ready()
    assert "cannot notify the service manager" in caplog.text


async def test_the_watchdog_hears_of_a_loop_that_turns(
    manager_socket: tuple[socket.socket, str],
) -> None:
    listening, path = manager_socket
    environ = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000", "WATCHDOG_PID": str(os.getpid())}
    manager = ServiceManager(environ)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(manager.keep_watchdog_quiet)
        for _ in range(3):
            assert await anyio.to_thread.run_sync(listening.recv, 100) == b"WATCHDOG=1"
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "2000", "WATCHDOG_PID": "1"},
    ],
)
async def test_a_watchdog_of_somebody_else_is_not_fed(environ: dict[str, str]) -> None:
    manager = ServiceManager(environ)
    assert manager.watchdog_seconds is None
    await manager.keep_watchdog_quiet()
