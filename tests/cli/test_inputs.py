"""Files that options name: whatever is there ends in an error that names it, or is waited for where
a signal ends the process; and a pipe holds for all that need it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nymproxy.cli import client, local_commands, server
from nymproxy.cli.config_file import read_document
from nymproxy.cli.configuration import load
from nymproxy.cli.connection import connection_options
from nymproxy.cli.inputs import Inputs
from nymproxy.cli.settings import ClientSettings, ServerSettings
from nymproxy.errors import ConfigurationError, NymError, StorageError
from nymproxy.localnet.config import LocalnetConfig
from nymproxy.localnet.network_state import STATE_FILE, StateDirectory
from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.storage.identities import nym_addresses_of
from nymproxy.operating.groups import IdentityGroups
from nymproxy.operating.log_file import LogFile

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent.parent
TEN_GIGABYTES = 10 * 1000**3


def _client(inputs: Inputs, **settings: Path) -> object:
    given = ClientSettings(server_address=["A"], **settings)  # type: ignore[arg-type]
    return client.plan_of(given, "client", MemoryAccount(), IdentityGroups(), inputs)


def _server(**settings: Path) -> object:
    given = ServerSettings(upstream_tcp_address="127.0.0.1:1", **settings)  # type: ignore[arg-type]
    return server.plan_of(given, "server", MemoryAccount(), Inputs())


def _faults(path: Path) -> object:
    return local_commands.localnet(faults=path)


def _state_file(path: Path) -> object:
    directory = StateDirectory(path.parent / "state")
    (directory.path / STATE_FILE).symlink_to(path)
    try:
        return directory.load(LocalnetConfig(), 0.0, bytes)
    finally:
        directory.close()


def _key_file(path: Path) -> object:
    directory = path.parent / "keys"
    directory.mkdir(mode=0o700)
    for name in ("identity", "encryption"):
        (directory / f"public_{name}.pem").symlink_to(path)
    return nym_addresses_of(directory)


READERS: dict[str, Callable[[Path], object]] = {
    "client --env-path": lambda path: _client(Inputs(), env_path=path),
    "client --ca-file": lambda path: _client(Inputs(), ca_file=path),
    "server --env-path": lambda path: _server(env_path=path),
    "server --key-passphrase-file": lambda path: _server(key_passphrase_file=path),
    "run --config": lambda path: load(path, {}, {}),
    "localnet --faults": _faults,
    "localnet --state-dir": _state_file,
    "address": _key_file,
}
LOGS = {"--log-file": LogFile}


def _sparse(path: Path) -> None:
    path.touch(0o600)
    os.truncate(path, TEN_GIGABYTES)


KINDS: dict[str, Callable[[Path], object]] = {
    "a directory": lambda path: path.mkdir(),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a large file": _sparse,
    "nothing": lambda path: None,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("option", READERS)
def test_what_is_no_file_of_ours_is_named(option: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "named"
    KINDS[kind](path)
    if option == "localnet --state-dir" and kind == "nothing":
        return  # then it is made
    with pytest.raises((NymError, OSError)) as caught:
        READERS[option](path)
    assert any(str(each) in str(caught.value) for each in (path, "keys", "state")), caught.value


@pytest.mark.parametrize("option", ["localnet --state-dir", "address"])
def test_where_nobody_means_a_pipe_none_is_waited_for(option: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "named", 0o600)
    with pytest.raises(StorageError, match="no regular file"):
        READERS[option](tmp_path / "named")


def test_a_log_that_nobody_reads(tmp_path: Path) -> None:
    path = tmp_path / "log"
    os.mkfifo(path)
    with pytest.raises(OSError, match="nobody reads this pipe"):
        LogFile(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    LogFile(path).close()
    os.close(reader)
    with pytest.raises(IsADirectoryError):
        LogFile(tmp_path)


def _pipe_with(content: bytes) -> Path:
    """Make what a shell gives for ``<(...)``; it stays open until the process ends."""
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    return Path(f"/dev/fd/{reader}")


def test_a_pipe_is_read_once_for_all() -> None:
    """A second forward found it empty, and took that for mainnet."""
    env = _pipe_with(b"NYM_API=http://127.0.0.1:1/\n")
    inputs = Inputs()
    for _ in range(2):
        assert inputs.network(env).nym_api_urls[0].url == "http://127.0.0.1:1/"
    inputs.forbid_waiting()
    assert inputs.network(env).nym_api_urls[0].url == "http://127.0.0.1:1/"
    assert inputs.network(None).network_name == "mainnet"


def test_a_passphrase_from_a_pipe_is_there_when_the_server_starts() -> None:
    inputs = Inputs()
    settings = ServerSettings(
        upstream_tcp_address="127.0.0.1:1", key_passphrase_file=_pipe_with(b"secret\n")
    )
    for _ in range(2):
        server.plan_of(settings, "server", MemoryAccount(), inputs)


def test_a_reload_waits_for_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    inputs = Inputs()
    inputs.forbid_waiting()
    with pytest.raises(ConfigurationError, match=r"pipe is no file: .* not at a reload"):
        inputs.network(tmp_path / "pipe")
    file = tmp_path / "file"
    for url in ("http://127.0.0.1:1/", "http://127.0.0.1:2/"):
        file.write_text(f"NYM_API={url}\n")
        assert inputs.network(file).nym_api_urls[0].url == url  # a file is read anew


@pytest.mark.parametrize("text", ["", "# 2 µm\n", "no certificate"])
def test_certificates_that_are_none_are_not_the_public_ones(text: str, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="holds no certificates"):
        connection_options(ClientSettings(server_address=["A"], ca_file=path), Inputs())


@pytest.mark.parametrize(
    "line", [".".join(["a"] * 50_000) + " = 1", "[" + ".".join(['"a"'] * 5_000) + "]"]
)
def test_keys_that_would_be_read_for_minutes(line: str, tmp_path: Path) -> None:
    path = tmp_path / "nymproxy.toml"
    path.write_text(f"# one\n{line}\n")
    with pytest.raises(ConfigurationError, match="line 2 has more than 256 dots"):
        read_document(path)


def test_a_long_list_of_addresses_is_none_of_these(tmp_path: Path) -> None:
    path = tmp_path / "nymproxy.toml"
    addresses = ", ".join(f'"A{number}.B@C"' for number in range(250))
    path.write_text(f'[[client]]\nname = "a"\nserver = [{addresses}]\n')
    assert len(read_document(path)["client"][0]["server"]) == 250


def test_who_waits_for_a_pipe_says_so_and_ends_when_told_to(tmp_path: Path) -> None:
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    cases = (("client", "-s", "A", "-e", pipe), ("run", "-c", pipe))
    with ExitStack() as stack:
        processes = []
        for arguments in cases:  # side by side, since each waits for a second
            command = [sys.executable, "-m", "nymproxy", *arguments]
            started = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
            processes.append(stack.enter_context(started))
            stack.callback(started.kill)
        for process in processes:
            assert process.stderr is not None
            assert any("waiting for the end of what" in line for line in process.stderr)
            process.terminate()
            assert process.wait(60) == -signal.SIGTERM
