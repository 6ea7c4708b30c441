"""README's way from a clone to an ssh session through ``nymproxy run``: its very commands."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from nymproxy.cli.configuration import load
from tests.legacy.proxies import free_port, upstream

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def commands() -> list[str]:
    """Return the commands of the block, each with the lines of its here-document."""
    text = (ROOT / "README.md").read_text()
    (block,) = (
        block
        for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL)
        if "nymproxy run -c" in block
    )
    return [each.strip() for each in re.split(r"^\$ ", block, flags=re.MULTILINE) if each.strip()]


def config() -> str:
    (heredoc,) = (each for each in commands() if "<<'END'" in each)
    return heredoc.partition("\n")[2].removesuffix("END")


def test_there_are_less_than_ten_commands_and_their_file_can_be_used(tmp_path: Path) -> None:
    assert len(commands()) + 1 < 10, "git clone is one of them"
    path = tmp_path / "nymproxy.toml"
    path.write_text(config())
    (server,) = load(path, {}, {}).servers
    assert server.settings.config_dir == str(tmp_path / "keys")


def script(upstream_address: str, port: int) -> str:
    """Return the commands as a script, which waits where a person would, and ends by saying so."""
    waits = {
        "nymproxy localnet": "until [ -e net/localnet.env ]; do sleep 0.1; done",
        "nymproxy run": "until nymproxy address keys >/dev/null 2>&1; do sleep 0.2; done",
    }
    lines = ["set -m"]  # job control, for %2
    for command in commands():
        if command.startswith(("make ", "ssh ")):
            continue  # what is installed is tested here, and no ssh server runs
        name = " ".join(shlex.split(command, comments=True)[:2])
        command = command.replace('127.0.0.1:22"', f'{upstream_address}"')
        lines += [command.replace("2222", str(port)), waits.get(name, ":")]
    return "\n".join([*lines, "echo done", "wait"])


async def _banner(stream: anyio.abc.SocketStream) -> None:
    await stream.send(b"SSH-2.0-pretended\r\n")
    await stream.receive()


@pytest.mark.exhaustive
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_they_lead_to_the_service(tmp_path: Path) -> None:
    """The test above is its cheap sibling."""
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    port = await free_port()
    async with upstream(_banner) as address:
        process = await anyio.open_process(
            ["bash", "-c", script(address, port)],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            with anyio.fail_after(50):
                await _reach(port)
        finally:
            with anyio.CancelScope(shield=True):
                for _ in range(2):  # at the second one nothing is waited for any more
                    for child in _children_of(process.pid):
                        os.kill(child, signal.SIGTERM)
                    with anyio.move_on_after(2):
                        await process.wait()
                await process.aclose()


async def _reach(port: int) -> None:
    """Connect until the service answers."""
    while True:
        try:
            async with await anyio.connect_tcp("127.0.0.1", port) as app:
                assert (await app.receive()).startswith(b"SSH-2.0-")
                return
        except (OSError, anyio.BrokenResourceError):
            await anyio.sleep(0.2)


def _children_of(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:  # it has ended
        return []
    return [int(each) for each in text.split()]
