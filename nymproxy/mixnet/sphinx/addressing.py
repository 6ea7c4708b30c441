"""Socket addresses of nodes, as Sphinx headers and the framing around packets carry them.

Format of nym-sphinx-addressing 1.21.6 (src/nodes.rs); vectors: tests/vectors/pipeline.json,
``node_addresses``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address

from nymproxy.errors import AddressError, SphinxError, SphinxErrorKind, UsageError

_IPV4_TAG = 4
_IPV6_TAG = 6
MAX_PACKED_LENGTH = 19


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """Where a node listens for packets: its IP address and mix port."""

    ip: IPv4Address | IPv6Address = field(compare=False)
    port: int = field(compare=False)
    _packed: bytes = field(init=False, repr=False)  # equal when both are, and quickly hashed

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 0xFFFF:
            raise AddressError(f"a port is between 0 and 65535, not {self.port}")
        tag = _IPV4_TAG if self.ip.version == 4 else _IPV6_TAG
        packed = tag.to_bytes(1, "big") + self.port.to_bytes(2, "big") + self.ip.packed
        object.__setattr__(self, "_packed", packed)  # ten of them go into a packet and its ack

    @classmethod
    def parse(cls, host: str, port: int) -> NodeAddress:
        """Read an IP literal (no name, no brackets, no zone).

        Raises:
            AddressError: ``host`` is no IP address, or the port is out of range.
        """
        try:
            ip = ip_address(host)
        except ValueError as error:
            raise AddressError("a node address needs an IP address, not a name") from error
        if isinstance(ip, IPv6Address) and ip.scope_id is not None:
            raise AddressError("a node address cannot have an IPv6 zone")
        return cls(ip, port)

    @classmethod
    def unpack(cls, data: bytes) -> tuple[NodeAddress, int]:
        """Read an address from the start of ``data``; what follows (padding, a packet) is ignored.

        Returns:
            The address and the number of bytes it took, 7 or 19.

        Raises:
            SphinxError: unknown first byte, or too short (``INVALID_ROUTING``).
        """
        tag = data[0] if data else None
        try:
            if tag == _IPV4_TAG:
                return cls(IPv4Address(bytes(data[3:7])), int.from_bytes(data[1:3], "big")), 7
            if tag == _IPV6_TAG:
                return cls(IPv6Address(bytes(data[3:19])), int.from_bytes(data[1:3], "big")), 19
        except AddressValueError as error:
            raise SphinxError(
                SphinxErrorKind.INVALID_ROUTING, f"a node address in {len(data)} bytes is cut off"
            ) from error
        raise SphinxError(SphinxErrorKind.INVALID_ROUTING, f"no node address starts with {tag}")

    def pack(self) -> bytes:
        """Return tag (04 or 06) || port (2, big-endian) || IP (4 or 16): 7 or 19 bytes."""
        return self._packed

    def pad(self, length: int) -> bytes:
        """Return the packed form with zeros up to ``length`` (19 before an ack, 32 in a header).

        Raises:
            UsageError: ``length`` is below 19, so that not every address would fit.
        """
        if length < MAX_PACKED_LENGTH:
            raise UsageError(f"a padded node address needs {MAX_PACKED_LENGTH} bytes or more")
        return self._packed.ljust(length, b"\0")

    def __str__(self) -> str:
        return f"{bracketed(self.ip)}:{self.port}"


def bracketed(ip: IPv4Address | IPv6Address) -> str:
    """Write an address as it stands before a port: IPv6 in brackets, as Rust's ``SocketAddr`` does.

    An IPv4-mapped address keeps its dots (``[::ffff:192.0.2.1]``); Python does so from 3.13 on.
    """
    if isinstance(ip, IPv4Address):
        return str(ip)
    return f"[{ip}]" if ip.ipv4_mapped is None else f"[::ffff:{ip.ipv4_mapped}]"
