from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy import _base58
from nymproxy.errors import DirectoryFormatError, TopologyUnavailable, UnknownGateway
from nymproxy.mixnet.directory import choose_gateway, gateway_urls
from nymproxy.mixnet.directory.node import host_name, parse_performance
from nymproxy.mixnet.randomness import system_random_bytes
from tests.directory.network import identity, node, read_node

if TYPE_CHECKING:
    from nymproxy.connection_options import TlsMode


def test_a_node_is_read() -> None:
    entry = {"hostname": "gw.example.org", "ws_port": 9000, "wss_port": 9001}
    read = read_node(node(4, gateway=True, entry=entry, ip_addresses=["::1", "10.0.0.1"]))
    assert read.identity == identity(4)
    assert str(read.mix_address) == "[::1]:10004"
    assert read.entry is not None
    assert [str(ip) for ip in read.entry.ip_addresses] == ["::1", "10.0.0.1"]
    assert (read.entry.hostname, read.entry.ws_port, read.entry.wss_port) == (
        "gw.example.org",
        9000,
        9001,
    )
    assert read.supported_roles.exit


def test_unknown_and_optional_fields() -> None:
    fields = node(1, future={"field": 1}, role="SomethingNew")
    del fields["supported_roles"]
    del fields["entry"]
    read = read_node(fields)
    assert read.entry is None
    assert not read.supported_roles.mixnode


@pytest.mark.parametrize("role", ["exit_nr", "exit_ipr"])
def test_an_exit_needs_both_services(role: str) -> None:
    assert not read_node(node(1, supported_roles={role: True})).supported_roles.exit


@pytest.mark.parametrize(
    "change",
    [
        {"node_id": -1},
        {"node_id": 2**32},
        {"node_id": True},
        {"node_id": 1.0},
        {"node_id": "1"},
        {"node_id": None},
        {"ed25519_identity_pubkey": "0"},
        {"ed25519_identity_pubkey": _base58.encode(bytes(31))},
        {"ed25519_identity_pubkey": _base58.encode((2).to_bytes(32, "little"))},
        {"ip_addresses": []},
        {"ip_addresses": ["127.0.0.1"] * 65},
        {"ip_addresses": None},
        {"ip_addresses": ["localhost"]},
        {"ip_addresses": ["127.0.0.1", 5]},
        {"ip_addresses": ["fe80::1%eth0"]},
        {"mix_port": 65536},
        {"x25519_sphinx_pubkey": None},
        {"x25519_sphinx_pubkey": _base58.encode(bytes(32))},
        {"x25519_sphinx_pubkey": "1" * 500},
        {"supported_roles": []},
        {"supported_roles": {"mixnode": 1}},
        {"entry": []},
        {"entry": {"hostname": None}},
        {"entry": {"hostname": 1, "ws_port": 9000}},
        {"entry": {"hostname": None, "ws_port": 9000, "wss_port": -1}},
        {"performance": 1},
        {"performance": "1.1"},
        {"performance": "-0"},
        {"performance": "1e-1"},
        {"performance": "0.1234567890123456789"},
        {"performance": ""},
        {"performance": "NaN"},
    ],
    ids=str,
)
def test_malformed_nodes(change: dict[str, Any]) -> None:
    with pytest.raises(DirectoryFormatError):
        read_node({**node(1), **change})


@given(st.decimals(0, 1, places=18) | st.decimals(0, 1, places=2) | st.sampled_from([Decimal(1)]))
def test_performance_is_cut_down_to_whole_percent(performance: Decimal) -> None:
    assert parse_performance(f"{performance:f}") == int(performance * 100)


@pytest.mark.parametrize("text", ["1.000000000000000001", "1.01", "2", "100", "1.", ".5", " 1"])
def test_what_is_no_share_is_no_performance(text: str) -> None:
    with pytest.raises(DirectoryFormatError):
        parse_performance(text)


IN_NO_URL = ["", "a b", "a/b", "a:1", "u@h", "[::1]", "a?b", "a#b", "a\\b", "%41", "x" * 254]
NO_NAMES = ["ü..b", ".evil", "x" * 64, "\x9b31m", "\u202ea", "a\u2100b", "\ufdd0"]
"""That were taken: the first made a wrong configuration of it and left the address alone, the
second ended the client that came through a proxy, the fourth told the terminal what to do."""


@pytest.mark.parametrize("name", IN_NO_URL + NO_NAMES)
def test_host_names_that_cannot_stand_in_a_url_are_left_out(name: str) -> None:
    assert host_name(name) is None
    entry = {"hostname": name, "ws_port": 9000, "wss_port": 9001}
    read = read_node(node(4, gateway=True, entry=entry))
    assert gateway_urls(read) == ("ws://127.0.0.4:9000", None)
    with pytest.raises(UnknownGateway):
        gateway_urls(read, "always")


def test_host_names_are_ascii() -> None:
    assert host_name("Gw.bücher.example") == "Gw.xn--bcher-kva.example"


def gateway(hostname: str | None, addresses: list[str], wss_port: int | None = None) -> Any:
    entry = {"hostname": hostname, "ws_port": 9000, "wss_port": wss_port}
    return read_node(node(4, gateway=True, entry=entry, ip_addresses=addresses))


@pytest.mark.parametrize(
    ("hostname", "addresses", "tls", "expected"),
    [
        (None, ["1.2.3.4"], "never", ("ws://1.2.3.4:9000", None)),
        (None, ["1.2.3.4", "::1"], "never", ("ws://1.2.3.4:9000", "ws://[::1]:9000")),
        (None, ["::1"], "never", ("ws://[::1]:9000", None)),
        (None, ["::ffff:1.2.3.4"], "never", ("ws://[::ffff:1.2.3.4]:9000", None)),
        ("h", ["1.2.3.4", "::1"], "never", ("ws://h:9000", "ws://1.2.3.4:9000")),
        ("h", ["1.2.3.4"], "always", ("wss://h:9001", None)),
        ("h", ["1.2.3.4"], "prefer", ("wss://h:9001", "ws://h:9000")),
        (None, ["1.2.3.4"], "prefer", ("ws://1.2.3.4:9000", None)),
    ],
)
def test_gateway_urls(
    hostname: str | None,
    addresses: list[str],
    tls: TlsMode,
    expected: tuple[str, str | None],
) -> None:
    assert gateway_urls(gateway(hostname, addresses, 9001), tls) == expected


def test_no_urls() -> None:
    with pytest.raises(UnknownGateway):
        gateway_urls(read_node(node(1)))
    unreachable = read_node(node(4, gateway=True))
    assert unreachable.entry is not None
    unreachable = replace(unreachable, entry=replace(unreachable.entry, ip_addresses=()))
    with pytest.raises(UnknownGateway, match="no address"):
        gateway_urls(unreachable)
    with pytest.raises(UnknownGateway, match="TLS"):
        gateway_urls(gateway("h", ["1.2.3.4"]), "always")


def test_choosing_a_gateway() -> None:
    mixnode = read_node(node(1))
    gateways = [read_node(node(i, gateway=True)) for i in (4, 5, 6)]
    nodes = [mixnode, *gateways]
    assert choose_gateway(nodes, identity(5), system_random_bytes) is gateways[1]
    chosen = {choose_gateway(nodes, None, system_random_bytes).node_id for _ in range(200)}
    assert chosen == {4, 5, 6}
    avoided = [identity(4), identity(6)]
    assert choose_gateway(nodes, None, system_random_bytes, avoided=avoided) is gateways[1]
    with pytest.raises(TopologyUnavailable, match="no other usable"):
        choose_gateway(gateways[:1], None, system_random_bytes, avoided=avoided)


def test_no_gateway_to_choose() -> None:
    nodes = [read_node(node(1))]
    with pytest.raises(UnknownGateway, match="takes no clients"):
        choose_gateway(nodes, identity(1), system_random_bytes)
    with pytest.raises(UnknownGateway, match="not in the directory"):
        choose_gateway(nodes, identity(9), system_random_bytes)
    with pytest.raises(TopologyUnavailable):
        choose_gateway(nodes, None, system_random_bytes)
