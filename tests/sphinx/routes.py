"""Nodes with private keys, random routes, and the walk of a packet through them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st

from nymproxy.errors import SphinxError
from nymproxy.mixnet.sphinx import (
    FinalHop,
    Hop,
    KeyRotation,
    NodeAddress,
    build_header,
    partially_unwrap,
)
from nymproxy.mixnet.sphinx.keys import BLINDING_FACTOR, expand_secret, multiply_chain
from nymproxy.mixnet.sphinx.primitives import x25519_base

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.sphinx.header import HeaderMaterial

T = TypeVar("T")

keys = st.binary(min_size=32, max_size=32)
node_addresses = st.builds(
    NodeAddress,
    st.one_of(
        st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)
    ),
    st.integers(0, 0xFFFF),
)
delays = st.integers(0, 2**64 - 1)


@dataclass(frozen=True)
class Node:
    """A node, from its own point of view."""

    address: NodeAddress
    private_key: bytes

    @property
    def hop(self) -> Hop:
        return Hop(self.address, x25519_base(self.private_key))


@dataclass(frozen=True)
class Journey:
    """A route with everything that a header needs."""

    nodes: list[Node]
    delays_ns: list[int]
    destination: bytes
    seed: int

    def material(self, version: int = 259) -> HeaderMaterial:
        return build_header(
            [node.hop for node in self.nodes],
            self.delays_ns,
            self.destination,
            rotation=KeyRotation.ODD,
            random_bytes=seeded(self.seed),
            version=version,
        )

    def walk(self, packet: bytes) -> FinalHop:
        """Process the packet at each node, checking all that a forward hop reveals."""
        for index, node in enumerate(self.nodes[:-1]):
            result = partially_unwrap(packet, node.private_key).finish()
            assert not isinstance(result, FinalHop)
            assert result.address == self.nodes[index + 1].address
            assert result.next_hop == self.nodes[index + 1].address.pad(32)
            assert result.delay_ns == self.delays_ns[index]
            assert len(result.packet) == len(packet)
            packet = result.packet
        last = partially_unwrap(packet, self.nodes[-1].private_key).finish()
        assert isinstance(last, FinalHop)
        assert last.destination == self.destination
        assert last.identifier == bytes(16)
        return last


@st.composite
def journeys(draw: st.DrawFn, min_hops: int = 1, max_hops: int = 5) -> Journey:
    count = draw(st.integers(min_hops, max_hops))
    return Journey(
        [Node(draw(node_addresses), draw(keys)) for _ in range(count)],
        [draw(delays) for _ in range(count)],
        draw(keys),
        draw(st.integers(0, 2**32)),
    )


def attempt(call: Callable[[], T]) -> T | SphinxError:
    """Return the result, or the one error that a decoder may raise."""
    try:
        return call()
    except SphinxError as error:
        return error


def seeded(seed: int) -> RandomBytes:
    return random.Random(seed).randbytes


def four_hops(seed: int = 1) -> Journey:
    source = random.Random(seed)
    return Journey(
        [Node(NodeAddress(IPv4Address(i + 1), 1789), source.randbytes(32)) for i in range(4)],
        [1, 2, 3, 4],
        source.randbytes(32),
        seed,
    )


def expand_route_literally(
    public_keys: list[bytes], initial_secret: bytes
) -> tuple[bytes, list[bytes]]:
    """The derivation as the crate writes it: every factor in turn, for every hop."""
    factors, expanded = [initial_secret], []
    for key in public_keys:
        secret = expand_secret(multiply_chain(factors, key))
        factors.append(secret[BLINDING_FACTOR])
        expanded.append(secret)
    return x25519_base(initial_secret), expanded
