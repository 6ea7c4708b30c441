"""Configuration files: what is read, who wins, and what is said of what is wrong."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import jsonschema  # type: ignore[import-untyped]
import pytest

from nymproxy.cli.config_file import schema
from nymproxy.cli.configuration import Configuration, load
from nymproxy.cli.keys import without_limits
from nymproxy.cli.program import run
from nymproxy.errors import ConfigurationError
from tests.vectors.files import load as vectors

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS: str = vectors("pipeline.json")["recipients"][0]["text"]
WHOLE = f"""
grace_period = 5
[network]
env = "localnet.env"
tls = "never"
proxy = "socks5://user:secret@host:1"
[log]
level = "debug"
[[client]]
name = "ssh"
listen = "[::1]:2222"
server = "{ADDRESS}"
identity = "shared"
[[server]]
name = "web"
upstream = "unix:/run/web.sock"
config_dir = "keys"
gateway = ["one", "two"]
"""


def written(tmp_path: Path, text: str = WHOLE) -> Path:
    path = tmp_path / "nymproxy.toml"
    path.write_text(text)
    return path


def loaded(path: Path, environ: dict[str, str] | None = None) -> Configuration:
    return load(path, environ or {}, {})


def test_keys_end_up_in_their_fields_and_paths_start_at_the_file(tmp_path: Path) -> None:
    configuration = loaded(written(tmp_path))
    (client,), (server,) = configuration.clients, configuration.servers
    assert client.settings.listen == "[::1]:2222"
    assert client.settings.identity_mode.value == "shared"
    assert client.settings.env_path == server.settings.env_path == tmp_path / "localnet.env"
    assert server.settings.config_dir == str(tmp_path / "keys")
    assert server.settings.gateway == ["one", "two"]
    assert configuration.value("grace_period_seconds") == 5.0
    assert configuration.value("log_level").value == "debug"


def test_old_directories_are_glued_and_not_joined(tmp_path: Path) -> None:
    text = WHOLE.replace('"keys"', '"/keys"\ncompat_config_dir = true')
    assert loaded(written(tmp_path, text)).servers[0].settings.config_dir == "/keys"


def test_a_flag_counts_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(written(tmp_path))

    def evaluated(*flags: str) -> dict[str, dict[str, dict[str, object]]]:
        assert run(["check", "-c", path, "--as-json", *flags]) == 0
        tables = json.loads(capsys.readouterr().out)["tables"]
        return {each["name"] or each["table"]: each["settings"] for each in tables}

    assert evaluated()["[network]"]["tls"] == {"value": "never", "from": path}
    assert evaluated()["ssh"]["max_connections"] == {"value": 256, "from": "default"}
    monkeypatch.setenv("NYMPROXY_TLS", "always")
    monkeypatch.setenv("NYMPROXY_CLIENT_MAX_CONNECTIONS", "7")
    assert evaluated()["[network]"]["tls"] == {"value": "always", "from": "NYMPROXY_TLS"}
    assert evaluated()["ssh"]["max_connections"] == {
        "value": 7,
        "from": "NYMPROXY_CLIENT_MAX_CONNECTIONS",
    }
    assert evaluated("--tls", "prefer")["[network]"]["tls"] == {"value": "prefer", "from": "--tls"}


def test_the_evaluated_settings_are_a_file_again_without_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", "-c", str(written(tmp_path))]) == 0
    output = capsys.readouterr().out
    assert "secret" not in output
    document = tomllib.loads(output)
    assert document["client"][0]["listen"] == "[::1]:2222"
    jsonschema.validate(document, schema())


def test_the_schema_is_printed_and_knows_each_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", "-c", str(tmp_path / "none"), "--schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == schema()
    jsonschema.Draft202012Validator.check_schema(printed)
    client = printed["$defs"]["Client"]["properties"]
    assert client["max_connections"]["minimum"] == 1
    assert all(each.get("description") for each in client.values() if "$ref" not in each)


@pytest.mark.parametrize(
    ("right", "wrong", "text"),
    [
        ('"shared"', '"foo"', "[[client]] ssh identity: invalid enum value 'foo'; choose one of"),
        ("identity =", "identiti =", "no key 'identiti'; did you mean 'identity'?"),
        ("[log]", "[logs]", "at the top: there is no key 'logs'; did you mean 'log'?"),
        ("tls =", "xyz =", "[network]: there is no key 'xyz'; there are ca_file, env"),
        ("grace_period = 5", 'grace_period = "x"', "grace_period: expected `float`"),
        ("[[server]]", "max_connections = 0\n[[server]]", "max_connections: expected `int` >= 1"),
        (f'"{ADDRESS}"', "3", "[[client]] ssh server: expected `str | array`"),
        ('name = "web"', 'name = "ssh"', "2 forwards are called 'ssh'"),
        ('upstream = "unix:/run/web.sock"', "", "[[server]] web: 'upstream' is missing"),
        ('name = "ssh"', 'name = "a b"', "matching regex"),
        ('name = "ssh"', "", "missing required field `name`"),
        ("level =", "=", "no TOML"),
        ("level =", "x = " + "[" * 10_000 + "\nlevel =", "no TOML"),
        ("grace_period = 5", "grace_period = " + "9" * 5_000, "no TOML"),
        (ADDRESS, "nonsense", "[[client]] ssh: "),
        ("[::1]:2222", "2222", "[[client]] ssh: '2222' is no host:port"),
        ("unix:/run/web.sock", "nowhere", "[[server]] web: 'nowhere' is no host:port"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], right: str, wrong: str, text: str
) -> None:
    assert right in WHOLE
    path = written(tmp_path, WHOLE.replace(right, wrong, 1))
    assert run(["check", "-c", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"nymproxy: {path}: ")
    assert text in line


@pytest.mark.parametrize("content", [None, "", "[network]\n", "\xff", "#" * (1 << 21)])
def test_files_that_say_nothing_are_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "nymproxy.toml"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"nymproxy\.toml"):
        loaded(path)


def test_two_forwards_share_neither_a_place_nor_keys(tmp_path: Path) -> None:
    second = '[[server]]\nname = "two"\nupstream = "h:1"\nconfig_dir = "keys"\n'
    with pytest.raises(ConfigurationError, match=r"2 forwards use .*keys"):
        loaded(written(tmp_path, WHOLE + second))
    second = f'[[client]]\nname = "two"\nserver = "{ADDRESS}"\nlisten = "[::1]:2222"\n'
    with pytest.raises(ConfigurationError, match="2 forwards use '"):
        loaded(written(tmp_path, WHOLE + second))


def test_a_variable_of_the_wrong_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="NYMPROXY_CLIENT_MAX_CONNECTIONS: Expected"):
        loaded(written(tmp_path), {"NYMPROXY_CLIENT_MAX_CONNECTIONS": "many"})
    gateways = loaded(written(tmp_path), {"NYMPROXY_SERVER_GATEWAY": "a b"}).servers[0]
    assert gateways.settings.gateway == ["a", "b"]


def test_limits_alone_make_no_other_forward(tmp_path: Path) -> None:
    path = written(tmp_path)
    before = loaded(path)
    after = loaded(
        path, {"NYMPROXY_CLIENT_MAX_CONNECTIONS": "7", "NYMPROXY_SERVER_ACCEPT": "stream"}
    )
    client, server = after.clients[0].settings, after.servers[0].settings
    assert client != before.clients[0].settings
    assert without_limits(client, "client") == before.clients[0].settings
    assert without_limits(server, "server") != before.servers[0].settings


def test_commands_can_be_set_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NYMPROXY_CLIENT_SERVER_ADDRESS", "nonsense")
    monkeypatch.setenv("NYMPROXY_JSON", "1")
    assert run(["client"]) == 2
    first, *_ = capsys.readouterr().err.splitlines()
    assert json.loads(first)["message"].startswith("Nym mainnet")
