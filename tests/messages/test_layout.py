"""nymproxy.mixnet.messages._layout: what fits into a packet beside its ack."""

from __future__ import annotations

import pytest

from nymproxy.errors import UsageError
from nymproxy.mixnet.messages._layout import (
    ACK_BLOCK_LENGTH,
    KEY_MATERIAL_LENGTH,
    fragment_length,
)
from nymproxy.mixnet.sphinx import PacketSize


def test_a_fragment_fills_the_plaintext() -> None:
    assert fragment_length(PacketSize.REGULAR) == 1611
    for size in PacketSize:
        if size is not PacketSize.ACK:
            whole = ACK_BLOCK_LENGTH + KEY_MATERIAL_LENGTH + fragment_length(size)
            assert whole == size.plaintext_length


def test_acks_carry_no_fragments() -> None:
    with pytest.raises(UsageError, match="ACK carry no fragments"):
        fragment_length(PacketSize.ACK)
