from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import DirectoryFormatError, TopologyUnavailable, UnknownGateway
from nymproxy.mixnet.directory import Topology
from nymproxy.mixnet.directory.bodies import parse_nodes_page, parse_rewarded_set
from nymproxy.mixnet.randomness import system_random_bytes
from nymproxy.mixnet.sphinx import KeyRotation
from tests.directory.network import Network, encode, identity, node


def test_routes_lead_through_each_layer_to_the_gateway() -> None:
    topology = Network().topology()
    route = topology.route_to(identity(4), system_random_bytes)
    assert [hop.address.port for hop in route] == [10001, 10002, 10003, 10004]
    assert topology.rotation is KeyRotation.EVEN
    assert topology.route_to(identity(5), system_random_bytes, mix_hops=False) == (
        topology.nodes[5].hop,
    )


def with_roles(network: Network, **changes: Any) -> Topology:
    return Topology.from_pages(
        parse_rewarded_set(encode({**network.rewarded_set(), **changes})),
        [
            parse_nodes_page(encode(network.page(network.mixnodes))),
            parse_nodes_page(encode(network.page(network.gateways))),
        ],
    )


def test_routes_are_drawn_evenly_among_known_nodes() -> None:
    network = Network(mixnodes=[node(i) for i in (1, 2, 3, 6, 7)])
    topology = with_roles(network, layer1=[1, 6, 99, 7])
    drawn = Counter(
        topology.route_to(identity(4), system_random_bytes)[0].address.port for _ in range(900)
    )
    assert set(drawn) == {10001, 10006, 10007}
    assert min(drawn.values()) > 200


@pytest.mark.parametrize(
    "changes",
    [{"layer1": []}, {"layer2": [99]}, {"layer3": []}, {"entry_gateways": [], "exit_gateways": []}],
    ids=str,
)
def test_unroutable_topologies(changes: dict[str, list[int]]) -> None:
    topology = with_roles(Network(), **changes)
    assert not topology.is_routable
    with pytest.raises(TopologyUnavailable):
        topology.route_to(identity(4), system_random_bytes)


def test_gateways_of_the_epoch_need_not_be_known() -> None:
    assert with_roles(Network(), entry_gateways=[98], exit_gateways=[]).is_routable


def test_one_node_can_be_everything() -> None:
    network = Network(mixnodes=[], gateways=[node(4, gateway=True)])
    topology = with_roles(network, layer1=[4], layer2=[4], layer3=[4])
    assert topology.route_to(identity(4), system_random_bytes) == (topology.nodes[4].hop,) * 4


def test_unknown_gateways() -> None:
    topology = Network().topology()
    assert topology.node_by_identity(identity(9)) is None
    with pytest.raises(UnknownGateway):
        topology.route_to(identity(9), system_random_bytes)
    with pytest.raises(UnknownGateway, match="mix node"):
        topology.egress(identity(1), ignore_epoch_role=False)
    assert topology.egress(identity(1)).node_id == 1


def test_nodes_below_the_limit_are_left_out() -> None:
    mixnodes = [node(1, performance="0.499"), node(2, performance="0.5"), node(3)]
    topology = Network(mixnodes=mixnodes).topology()
    assert sorted(topology.nodes) == [2, 3, 4, 5]
    assert not topology.is_routable


def test_gateways_replace_mixnodes_with_the_same_id() -> None:
    network = Network(gateways=[node(3, gateway=True), node(4, gateway=True)])
    assert network.topology().nodes[3].entry is not None


@pytest.mark.parametrize("change", [{"epoch_id": 101}, {"rotation_id": 3}])
def test_parts_of_different_moments_are_refused(change: dict[str, int]) -> None:
    network, later = Network(), Network(**change)  # type: ignore[arg-type]
    with pytest.raises(DirectoryFormatError, match="different moments"):
        Topology.from_pages(
            parse_rewarded_set(encode(network.rewarded_set())),
            [
                parse_nodes_page(encode(network.page(network.mixnodes))),
                parse_nodes_page(encode(later.page(later.gateways))),
            ],
        )
    with pytest.raises(DirectoryFormatError, match="different moments"):
        Topology.from_pages(
            parse_rewarded_set(encode({**network.rewarded_set(), "epoch_id": 99})),
            [parse_nodes_page(encode(network.page(network.mixnodes)))],
        )


def test_the_status_counts_as_part_of_the_moment() -> None:
    network = Network()
    fresh = network.page(network.mixnodes)
    fresh["metadata"]["status"] = {"fresh": {"id": 0}}
    with pytest.raises(DirectoryFormatError):
        Topology.from_pages(
            parse_rewarded_set(encode(network.rewarded_set())),
            [
                parse_nodes_page(encode(fresh)),
                parse_nodes_page(encode(network.page(network.gateways))),
            ],
        )


def test_equality_is_about_routes() -> None:
    assert Network().topology() == Network().topology()
    worse = Network(mixnodes=[node(i, performance="0.7") for i in (1, 2, 3)])
    assert worse.topology() == Network().topology()
    assert Network(rotation_id=3).topology() != Network().topology()
    assert Network(mixnodes=[node(1, mix_port=1)]).topology() != Network().topology()


def document(**changes: Any) -> dict[str, Any]:
    network = Network()
    topology = network.topology()
    details = {
        str(item.node_id): {
            "node_id": item.node_id,
            "mix_host": str(item.mix_address),
            "entry": item.entry
            and {
                "ip_addresses": [str(ip) for ip in item.entry.ip_addresses],
                "clients_ws_port": item.entry.ws_port,
                "hostname": None,
                "clients_wss_port": None,
            },
            "identity_key": list(item.identity.key),
            "sphinx_key": list(item.sphinx_key),
            "supported_roles": {
                "mixnode": item.supported_roles.mixnode,
                "mixnet_entry": item.supported_roles.entry,
                "mixnet_exit": item.supported_roles.exit,
            },
        }
        for item in topology.nodes.values()
    }
    return {
        "metadata": {
            "key_rotation_id": 2,
            "absolute_epoch_id": 100,
            "refreshed_at": "2026-01-02T03:04:05.678Z",
        },
        "rewarded_set": network.rewarded_set(),
        "node_details": details,
        **changes,
    }


def test_document_and_bodies_give_the_same_topology() -> None:
    topology = Network().topology()
    assert Topology.from_document(json.dumps(document())) == topology
    assert Topology.from_document(encode(document())).refreshed_at_ns == topology.refreshed_at_ns


def test_a_document_without_metadata_has_no_rotation() -> None:
    fields = document()
    del fields["metadata"]
    topology = Topology.from_document(json.dumps(fields))
    assert topology.rotation_id == 0xFFFFFFFF
    assert topology.rotation is KeyRotation.UNKNOWN
    assert topology.epoch_id == 100


@pytest.mark.parametrize(
    "change",
    [
        {"mix_host": "127.0.0.1"},
        {"mix_host": "localhost:1"},
        {"mix_host": "127.0.0.1:99999"},
        {"mix_host": "127.0.0.1:-1"},
        {"identity_key": [0] * 31},
        {"identity_key": [256] * 32},
        {"identity_key": "base58"},
        {"sphinx_key": [0] * 32},
        {"sphinx_key": [1] * 33},
        {"entry": {"ip_addresses": ["x"], "clients_ws_port": 1}},
        {"supported_roles": None},
    ],
    ids=str,
)
def test_a_malformed_node_spoils_a_document(change: dict[str, Any]) -> None:
    fields = document()
    fields["node_details"]["1"].update(change)
    with pytest.raises(DirectoryFormatError):
        Topology.from_document(json.dumps(fields))


@given(st.text(max_size=30))
def test_any_text_as_document(text: str) -> None:
    with pytest.raises(DirectoryFormatError):
        Topology.from_document(text)
