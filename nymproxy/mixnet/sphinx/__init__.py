"""Sphinx packets: building, single-use reply blocks, and processing at a node. No I/O.

Formats of sphinx-packet 0.6.0 with the parameters of nym-sphinx 1.21.6. Everything is a pure
function; randomness is passed in.
"""

from __future__ import annotations

from nymproxy.mixnet.sphinx.addressing import NodeAddress
from nymproxy.mixnet.sphinx.constants import KeyRotation, PacketSize
from nymproxy.mixnet.sphinx.header import HeaderMaterial, Hop, PreparedHeader, build_header
from nymproxy.mixnet.sphinx.packet import build_packet
from nymproxy.mixnet.sphinx.payload import recover_plaintext
from nymproxy.mixnet.sphinx.pool import HeaderPool
from nymproxy.mixnet.sphinx.processing import (
    FinalHop,
    ForwardHop,
    PartialUnwrap,
    partially_unwrap,
)
from nymproxy.mixnet.sphinx.surb import Surb

__all__ = [
    "FinalHop",
    "ForwardHop",
    "HeaderMaterial",
    "HeaderPool",
    "Hop",
    "KeyRotation",
    "NodeAddress",
    "PacketSize",
    "PartialUnwrap",
    "PreparedHeader",
    "Surb",
    "build_header",
    "build_packet",
    "partially_unwrap",
    "recover_plaintext",
]
