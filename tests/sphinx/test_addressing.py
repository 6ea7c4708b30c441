from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nymproxy.errors import AddressError, SphinxError, SphinxErrorKind, UsageError
from nymproxy.mixnet.sphinx import NodeAddress
from tests.sphinx.routes import attempt, node_addresses


@given(node_addresses, st.integers(19, 40), st.binary(max_size=8))
def test_round_trip(address: NodeAddress, length: int, rest: bytes) -> None:
    packed = address.pack()
    assert len(packed) == (7 if address.ip.version == 4 else 19)
    assert NodeAddress.unpack(packed + rest) == (address, len(packed))
    padded = address.pad(length)
    assert len(padded) == length
    assert NodeAddress.unpack(padded) == (address, len(packed))


@given(node_addresses)
def test_text_round_trip(address: NodeAddress) -> None:
    host, _, port = str(address).rpartition(":")
    assert NodeAddress.parse(host.strip("[]"), int(port)) == address


def test_an_ipv4_mapped_address_stays_ipv6() -> None:
    address = NodeAddress.parse("::ffff:1.2.3.4", 1)
    assert isinstance(address.ip, IPv6Address)
    assert len(address.pack()) == 19
    assert str(address) == "[::ffff:1.2.3.4]:1"  # on every Python, as Rust writes it
    assert NodeAddress.parse("1.2.3.4", 1) == NodeAddress(IPv4Address("1.2.3.4"), 1) != address


@given(st.binary(max_size=40))
@example(b"")
@example(b"\x04\x00\x01\x7f\x00\x00")
@example(b"\x06" + bytes(17))
@example(b"\x05" + bytes(31))
def test_unpack_never_crashes(data: bytes) -> None:
    result = attempt(lambda: NodeAddress.unpack(data))
    if isinstance(result, SphinxError):
        assert result.kind is SphinxErrorKind.INVALID_ROUTING
    else:
        assert result[0].pack() == data[: result[1]]


@pytest.mark.parametrize("host", ["localhost", "", "1.2.3", "[::1]", "fe80::1%eth0", "1.2.3.4:5"])
def test_parse_refuses_what_is_no_ip(host: str) -> None:
    with pytest.raises(AddressError):
        NodeAddress.parse(host, 1789)


@pytest.mark.parametrize("port", [-1, 65536])
def test_parse_refuses_what_is_no_port(port: int) -> None:
    with pytest.raises(AddressError):
        NodeAddress.parse("127.0.0.1", port)


def test_padding_must_have_room_for_any_address() -> None:
    with pytest.raises(UsageError):
        NodeAddress.parse("127.0.0.1", 1).pad(18)
