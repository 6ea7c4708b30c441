"""Every command line and every environment of the old binaries, as our commands take them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nymproxy.cli import client as client_command
from nymproxy.cli import server as server_command
from nymproxy.cli.program import run
from tests.vectors.files import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nymproxy.cli.settings import ClientSettings, ServerSettings

ADDRESS: str = load("pipeline.json")["recipients"][0]["text"]
GATEWAY = ADDRESS.rpartition("@")[2]
UPSTREAM = "127.0.0.1:8000"

# Flag, its short form, a value, and the field that shows it.
CLIENT_FLAGS = [
    ("--server-address", "-s", ADDRESS, "server_address", [ADDRESS]),
    ("--listen-address", None, "0.0.0.0", "listen_address", "0.0.0.0"),
    ("--listen-address", None, "[::1]", "listen_address", "[::1]"),
    ("--listen-port", None, "0", "listen_port", 0),
    ("--listen-port", None, "65535", "listen_port", 65535),
    ("--close-timeout", None, "300", "close_timeout_seconds", 300.0),
    ("--env-path", "-e", "/x=y.env", "env_path", Path("/x=y.env")),
    ("--client-pool-reserve", None, "0", "client_pool_reserve", 0),
]
SERVER_FLAGS = [
    ("--upstream-tcp-address", "-u", UPSTREAM, "upstream_tcp_address", UPSTREAM),
    ("--upstream-address", None, UPSTREAM, "upstream_tcp_address", UPSTREAM),
    ("--config-dir", "-c", "/srv/keys", "config_dir", "/srv/keys"),
    ("--env-path", "-e", "../net.env", "env_path", Path("../net.env")),
    ("--gateway", "-g", GATEWAY, "gateway", [GATEWAY]),
]
Flag = tuple[str, str | None, str, str, object]
WARNED_ABOUT = (
    *("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)


@pytest.fixture(autouse=True)
def _no_variables_that_are_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WARNED_ABOUT:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def spellings(flag: Flag) -> Iterator[list[str]]:
    """All ways in which the old parser takes a flag with its value."""
    long, short, value, _, _ = flag
    yield [long, value]
    yield [f"{long}={value}"]
    if short is not None:
        yield [short, value]
        yield [f"{short}{value}"]
        yield [f"{short}={value}"]


def cases(flags: list[Flag]) -> list[tuple[list[str], str, object]]:
    return [(words, flag[3], flag[4]) for flag in flags for words in spellings(flag)]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], ClientSettings]:
    taken: list[ClientSettings] = []
    monkeypatch.setattr(client_command, "run", taken.append)

    def invoke(arguments: list[str]) -> ClientSettings:
        assert run(["client", *arguments]) == 0
        return taken.pop()

    return invoke


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], ServerSettings]:
    taken: list[ServerSettings] = []
    monkeypatch.setattr(server_command, "run", taken.append)

    def invoke(arguments: list[str]) -> ServerSettings:
        assert run(["server", *arguments]) == 0
        return taken.pop()

    return invoke


@pytest.mark.parametrize(("words", "field", "expected"), cases(CLIENT_FLAGS))
def test_client_flags(
    client: Callable[[list[str]], ClientSettings], words: list[str], field: str, expected: object
) -> None:
    required = [] if field == "server_address" else ["-s", ADDRESS]
    assert getattr(client([*required, *words]), field) == expected
    assert getattr(client([*words, *required]), field) == expected


@pytest.mark.parametrize(("words", "field", "expected"), cases(SERVER_FLAGS))
def test_server_flags(
    server: Callable[[list[str]], ServerSettings], words: list[str], field: str, expected: object
) -> None:
    required = [] if field == "upstream_tcp_address" else ["-u", UPSTREAM]
    assert getattr(server([*required, *words]), field) == expected
    assert getattr(server([*words, *required]), field) == expected


def test_all_flags_in_any_order(
    client: Callable[[list[str]], ClientSettings], server: Callable[[list[str]], ServerSettings]
) -> None:
    words = [["-s", ADDRESS], ["-e=n.env"], ["--listen-port=9"], ["--close-timeout", "10"]]
    found = {repr(client(list(itertools.chain(*order)))) for order in itertools.permutations(words)}
    assert len(found) == 1
    server_words = [[f"-u{UPSTREAM}"], ["-c=/k"], ["-e", "n.env"], ["-g", GATEWAY]]
    found = {
        repr(server(list(itertools.chain(*order))))
        for order in itertools.permutations(server_words)
    }
    assert len(found) == 1


def test_the_defaults_are_the_old_ones(
    client: Callable[[list[str]], ClientSettings], server: Callable[[list[str]], ServerSettings]
) -> None:
    settings = client(["-s", ADDRESS])
    assert (settings.listen_address, settings.listen_port) == ("127.0.0.1", 8080)
    assert (settings.close_timeout_seconds, settings.client_pool_reserve) == (30.0, 2)
    assert settings.env_path is None
    assert settings.wire == "auto"
    server_settings = server(["-u", UPSTREAM])
    assert (server_settings.config_dir, server_settings.env_path) == (None, None)
    assert server_settings.gateway is None
    assert server_settings.accept.protocols == ("legacy", "stream")


@pytest.mark.parametrize(
    "arguments",
    [
        ["client", "-s", ADDRESS, "--listen_port", "80"],
        ["client", "-s", ADDRESS, "--listen-port", "70000"],
        ["client", "-s", ADDRESS, "extra"],
        ["client", "-s"],
        ["server", "-u", UPSTREAM, "--upstream-address", UPSTREAM],
        ["server", "-u", UPSTREAM, "-c=/a", "-c/b"],
    ],
)
def test_what_the_old_parser_refuses_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().out == ""


class TestEnvironment:
    """The server gives up at once: nothing listens at port 9."""

    QUOTED = 'NYM_APIS=\'[{"url":"http://127.0.0.1:9/api/"}]\'\n'

    def said(self, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> str:
        env, keys = tmp_path / "net.env", tmp_path / "keys"
        env.write_text(f"NETWORK_NAME=x\n{text}")
        keys.mkdir()
        assert run(["server", "-u", UPSTREAM, "-c", str(keys), "-e", str(env)]) != 0
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "Traceback" not in captured.err
        return captured.err

    def test_a_good_file_is_used_silently(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = self.said(tmp_path, self.QUOTED, capsys)
        assert "127.0.0.1:9" in text
        assert "WARN" not in text

    def test_only_nym_api_goes_to_mainnet_with_the_old_binary(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = self.said(tmp_path, "NYM_API=http://127.0.0.1:9/api/\n", capsys)
        assert "127.0.0.1:9" in text
        assert "add the line NYM_APIS=" in text

    def test_unquoted_json_is_refused_by_the_old_binary(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = self.said(tmp_path, self.QUOTED.replace("'", ""), capsys)
        assert "127.0.0.1:9" in text
        assert "WARN" in text
        assert "put it between single quotes" in text

    def test_configured_means_that_the_file_is_not_loaded(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CONFIGURED", "")
        monkeypatch.setenv("NYM_APIS", '[{"url":"http://127.0.0.1:7/api/"}]')
        text = self.said(tmp_path, self.QUOTED, capsys)
        assert "127.0.0.1:7" in text
        assert "127.0.0.1:9" not in text
        assert "CONFIGURED is set" in text

    def test_a_variable_of_the_environment_wins_over_the_file(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NYM_APIS", '[{"url":"http://127.0.0.1:7/api/"}]')
        assert "127.0.0.1:7" in self.said(tmp_path, self.QUOTED, capsys)

    def test_a_bad_path_is_named(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["server", "-u", UPSTREAM, "-c", str(tmp_path), "-e", "/no/such.env"]) == 2
        assert "/no/such.env" in capsys.readouterr().err


class TestDirectoryThatIsNotThere:
    """The old binary glued -c to $HOME as text."""

    def said(self, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
        env = tmp_path / "net.env"
        env.write_text(f"NETWORK_NAME=x\n{TestEnvironment.QUOTED}")
        run(["server", "-u", UPSTREAM, "-e", str(env), *arguments])
        return capsys.readouterr().err

    @pytest.fixture
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        home = tmp_path / "home"
        monkeypatch.setenv("HOME", str(home))
        return home

    def test_the_old_place_is_named(
        self, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        given = tmp_path / "keys"
        old = Path(f"{home}{given}")
        old.mkdir(parents=True)
        text = self.said(["-c", str(given)], tmp_path, capsys)
        assert f"use -c {old} to keep that Nym address" in text

    def test_nothing_is_said_where_there_is_nothing(
        self, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = self.said(["-c", str(tmp_path / "keys")], tmp_path, capsys)
        assert "old binary" not in text

    def test_the_switch_uses_the_old_place_and_says_so(
        self, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = self.said(["-c", "data", "--compat-config-dir"], tmp_path, capsys)
        assert f"there are no keys in {home}data" in text
        assert "--new-identity" in text
        text = self.said(["-c", "data", "--compat-config-dir", "--new-identity"], tmp_path, capsys)
        assert f"the keys are in {home}data\n" in text
