"""The bindings in Go programs, and the sidecars that are proposed for them."""

from __future__ import annotations

import configparser
import json
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from nymproxy_migrate import sidecar
from nymproxy_migrate.finders import go
from nymproxy_migrate.model import Action, Kind
from tests.migrate.tools import ADDRESS, findings, source

if TYPE_CHECKING:
    from nymproxy_migrate.sidecar import Sidecar

PROGRAM = f"""
package main

import (
	"fmt"
	"net"
	"os"

	"nymffi/go-nym/bindings"
)

const host, port = "127.0.0.1", "8085"

func main() {{
	env := "/etc/nym/mainnet.env"
	// bindings.NewProxyClient(a, b) was here
	if err := bindings.NewProxyClient("{ADDRESS}", host, port, uint64(60), &env, 4); err != nil {{
		fmt.Println("bindings.RunProxyClient()", err)
	}}
	go bindings.RunProxyClient()
	bindings.NewProxyServer("127.0.0.1:3000", "/srv/nym", nil, nil)
	address := bindings.ProxyServerAddress()
	bindings.RunProxyServer()
	connection, err := net.Dial("tcp", "127.0.0.1:8085")
}}
"""


def found(text: str) -> list[tuple[str, int, int]]:
    file = source("main.go", text)
    return [(each.code, *file.position(each.span.start)) for each in findings("main.go", file.data)]


def proposed(text: str) -> list[Sidecar]:
    return list(go.sidecars(source("cmd/main.go", text)))


def test_a_program_with_both_ends() -> None:
    assert found(PROGRAM) == [
        ("NYM020", 16, 12),
        ("NYM021", 16, 12),
        ("NYM020", 19, 5),
        ("NYM020", 20, 2),
        ("NYM021", 20, 2),
        ("NYM020", 21, 13),
        ("NYM020", 22, 2),
    ]
    client, proposal, *_ = findings("main.go", PROGRAM)
    assert (client.kind, client.action, client.needs_human) == (Kind.GO_FFI, Action.REPORT, True)
    assert "the form with a pool" in client.message
    assert (proposal.action, proposal.needs_human) == (Action.INFO, False)
    assert (
        f"nymproxy client --wire auto --server-address {ADDRESS} --listen-address 127.0.0.1 "
        "--listen-port 8085 --close-timeout 60 --env-path /etc/nym/mainnet.env "
        "--client-pool-reserve 4"
    ) in proposal.message


@pytest.mark.parametrize(
    ("imported", "call"),
    [
        ('import "nymffi/go-nym/bindings"', "bindings.RunProxyClient()"),
        ('import nym "nymffi/go-nym/bindings"', "nym.RunProxyClient()"),
        ('import . "nymffi/go-nym/bindings"', "RunProxyClient()"),
        ("import `nymffi/go-nym/bindings`", "bindings.RunProxyClient()"),
        ('import "example.org/x/go-nym/bindings"', "run(bindings.RunProxyClient)"),
        ('import "nymffi/go-nym/bindings"', "go func() { bindings.RunProxyClient() }()"),
        ('import "nymffi/go-nym/bindings"', "start := bindings.RunProxyClient"),
    ],
)
def test_the_import_decides(imported: str, call: str) -> None:
    assert [code for code, *_ in found(f"package x\n{imported}\nfunc f() {{ {call} }}\n")] == [
        "NYM020"
    ]


@pytest.mark.parametrize(
    "text",
    [
        'package x\nimport "other/bindings"\n'
        "func f() { bindings.RunProxyClient() } // go-nym/bindings",
        'package x\nimport _ "nymffi/go-nym/bindings"\nfunc f() { bindings.RunProxyClient() }',
        'package x\nimport b "nymffi/go-nym/bindings"\nfunc f() { bindings.RunProxyClient() }',
        'package x\nimport "nymffi/go-nym/bindings"\nfunc f() { bindings.SendMessage(a, "x") }',
        'package x\nimport "nymffi/go-nym/bindings"\nfunc f() { x.bindings.RunProxyClient() }',
        'package x\nimport "nymffi/go-nym/bindings"\n'
        "func f() { bindings := other(); bindings.RunProxyClient() }",
        'package x\nimport "nymffi/go-nym/bindings"\n'
        "func f(bindings *T) { bindings.RunProxyClient() }",
        'package x\nconst text = "go-nym/bindings bindings.RunProxyClient()"',
    ],
)
def test_what_is_no_use_of_the_proxies(text: str) -> None:
    assert found(text) == []


def test_what_does_not_parse_is_a_finding() -> None:
    text = 'package x\nimport "nymffi/go-nym/bindings"\nfunc f( {\n bindings.RunProxyClient()\n'
    assert ("NYM090", Kind.GO_FFI) in [(each.code, each.kind) for each in findings("a.go", text)]


@pytest.mark.parametrize(
    ("arguments", "flags"),
    [
        ('"A", "::1", "1", 2, nil', {"--server-address": "A", "--close-timeout": "2"}),
        ('"A", "::1", "1", 0x10, nil, uint8(1_0)', {"--client-pool-reserve": "10"}),
        ("`A`, (host), `\\n`, 2, nil, 3", {"--listen-address": "$LISTEN_ADDRESS"}),
        ('os.Getenv("TO"), "h", "1", n, path, 3', {"--server-address": "$TO"}),
        ('os.Getenv("a b"), "h", "1", n, nil, 3', {"--server-address": "$SERVER_ADDRESS"}),
        ('"A", "h", "1", n, &relative, 3', {"--env-path": "$ENV_PATH"}),
        ('"A", changed, "1", 2, nil, 3', {"--listen-address": "$LISTEN_ADDRESS"}),
        ('"A", looped, "1", 2, nil, 3', {"--listen-address": "$LISTEN_ADDRESS"}),
    ],
)
def test_arguments(arguments: str, flags: dict[str, str]) -> None:
    text = (
        'package x\nimport "nymffi/go-nym/bindings"\nvar looped = looped\n'
        'func f(host string) {\n relative := "nym.env"\n changed := "a"\n changed = "b"\n'
        f" bindings.NewProxyClient({arguments})\n}}\n"
    )
    (one,) = proposed(text)
    shown = {
        flag: f"${value.variable}" if value.variable else value.literal for flag, value in one.flags
    }
    assert flags.items() <= shown.items()
    assert ("--env-path" in shown) == ("nil" not in arguments)


def test_defaults_and_servers() -> None:
    text = (
        'package x\nimport "nymffi/go-nym/bindings"\nfunc f() {\n'
        'bindings.NewProxyClientDefault("A", nil)\n'
        'bindings.NewProxyServer("h:1", "./relative", nil, gateway)\n}\n'
    )
    client, server = proposed(text)
    assert client.command() == (
        "nymproxy client --wire auto --server-address A --listen-address 127.0.0.1 "
        "--listen-port 8080 --close-timeout 60"
    )
    assert server.command() == (
        "nymproxy server --accept legacy,stream --upstream-tcp-address h:1 "
        "--config-dir $CONFIG_DIR --gateway $GATEWAY"
    )
    assert server.variables == ("CONFIG_DIR", "GATEWAY")


def test_units() -> None:
    first, second, _ = sidecar.render([*proposed(PROGRAM), proposed(PROGRAM)[0]], "systemd").split(
        "\n# /etc"
    )
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # type: ignore[method-assign, assignment]
    unit.read_string(first)
    assert unit["Service"]["ExecStart"].startswith(
        "/usr/local/bin/nymproxy client --wire auto --server-addr"
    )
    assert unit["Service"]["Type"] == "notify"
    assert unit["Service"]["TimeoutStopSec"] == "45"
    assert "Replaces the proxy client inside cmd/main.go." in first
    assert "EnvironmentFile" not in first
    assert "User= must be the owner" in second
    assert findings("a.service", first) == []


def test_units_name_what_is_not_known_and_quote() -> None:
    values = [sidecar.UNKNOWN, sidecar.Value("a b"), sidecar.Value('5%$"\\')]
    unit = sidecar.render([sidecar.make("client", "x\n.go", values)], "systemd")
    assert "EnvironmentFile=/etc/nymproxy/nymproxy-client.env" in unit
    assert "--server-address ${SERVER_ADDRESS} " in unit
    assert '--listen-address "a b" --listen-port "5%%$$\\"\\\\"' in unit
    assert "inside x?.go." in unit


def test_compose_services() -> None:
    text = sidecar.render([*proposed(PROGRAM), proposed(PROGRAM)[0]], "compose")
    document: Any = YAML(typ="safe", pure=True).load(text)
    services = document["services"]
    assert list(services) == ["nymproxy-client", "nymproxy-server", "nymproxy-client-2"]
    client, server = services["nymproxy-client"], services["nymproxy-server"]
    assert client["command"][:3] == ["client", "--wire", "auto"]
    assert client["volumes"] == ["/etc/nym/mainnet.env:/etc/nym/mainnet.env:ro"]
    assert server["volumes"] == ["/srv/nym:/srv/nym"]
    assert server["network_mode"] == "host"
    assert findings("compose.yaml", text) == []


def test_compose_keeps_dollars_and_asks_for_variables() -> None:
    values = [sidecar.Value(variable="TO"), sidecar.Value("$x")]
    text = sidecar.render([sidecar.make("client", "x.go", values)], "compose")
    command = json.loads(text.partition("command: ")[2].partition("\n")[0])
    assert findings("compose.yaml", text) == []
    assert command[3:] == ["--server-address", "${TO:?}", "--listen-address", "$$x"]
