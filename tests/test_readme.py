"""The README's quick start is the files in examples/, and these do what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from nymproxy.localnet import Localnet, LocalnetConfig
from nymproxy.testing.orphans import ends_with_us

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
NAMED_FILE = re.compile(r"`((?:nymproxy|tests|migrate|benchmarks)/[^`\s]+)`")
QUICK_START = ["quickstart_server.py", "quickstart_client.py"]


def test_the_blocks_are_the_files() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks == [(EXAMPLES / name).read_text() for name in QUICK_START]


def test_the_rooms_of_the_architecture_are_there() -> None:
    """Two spaces are a name in ``nymproxy/``, four one in ``nymproxy/mixnet/``."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    (tree,) = re.findall(r"```\n(nymproxy/\n.*?)```", page, re.DOTALL)
    folders = {2: ROOT / "nymproxy", 4: ROOT / "nymproxy" / "mixnet"}
    found = re.findall(r"^( {2}| {4})(\S+)(?:  ?(\S+\.py))?", tree, re.MULTILINE)
    assert len(found) > 15
    for indentation, *names in found:
        for name in filter(None, names):
            assert any(folders[len(indentation)].glob(name)), f"there is no {name}"


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md"])
def test_named_files_are_there(page: str) -> None:
    for name in re.findall(
        r"`((?:nymproxy|tests|migrate|benchmarks)/[^`\s]+)`", (ROOT / page).read_text()
    ):
        if "NNN" not in name and "<" not in name:
            assert any(ROOT.glob(name)), f"{page} names {name}"


async def _echo(stream: SocketStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send(data)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_quick_start_works(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    async with (
        Localnet(LocalnetConfig(state_dir=tmp_path / "net")) as localnet,
        await anyio.create_tcp_listener(local_host="127.0.0.1") as upstream,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(upstream.serve, _echo)
        where = f"127.0.0.1:{upstream.extra(SocketAttribute.local_port)}"
        env = str(localnet.env_file)
        server_command = [sys.executable, str(EXAMPLES / QUICK_START[0])]
        async with await anyio.open_process(
            [*server_command, where, str(tmp_path / "keys"), env],
            env=environment,
            stderr=subprocess.DEVNULL,
        ) as server:
            assert server.stdout is not None
            with ends_with_us(server.pid), anyio.fail_after(30):
                address = (await server.stdout.receive()).decode().strip()
                client = await anyio.run_process(
                    [sys.executable, str(EXAMPLES / QUICK_START[1]), address, env],
                    env=environment,
                )
            server.terminate()
        assert client.stdout.decode().strip() == "hello through the mixnet"
        tasks.cancel_scope.cancel()
