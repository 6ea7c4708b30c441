"""B9: a directory cannot put one node into a route twice, nor our own gateway into the middle."""

from __future__ import annotations

import logging
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import TopologyUnavailable
from nymproxy.mixnet.directory import ApiUrl, NetworkDetails, Topology
from nymproxy.mixnet.directory.client import MINIMUM_LAYER_NODES, DirectoryClient
from nymproxy.mixnet.directory.keeper import TopologyKeeper
from nymproxy.mixnet.randomness import system_random_bytes
from tests.directory.network import Network, answers_for, identity, node, read_node, serve

GATEWAY = 30


def topology_of(layers: list[list[int]]) -> Topology:
    """Node 10 n + k has the keys of node k: so a directory can give one node many ids."""
    base = Network().topology()
    known = {number: read_node(node(number % 10 + 1)) for layer in layers for number in layer}
    known = {number: replace(made, node_id=number) for number, made in known.items()}
    known[GATEWAY] = read_node(node(GATEWAY, gateway=True))
    first, second, third = (tuple(layer) for layer in layers)
    return replace(
        base,
        rewarded_set=replace(
            base.rewarded_set, layers=(first, second, third), entry_gateways=(GATEWAY,)
        ),
        nodes=known,
    )


LAYERS = st.lists(st.lists(st.integers(0, 29), min_size=1, max_size=8), min_size=3, max_size=3)


@given(LAYERS, st.integers())
def test_no_route_has_a_node_twice(layers: list[list[int]], seed: int) -> None:
    """Whatever a directory says, in ids, in repetitions, in identities under other ids."""
    topology = topology_of(layers)
    for target in topology.nodes.values():
        for _ in range(3):
            try:
                route = topology.route_to(target.identity, Random(seed).randbytes)
            except TopologyUnavailable:
                continue
            assert len(route) == 4
            assert len({hop.address for hop in route}) == 4


def test_repetitions_do_not_make_a_node_more_likely() -> None:
    topology = topology_of([[0] * 50 + [1], [2], [3]])
    assert topology.repeated_count == 49
    assert topology.smallest_layer == 1
    first = {topology.route_to(identity(GATEWAY), system_random_bytes)[0] for _ in range(60)}
    assert len(first) == 2


def test_our_own_gateway_is_no_mix() -> None:
    topology = topology_of([[0, 1], [2, 3], [4, 5]])
    own = read_node(node(1)).identity
    without = topology.without_mix(own)
    for target in (own, identity(GATEWAY)):
        for _ in range(30):
            route = without.route_to(target, system_random_bytes)
            assert topology.egress(own).hop not in route[:3]
    assert without.egress(own).identity == own
    assert topology.without_mix(identity(GATEWAY)) is topology


class Source:
    """A directory that makes our gateway a mix node after a while."""

    def __init__(self, *topologies: Topology) -> None:
        self.topologies = list(topologies)

    async def fetch_topology(self) -> Topology:
        return self.topologies.pop(0)

    async def fetch_key_rotation(self) -> object:
        raise TopologyUnavailable("not here")


async def test_a_client_refuses_when_nothing_else_is_left() -> None:
    wide, narrow = topology_of([[0, 1], [2], [3]]), topology_of([[0], [2], [3]])
    own = read_node(node(1)).identity
    keeper = TopologyKeeper(Source(wide, wide, narrow))  # type: ignore[arg-type]
    await keeper.refresh()
    keeper.avoid_as_mix(own)
    assert keeper.require().smallest_layer == 1
    await keeper.refresh()
    route = keeper.require().route_to(own, system_random_bytes)
    assert len({hop.address for hop in route}) == 4
    with pytest.raises(TopologyUnavailable, match="our own gateway"):
        await keeper.refresh()
    assert keeper.current is not None, "the last good one is kept"


@pytest.mark.parametrize("is_localnet", [True, False])
async def test_small_layers_are_warned_about(
    is_localnet: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, and not where it is known: a localnet says so, and is on this machine."""
    async with serve(answers_for(Network())) as directory:
        details = NetworkDetails(
            "localnet" if is_localnet else "sandbox", (ApiUrl(directory.url),), ""
        )
        client = DirectoryClient(details)
        with caplog.at_level(logging.WARNING):
            await client.fetch_topology()
            await client.fetch_topology()
    said = [record for record in caplog.records if "hide among few ways" in record.getMessage()]
    assert len(said) == (0 if is_localnet else 1)
    assert MINIMUM_LAYER_NODES > 1
