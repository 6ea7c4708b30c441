"""The commands as an operator meets them: one-line errors, ready lines, and an end in order."""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
from pathlib import Path

import anyio
import pytest

from nymproxy.address import NymAddress
from nymproxy.cli.program import run
from nymproxy.cli.server import effective_config_dir, expect_keys, old_home
from nymproxy.errors import ConfigurationError
from nymproxy.localnet import Localnet, LocalnetConfig
from nymproxy.mixnet.storage.directory import nym_address_of
from nymproxy.testing.stage import Stage
from nymproxy.testing.upstream import GREETING, serve_upstream
from tests.vectors.files import load

ADDRESS: str = load("pipeline.json")["recipients"][0]["text"]
GATEWAY = ADDRESS.partition("@")[2]

# A directory that refuses connections: port 9 of loopback.
DEAD_ENV = 'NETWORK_NAME=x\nNYM_APIS=\'[{"url":"http://127.0.0.1:9/api/"}]\'\n'


@pytest.fixture
def dead_env(tmp_path: Path) -> str:
    path = tmp_path / "dead.env"
    path.write_text(DEAD_ENV)
    return str(path)


def _only_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if line.startswith("nymproxy: ")]
    assert len(lines) == 1
    assert "Traceback" not in captured.err
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["client"], 2, "name the server: -s ADDRESS, or -L PORT:ADDRESS"),
        (["server"], 2, "Missing option '--upstream-tcp-address'"),
        (["client", "-L", "x:nonsense"], 2, "write [HOST:]PORT:ADDRESS"),
        (["client", "-L", "1:a", "-s", ADDRESS], 2, "leave out the rest"),
        (["client", "--unknown"], 2, "--unknown"),
        (["client", "-s", ADDRESS, "--wire", "foo"], 2, "for '--wire': 'foo' is not one of"),
        (["server", "-u", "h:1", "--connect-rate", "x"], 2, "for '--connect-rate'"),
        (["nothing"], 2, "nothing"),
        (["client", "-s", "nonsense"], 2, "identity.encryption@gateway"),
        (["client", "-s", ADDRESS, "-e", "/nonexistent.env"], 2, "/nonexistent.env"),
        (["client", "-s", ADDRESS, "-s", ADDRESS], 2, "each server once"),
        (["client", "-s", ADDRESS, "-e", "DEAD", "-e", "DEAD"], 2, "given twice"),
        (["server", "-u", "no-port", "-c", "/nonexistent", "-e", "DEAD"], 2, "host:port"),
        (["server", "-u", "h:1", "-c", "/nonexistent", "-e", "DEAD", "-g", "x"], 2, "identity"),
        (["server", "-u", "h:1", "-c", "x", "-e", "DEAD", "-g", GATEWAY, "-g", GATEWAY], 2, "once"),
        (["server", "-u", "127.0.0.1:1", "-c", "DEAD", "-e", "DEAD"], 2, "no directory"),
        (["server", "-u", "127.0.0.1:1", "-c", "NEW", "-e", "DEAD"], 1, "directory"),
        (["address", "/nonexistent"], 2, "/nonexistent"),
        (["localnet", "--faults", "/nonexistent"], 2, "/nonexistent"),
        (["localnet", "--base-port", "65535"], 2, "65535"),
    ],
)
def test_one_line_says_what_is_wrong(
    arguments: list[str],
    code: int,
    text: str,
    dead_env: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"DEAD": dead_env, "NEW": str(tmp_path / "new")}
    assert run([places.get(argument, argument) for argument in arguments]) == code
    assert text in _only_line(capsys)


def test_a_taken_port_is_named(dead_env: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(["client", "-s", ADDRESS, "-e", dead_env, "--listen-port", port]) == 2
    assert port in _only_line(capsys)


def test_the_fatal_line_is_json_among_json_logs(
    dead_env: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["client", "-s", ADDRESS, "-e", dead_env, "--listen-port", "0", "--json"]) == 1
    (line,) = [json.loads(each) for each in capsys.readouterr().err.splitlines() if "fatal" in each]
    assert (line["event"], line["code"]) == ("fatal", "directory-unavailable")


def test_without_a_network_it_ends_in_one_line(
    dead_env: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the attempts nor the addresses of a directory make a line of their own."""
    assert run(["client", "-s", ADDRESS, "-e", dead_env, "--listen-port", "0"]) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if "_FILE is set" not in line]
    assert len([line for line in said if "directory" in line]) == 1


def test_what_nobody_chose_is_said_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert run(["client", "-s", "nonsense"]) == 2
    assert "Nym mainnet, since no -e was given" in capsys.readouterr().err.splitlines()[0]


@pytest.mark.parametrize(
    "command", [[], *([name] for name in ("client", "server", "run", "status"))]
)
def test_help_is_there(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "-h"]) == 0
    shown = capsys.readouterr().out
    assert "--help" in shown
    assert "bool" not in shown, "a flag has no type for whom reads the help"


class TestConfigDir:
    def test_d20_the_path_is_as_given(self) -> None:
        assert effective_config_dir("/srv/x", compat=False, home="/home/u") == Path("/srv/x")

    def test_d20_the_switch_glues_it_to_home_as_text(self) -> None:
        assert effective_config_dir("data", compat=True, home="/home/u") == Path("/home/udata")
        assert effective_config_dir("/srv/x", compat=True, home="/home/u") == Path("/home/u/srv/x")

    def test_the_default_is_where_the_old_binary_kept_its_keys(self) -> None:
        assert effective_config_dir(None, compat=False, home="/home/u") == Path(
            "/home/u/tmp/nym-tcp-proxy-server"
        )

    def test_without_home_it_must_be_said(self) -> None:
        with pytest.raises(ConfigurationError, match="--config-dir"):
            effective_config_dir(None, compat=False, home=None)

    @pytest.mark.parametrize("environ", [{}, {"HOME": ""}])
    def test_without_home_the_account_database_knows_it(self, environ: dict[str, str]) -> None:
        assert old_home(environ) == pwd.getpwuid(os.getuid()).pw_dir
        assert old_home({"HOME": "/srv"}) == "/srv"

    def test_keys_that_are_not_where_the_old_rule_leads_are_never_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        assert run(["server", "-u", "127.0.0.1:1", "-c", "/keys", "--compat-config-dir"]) == 2
        assert f"no keys in {tmp_path}/keys" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "keys").mkdir()
        (tmp_path / "keys" / "public_identity.pem").touch()
        expect_keys(tmp_path / "keys")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_ready_and_an_end_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """d30: SIGTERM resets what is not over in time, on both sides, and the process ends with 0."""
    address_file = tmp_path / "address.json"
    stage = Stage(folder=tmp_path, flags=("--grace-period", "1"))
    async with (
        Localnet(LocalnetConfig(seed=5)) as localnet,
        serve_upstream() as upstream,
        stage.server(
            *(localnet.env_file, upstream.greeter, "--address-file", str(address_file)),
            *("--gateways", "2"),
            config_dir=tmp_path / "keys",
        ) as server,
        stage.client(localnet.env_file, server.address) as client,
    ):
        ready = server.child.ready
        assert json.loads(await anyio.Path(address_file).read_text()) == ready
        addresses = [NymAddress.parse(text) for text in ready["addresses"]]
        assert len({address.gateway for address in addresses}) == 2
        assert "Client created: " + server.address in server.child.log.read_text()
        for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGUSR1):
            server.child.process.send_signal(number)
        with anyio.fail_after(20):
            while "sessions begun" not in server.child.log.read_text():  # noqa: ASYNC110
                await anyio.sleep(0.05)
        target = client.target()
        async with await anyio.connect_tcp(target.host, target.port) as app:
            assert await app.receive(len(GREETING)) == GREETING
            server.child.process.send_signal(signal.SIGTERM)
            with anyio.fail_after(20), pytest.raises(anyio.BrokenResourceError):
                await app.receive()
        with anyio.fail_after(20):
            assert await server.child.process.wait() == 0
        assert not await anyio.Path(address_file).exists()
        client.child.process.send_signal(signal.SIGINT)
        with anyio.fail_after(20):
            assert await client.child.process.wait() == 0
    # After the end the directory tells the same addresses, offline.
    assert str(nym_address_of(tmp_path / "keys")) == server.address == ready["address"]
    assert run(["address", str(tmp_path / "keys")]) == 0
    assert capsys.readouterr().out.split() == ready["addresses"]
    assert run(["address", "--json", str(tmp_path / "keys")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"address": server.address, "addresses": ready["addresses"]}
