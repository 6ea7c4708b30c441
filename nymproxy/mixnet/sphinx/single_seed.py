"""SURBs of Sphinx version 260: they hold the last hop's payload key seed alone.

Who uses one puts a single layer on; each hop, the last one too, takes one off with its own key, and
only the creator, who keeps all seeds, can undo that. So the user cannot compute what the payload
looks like at any hop. Nodes treat the version as 259, and for the user such a SURB is one with less
key material (:class:`~nymproxy.mixnet.sphinx.Surb`).

Format of sphinx-packet 0.8.0 (src/surb/mod.rs, src/surb/recovery.rs); vectors:
tests/vectors/sphinx_260.json. Nobody on the network makes them: clients of nym-sphinx 2.0.0 keep to
259, and gateways do not pass the identifier on by which a reply's recovery would be found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from nymproxy.errors import SphinxError, SphinxErrorKind
from nymproxy.mixnet.sphinx.constants import (
    IDENTIFIER_LENGTH,
    MAX_HOPS,
    PAYLOAD_KEY_SEED_LENGTH,
)
from nymproxy.mixnet.sphinx.keys import derive_payload_key
from nymproxy.mixnet.sphinx.payload import lioness_decrypt, lioness_encrypt, recover_plaintext
from nymproxy.mixnet.sphinx.surb import Surb

if TYPE_CHECKING:
    from nymproxy.mixnet.sphinx.header import HeaderMaterial

SINGLE_SEED_VERSION: Final = 260


@dataclass(frozen=True, slots=True, repr=False)
class SurbRecovery:
    """What the creator of a SURB keeps to read the reply that comes by it; nobody else may have it.

    Attributes:
        identifier: 16 bytes, as in the SURB's header: the last hop sees them, and by them the
            recovery of a reply is found.
        seeds: the payload key seed of each hop, in route order, 16 bytes each.
    """

    identifier: bytes
    seeds: tuple[bytes, ...]

    @classmethod
    def parse(cls, data: bytes) -> SurbRecovery:
        """Read identifier (16) || 1 to 5 seeds of 16 bytes.

        Raises:
            SphinxError: another length (``INVALID_SURB``).
        """
        hops, rest = divmod(len(data) - IDENTIFIER_LENGTH, PAYLOAD_KEY_SEED_LENGTH)
        if rest or not 1 <= hops <= MAX_HOPS:
            raise SphinxError(
                SphinxErrorKind.INVALID_SURB, f"no recovery of a reply has {len(data)} bytes"
            )
        starts = range(IDENTIFIER_LENGTH, len(data), PAYLOAD_KEY_SEED_LENGTH)
        seeds = tuple(data[start : start + PAYLOAD_KEY_SEED_LENGTH] for start in starts)
        return cls(data[:IDENTIFIER_LENGTH], seeds)

    def to_bytes(self) -> bytes:
        """Return the form that :meth:`parse` reads."""
        return b"".join((self.identifier, *self.seeds))

    def recover(self, payload: bytes) -> bytes:
        """Return the plaintext of a reply.

        Args:
            payload: as it came out of the last hop, every hop having taken a layer off.

        Raises:
            SphinxError: damaged, or sent by another SURB (``INVALID_PAYLOAD``).
        """
        keys = [derive_payload_key(seed) for seed in self.seeds]
        for key in reversed(keys):
            payload = lioness_encrypt(key, payload)
        return recover_plaintext(lioness_decrypt(keys[-1], payload))


def single_seed_surb(material: HeaderMaterial, identifier: bytes) -> tuple[Surb, SurbRecovery]:
    """Make a SURB for somebody else, and what reads the reply.

    Args:
        material: of a route to us, built with :data:`SINGLE_SEED_VERSION` and the identifier.
        identifier: 16 bytes, not all zero.

    Raises:
        SphinxError: an identifier by which nothing can be found (``INVALID_SURB``).
    """
    if len(identifier) != IDENTIFIER_LENGTH or not any(identifier):
        raise SphinxError(
            SphinxErrorKind.INVALID_SURB, "a reply is found by an identifier that is not zero"
        )
    surb = Surb.from_material(material)
    return (
        replace(surb, key_material=surb.key_material[-1:]),
        SurbRecovery(identifier, material.payload_key_seeds),
    )
