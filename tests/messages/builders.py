"""Real clients, routes and packets for the tests of this room, with seeded randomness."""

from __future__ import annotations

import random
from dataclasses import dataclass

from nacl.bindings import crypto_scalarmult_base

from nymproxy.address import NodeIdentity, NymAddress
from nymproxy.mixnet.messages import (
    COVER_FRAGMENT_ID,
    AckKey,
    FragmentId,
    FragmentKey,
    InboundDecoder,
    NymMessage,
    PacketOpener,
    ReassemblyLimits,
    ReplyKeyStore,
    ReplySurb,
    SurbAck,
    build_ack,
    detach_ack,
    encode_message,
    seal_fragment,
    seal_reply_fragment,
    split_message,
)
from nymproxy.mixnet.sphinx import HeaderMaterial, Hop, KeyRotation, NodeAddress, PacketSize
from nymproxy.mixnet.sphinx import build_header as build_sphinx_header

# Base point and a multiple of it: identities must be points of the Edwards curve.
IDENTITY = bytes.fromhex("5866666666666666666666666666666666666666666666666666666666666666")
GATEWAY = NodeIdentity(IDENTITY)
SMALL_ORDER_KEY = bytes(32)


def make_header(
    rng: random.Random, hops: int = 4, rotation: KeyRotation = KeyRotation.ODD
) -> HeaderMaterial:
    """Build a header over nodes that nobody runs."""
    route = [
        Hop(
            NodeAddress.parse(f"10.0.0.{index + 1}", 1789),
            crypto_scalarmult_base(rng.randbytes(32)),
        )
        for index in range(hops)
    ]
    delays_ns = [1000 * (index + 1) for index in range(hops)]
    return build_sphinx_header(
        route, delays_ns, IDENTITY, rotation=rotation, random_bytes=rng.randbytes
    )


def make_surbs(
    rng: random.Random, count: int, hops: int = 4, rotation: KeyRotation = KeyRotation.ODD
) -> tuple[ReplySurb, ...]:
    """Make distinct reply SURBs. They share one header, which is dear to make."""
    header = make_header(rng, hops, rotation)
    return tuple(ReplySurb.create(header, rng.randbytes) for _ in range(count))


@dataclass
class Client:
    """The keys of one client, its decoder, and the messages that gateways push to it."""

    rng: random.Random
    encryption_private_key: bytes
    ack_key: AckKey
    reply_keys: ReplyKeyStore
    decoder: InboundDecoder

    @classmethod
    def create(cls, seed: int = 0, limits: ReassemblyLimits | None = None) -> Client:
        rng = random.Random(seed)
        private_key, ack_key = rng.randbytes(32), AckKey.generate(rng.randbytes)
        reply_keys = ReplyKeyStore()
        decoder = InboundDecoder(PacketOpener(private_key, ack_key, reply_keys), limits)
        return cls(rng, private_key, ack_key, reply_keys, decoder)

    @property
    def address(self) -> NymAddress:
        return NymAddress(IDENTITY, crypto_scalarmult_base(self.encryption_private_key), GATEWAY)

    def ack(self, identifier: FragmentId = COVER_FRAGMENT_ID) -> SurbAck:
        return build_ack(make_header(self.rng), self.ack_key, identifier, self.rng.randbytes)

    def pushes(self, message: NymMessage, size: PacketSize = PacketSize.REGULAR) -> list[bytes]:
        """Return what this client's gateway pushes when somebody sends it a message."""
        # One ack serves all: the gateway cuts it off before the push.
        ack = self.ack()
        return [
            detach_ack(
                seal_fragment(
                    fragment.to_bytes(),
                    ack,
                    FragmentKey.draw(self.address.encryption, self.rng.randbytes),
                )
            ).pushed
            for fragment in split_message(encode_message(message), size, self.rng.randbytes)
        ]

    def reply_pushes(self, message: NymMessage, keys: list[bytes]) -> list[bytes]:
        """Return what is pushed when somebody replies through the SURBs with these keys."""
        ack = self.ack()
        fragments = split_message(encode_message(message), PacketSize.REGULAR, self.rng.randbytes)
        return [
            detach_ack(seal_reply_fragment(fragment.to_bytes(), ack, key)).pushed
            for fragment, key in zip(fragments, keys, strict=True)
        ]
