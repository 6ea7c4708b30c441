"""The flags of ``client`` and ``server``: each is explained, and ends up in its field."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer.main

import nymproxy
from nymproxy.cli import client as client_command
from nymproxy.cli import server as server_command
from nymproxy.cli.app import app
from nymproxy.cli.choices import Accept, IdentityMode, LogLevel, OnOff, Profile, Tls, Wire
from nymproxy.cli.old_flags import SHORT
from nymproxy.cli.program import run
from nymproxy.cli.settings import ClientSettings, ProxySettings, ServerSettings
from nymproxy.cli.taking import switches

GROUP: Any = typer.main.get_command(app)
REQUIRED = {"client": ["-s", "x"], "server": ["-u", "x"]}

# Words, the field that shows them, and its value.
SHARED: list[tuple[list[str], str, object]] = [
    (["--profile", "bare"], "profile", Profile.BARE),
    (["--tls", "always"], "tls", Tls.ALWAYS),
    (["--proxy", "socks5://h:1"], "proxy", "socks5://h:1"),
    (["--ca-file", "ca.pem"], "ca_file", Path("ca.pem")),
    (["--address-file", "a.json"], "address_file", Path("a.json")),
    (["--grace-period", "0.5"], "grace_period_seconds", 0.5),
    (["--idle-timeout", "90"], "idle_timeout_seconds", 90.0),
    (["--json"], "json_logs", True),
    (["--metrics", "127.0.0.1:0"], "metrics", "127.0.0.1:0"),
    (["--probe", "a"], "probe", "a"),
    (["--control", "x.sock"], "control", Path("x.sock")),
    (["--log-level", "warn"], "log_level", LogLevel.WARN),
    (["--log-file", "x.log"], "log_file", Path("x.log")),
    (["--log-sessions", "off"], "log_sessions", OnOff.OFF),
    (["--debug"], "debug", True),
]
OWN: dict[str, list[tuple[list[str], str, object]]] = {
    "client": [
        (["--listen", "unix:/x"], "listen", "unix:/x"),
        (["--wire", "stream"], "wire", Wire.STREAM),
        (["--require-sealed"], "require_sealed", True),
        (["--identity-mode", "pool"], "identity_mode", IdentityMode.POOL),
        (["--max-connections", "7"], "max_connections", 7),
        (["-L", "1:a", "-L", "2:b"], "forward", ["1:a", "2:b"]),
        (["--identity-group", "x"], "identity_group", "x"),
        (["--upstream-header", "h:1"], "upstream_header", "h:1"),
        (["--connect-timeout", "7"], "connect_timeout_seconds", 7.0),
    ],
    "server": [
        (["--key-passphrase-file", "p"], "key_passphrase_file", Path("p")),
        (["--compat-config-dir"], "compat_config_dir", True),
        (["--new-identity"], "new_identity", True),
        (["--accept", "stream"], "accept", Accept.STREAM),
        (["--close-to-legacy-clients"], "close_to_legacy_clients", True),
        (["--max-sessions", "7"], "max_sessions", 7),
        (["--max-sessions-per-client", "3"], "max_sessions_per_client", 3),
        (
            ["--allow-upstream", "h:1", "--allow-upstream", "g:*"],
            "allowed_upstreams",
            ["h:1", "g:*"],
        ),
        (["--connect-rate", "2.5"], "connect_rate", 2.5),
    ],
}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[ProxySettings]:
    taken: list[ProxySettings] = []
    for module in (client_command, server_command):
        monkeypatch.setattr(module, "run", taken.append)
    return taken


@pytest.mark.parametrize(
    ("command", "words", "field", "expected"),
    [(command, *case) for command, own in OWN.items() for case in [*SHARED, *own]],
)
def test_a_flag_sets_its_field_and_no_other(
    taken: list[ProxySettings], command: str, words: list[str], field: str, expected: object
) -> None:
    assert run([command, *REQUIRED[command]]) == 0
    assert run([command, *REQUIRED[command], *words]) == 0
    without, with_flag = taken
    changed = {
        each.name
        for each in fields(without)
        if getattr(without, each.name) != getattr(with_flag, each.name)
    }
    assert changed == {field}
    assert getattr(with_flag, field) == expected


@pytest.mark.parametrize(
    ("command", "settings"), [("client", ClientSettings), ("server", ServerSettings)]
)
def test_a_command_has_the_flags_of_its_settings_the_shared_ones_last(
    command: str, settings: type[ProxySettings]
) -> None:
    parameters = GROUP.commands[command].params
    assert {each.name for each in parameters} == {each.name for each in fields(settings)}
    shared = [each.name for each in fields(ProxySettings)]
    assert [each.name for each in parameters][-len(shared) :] == shared
    assert all(each.help for each in parameters)


def test_the_version_goes_with_the_name_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"nymproxy {nymproxy.__version__}\n"


@pytest.mark.parametrize("command", SHORT)
def test_every_old_flag_is_one_of_ours_with_its_short_name(command: str) -> None:
    options = {option.opts[0]: option.opts[1:] for option in GROUP.commands[command].params}
    ours = {name: options[f"--{name}"] for name in SHORT[command]}
    assert ours == {name: [short] if short else [] for name, short in SHORT[command].items()}


def test_switches_are_the_flags_that_take_no_value() -> None:
    for command, settings in (("client", ClientSettings), ("server", ServerSettings)):
        flags = {
            option.opts[0]
            for option in GROUP.commands[command].params
            if option.is_flag and option.name != "help"
        }
        assert set(switches(settings)) == flags
