from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

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


def test_one_node_cannot_be_everything() -> None:
    network = Network(mixnodes=[], gateways=[node(4, gateway=True)])
    topology = with_roles(network, layer1=[4], layer2=[4], layer3=[4])
    assert topology.repeated_count == 2
    assert not topology.is_routable


def test_unknown_gateways() -> None:
    topology = Network().topology()
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


def test_the_own_gateway_is_left_out_of_the_middle_under_all_its_names() -> None:
    """A directory can list one node under several ids: what shares its key or address goes."""
    twin = node(6, ed25519_identity_pubkey=str(identity(1)))
    other = Network(mixnodes=[node(i) for i in (1, 2, 3, 7)] + [twin])
    topology = with_roles(other, layer1=[1, 7], layer2=[2, 6], layer3=[3])
    without = topology.without_mix(identity(1))
    assert without.rewarded_set.layers == ((7,), (2,), (3,))
    assert (topology.smallest_layer, without.smallest_layer) == (1, 1)
    assert without.egress(identity(1)) == topology.egress(identity(1))
    for gateway in (identity(4), identity(9)):  # no mix node, and none of this network
        assert topology.without_mix(gateway) is topology


def test_a_gateway_that_is_a_mix_node_ends_its_routes_and_mixes_none_of_them() -> None:
    network = Network(mixnodes=[node(i) for i in (1, 2, 3, 6)])
    topology = with_roles(network, layer1=[1, 6])
    for _ in range(20):
        route = topology.route_to(identity(1), system_random_bytes)
        assert [hop.address.port for hop in route] == [10006, 10002, 10003, 10001]
    with pytest.raises(TopologyUnavailable, match="only mix node of a layer"):
        topology.route_to(identity(2), system_random_bytes)


def test_routes_avoid_mixes_that_are_left_out() -> None:
    network = Network(mixnodes=[node(i) for i in (1, 2, 3, 6, 7)])
    topology = with_roles(network, layer1=[1, 6, 99, 7])
    [first, *_], *_ = topology.layers
    assert topology.without_mixes(()) is topology
    without = topology.without_mixes({first})
    assert [len(layer) for layer in without.layers] == [2, 1, 1]
    assert first not in without.layers[0]
    assert without.egress(identity(4)) == topology.egress(identity(4))


def test_it_tells_where_routes_can_end() -> None:
    topology = Network().topology()
    nodes = topology.nodes.values()
    assert any(topology.has_egress(node.identity) for node in nodes)
