"""nymproxy.mixnet.storage.model: keys have their lengths, and are shown to nobody."""

from __future__ import annotations

from random import Random

import pytest

from nymproxy.address import NodeIdentity
from nymproxy.errors import StorageError
from nymproxy.mixnet.storage.model import ClientKeys, GatewayRegistration

GATEWAY = NodeIdentity(ClientKeys.generate(Random(0).randbytes).identity_public)


def registration(key: bytes | None) -> GatewayRegistration:
    return GatewayRegistration(GATEWAY, key, "ws://127.0.0.1:9000", None, 0)


def test_public_keys_follow_from_private_ones() -> None:
    keys = ClientKeys.generate(Random(1).randbytes)
    again = ClientKeys(keys.identity_seed, keys.encryption_private, keys.ack_key)
    assert again == keys
    assert (again.identity_public, again.encryption_public) == (
        keys.identity_public,
        keys.encryption_public,
    )
    assert ClientKeys.generate(Random(2).randbytes) != keys


@pytest.mark.parametrize("lengths", [(31, 32, 16), (32, 33, 16), (32, 32, 15), (0, 0, 0)])
def test_keys_of_other_lengths_are_refused(lengths: tuple[int, int, int]) -> None:
    with pytest.raises(StorageError, match="32, 32 and 16 bytes"):
        ClientKeys(*(bytes(length) for length in lengths))


def test_shared_keys_of_other_lengths_are_refused() -> None:
    assert registration(None).shared_key is None  # an older client's, of no use
    with pytest.raises(StorageError, match="32 bytes, not 16"):
        registration(bytes(16))


def test_no_secret_is_in_what_is_shown() -> None:
    keys = ClientKeys.generate(Random(3).randbytes)
    for secret in (keys.identity_seed, keys.encryption_private, keys.ack_key):
        assert repr(secret) not in repr(keys)
    assert repr(b"s" * 32) not in repr(registration(b"s" * 32))
