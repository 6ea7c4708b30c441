"""directory.json. The bincode bodies are not read: we ask for JSON, and every server has it."""

from __future__ import annotations

import json
from decimal import Decimal
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import pytest
from nacl.bindings import crypto_scalarmult_base, crypto_sign_seed_keypair

from nymproxy import _base58
from nymproxy.address import NodeIdentity
from nymproxy.errors import ConfigurationError, TopologyUnavailable, UnknownGateway
from nymproxy.mixnet.directory import (
    Node,
    Topology,
    gateway_urls,
    read_env_file,
)
from nymproxy.mixnet.directory.bodies import (
    ACTIVE_MIXNODES_PATH,
    ALL_NODES_PATH,
    ENTRY_GATEWAYS_PATH,
    KEY_ROTATION_PATH,
    READER,
    REWARDED_SET_PATH,
    NodesPage,
    parse_key_rotation,
    parse_nodes_page,
    parse_rewarded_set,
)
from nymproxy.mixnet.directory.details import MAINNET
from nymproxy.mixnet.directory.node import parse_node
from nymproxy.mixnet.randomness import system_random_bytes
from nymproxy.mixnet.sphinx import KeyRotation, NodeAddress
from tests.vectors.files import is_newer, load

VECTORS = load("directory.json")
EXPECTED = VECTORS["topology_default_config"]

NEWER_FRONTS = {
    "https://nym-frontdoor.global.ssl.fastly.net/api/": [
        "fastly-support.global.ssl.fastly.net",
        "yelp.global.ssl.fastly.net",
        "pypi.global.ssl.fastly.net",
    ]
}
"""What 2.0.0 changed in the mainnet that is built in: front hosts, which nothing of ours uses."""


def body(path: str) -> bytes:
    for request, answers in VECTORS["endpoints"].items():
        if urlsplit(request.removeprefix("GET ")).path == path:
            return str(answers["json_text"]).encode()
    raise AssertionError(f"no body for {path}")


def default_topology() -> Topology:
    return Topology.from_pages(
        parse_rewarded_set(body(REWARDED_SET_PATH)),
        [parse_nodes_page(body(ACTIVE_MIXNODES_PATH)), parse_nodes_page(body(ENTRY_GATEWAYS_PATH))],
    )


def socket_address(text: str) -> bytes:
    host, _, port = text.rpartition(":")
    return NodeAddress.parse(host.strip("[]"), int(port)).pack()


def check_url(ours: str | None, rust: str | None) -> None:
    """Ours is Rust's, but for the brackets around IPv6 that Rust leaves out."""
    if ours is None or rust is None:
        assert ours == rust
        return
    scheme, _, rest = rust.partition("://")
    host, _, port = rest.rpartition(":")
    if ":" in host:
        assert ours != rust
        assert ours.startswith(f"{scheme}://[")
        assert ours.endswith(f"]:{port}")
        assert ip_address(ours[len(scheme) + 4 : -len(port) - 2]) == ip_address(host)
    else:
        assert ours == rust


def test_topology_of_the_default_configuration() -> None:
    topology = default_topology()
    assert topology.is_routable is EXPECTED["is_minimally_routable"]
    assert (not topology.nodes) is EXPECTED["is_empty"]
    assert sorted(topology.nodes) == sorted(node["node_id"] for node in EXPECTED["nodes"])
    assert topology.refreshed_at_ns == VECTORS["refreshed_at_unix_nanos"]
    metadata = json.loads(body(ACTIVE_MIXNODES_PATH))["metadata"]
    assert topology.rotation_id == metadata["rotation_id"]
    assert topology.epoch_id == metadata["absolute_epoch_id"]


@pytest.mark.parametrize("case", EXPECTED["nodes"], ids=lambda case: f"node-{case['node_id']}")
class TestNodesOfTheTopology:
    def node(self, case: dict[str, Any]) -> Node:
        return default_topology().egress(NodeIdentity.parse(case["identity_bs58"]))

    def test_fields(self, case: dict[str, Any]) -> None:
        node = self.node(case)
        assert node.node_id == case["node_id"]
        assert str(node.identity) == case["identity_bs58"]
        assert _base58.encode(node.sphinx_key) == case["sphinx_key_bs58"]
        assert node.mix_address.pack() == socket_address(case["mix_host"])
        assert node.hop.address == node.mix_address
        assert node.supported_roles.mixnode is case["supported_mixnode"]
        assert node.supported_roles.entry is case["supported_entry"]
        assert node.supported_roles.exit is case["supported_exit"]

    def test_egress(self, case: dict[str, Any]) -> None:
        identity = self.node(case).identity
        for ignore, field in ((True, "egress_ok_ignore_roles"), (False, "egress_ok_strict")):
            topology = default_topology()
            if case[field]:
                found = topology.egress(identity, ignore_epoch_role=ignore)
                assert found.node_id == case["node_id"]
            else:
                with pytest.raises(UnknownGateway):
                    topology.egress(identity, ignore_epoch_role=ignore)

    def test_route(self, case: dict[str, Any]) -> None:
        topology = default_topology()
        if not topology.is_routable:
            with pytest.raises(TopologyUnavailable):
                topology.route_to(self.node(case).identity, system_random_bytes)
            return
        layers = topology.rewarded_set.layers
        if (case["node_id"],) in layers:
            # The Rust clients take it twice then, once in the middle.
            with pytest.raises(TopologyUnavailable, match="only mix node"):
                topology.route_to(self.node(case).identity, system_random_bytes)
            return
        route = topology.route_to(self.node(case).identity, system_random_bytes)
        for hop, layer in zip(route, layers, strict=False):
            assert hop in [topology.nodes[i].hop for i in layer if i in topology.nodes]
        assert len(route) == 4
        assert route[-1] == self.node(case).hop

    def test_urls(self, case: dict[str, Any]) -> None:
        node = self.node(case)
        if case["with_fallback"]["primary"] is None:
            with pytest.raises(UnknownGateway):
                gateway_urls(node)
            return
        primary, fallback = gateway_urls(node)
        check_url(primary, case["with_fallback"]["primary"])
        check_url(fallback, case["with_fallback"]["fallback"])
        check_url(gateway_urls(node)[0], case["ws_entry_address_no_tls"])
        if case["ws_entry_address_tls"] is None:
            with pytest.raises(UnknownGateway):
                gateway_urls(node, "always")
        else:
            assert gateway_urls(node, "always") == (case["ws_entry_address_tls"], None)


@pytest.mark.parametrize(
    "path", [ACTIVE_MIXNODES_PATH, ENTRY_GATEWAYS_PATH, ALL_NODES_PATH], ids=str
)
def test_node_lists_are_read_completely(path: str) -> None:
    page = parse_nodes_page(body(path))
    listed = json.loads(body(path))["nodes"]["data"]
    with_address = [entry for entry in listed if entry["ip_addresses"]]
    assert [node.node_id for node in page.nodes] == [entry["node_id"] for entry in with_address]
    assert page.entry_count == page.total == len(listed)
    for node, entry in zip(page.nodes, with_address, strict=True):
        assert node.performance_percent == int(Decimal(entry["performance"]) * 100)


def test_every_node_list_body_is_read() -> None:
    pages = [
        parse_nodes_page(answers["json_text"].encode())
        for answers in VECTORS["endpoints"].values()
        if '"pagination"' in answers["json_text"]
    ]
    assert pages
    assert all(isinstance(page, NodesPage) for page in pages)


def test_node_private_keys() -> None:
    nodes = {node.node_id: node for node in parse_nodes_page(body(ALL_NODES_PATH)).nodes}
    for case in VECTORS["node_private_keys"]:
        public, _ = crypto_sign_seed_keypair(bytes.fromhex(case["ed25519_seed_hex"]))
        assert public.hex() == case["ed25519_public_hex"]
        sphinx_key = crypto_scalarmult_base(bytes.fromhex(case["x25519_private_hex"]))
        assert sphinx_key.hex() == case["x25519_public_hex"]
        node = nodes.get(case["node_id"])
        if node is not None:
            assert node.identity.key == public
            assert node.sphinx_key == sphinx_key


@pytest.mark.parametrize(
    "case", VECTORS["performance_rounding"], ids=lambda case: str(case["json"])
)
def test_performance_rounding(case: dict[str, Any]) -> None:
    entry = dict(json.loads(body(ALL_NODES_PATH))["nodes"]["data"][0])
    entry["performance"] = case["json"]
    node = parse_node(READER.read_object(json.dumps(entry)))
    assert node.performance_percent == case["round_to_integer"]


@pytest.mark.parametrize(
    "case", VECTORS["key_rotation"]["cases"], ids=lambda case: f"epoch-{case['epoch']}"
)
def test_markers_of_the_rotation_of_an_epoch(case: dict[str, Any]) -> None:
    assert KeyRotation.from_rotation_id(case["rotation_id"]) == case["packet_marker"]


@pytest.mark.parametrize("case", VECTORS["key_rotation"]["markers"])
def test_packet_markers(case: dict[str, Any]) -> None:
    assert KeyRotation.from_rotation_id(case["rotation_id"]) == case["marker"]


def test_key_rotation_body() -> None:
    info = parse_key_rotation(body(KEY_ROTATION_PATH))
    progress = json.loads(body(KEY_ROTATION_PATH))["progress"]
    first, last = (progress[f"current_rotation_{end}_epoch"] for end in ("starting", "ending"))
    assert first <= info.expected_epoch(info.epoch_start_ns) <= last
    assert last - first + 1 == info.validity_epochs


@pytest.mark.parametrize(
    "case", VECTORS["env_files"]["cases"], ids=lambda case: str(case["description"])
)
def test_env_files(case: dict[str, Any]) -> None:
    environ = dict(case["process_env"])
    if case["outcome"] == "ok":
        details = read_env_file(case["file"], environ)
        assert details.network_name == case["network_name"]
        ours = [
            (api.url, None if api.front_hosts is None else list(api.front_hosts))
            for api in details.nym_api_urls
        ]
        if is_newer("directory.json") and details.nym_api_urls == MAINNET.nym_api_urls:
            ours = [(url, NEWER_FRONTS.get(url, fronts)) for url, fronts in ours]
        assert ours == [(api["url"], api["front_hosts"]) for api in case["nym_api_urls"]]
        assert details.nym_api_urls[0].url == case["gateway_list_api_url"]
        assert details.nyxd_url == case["nyxd_url"]
    else:
        assert case["outcome"] == "panic"
        with pytest.raises(ConfigurationError):
            read_env_file(case["file"], environ)
    assert environ == case["process_env"]
