from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nymproxy.errors import SphinxError, SphinxErrorKind
from nymproxy.mixnet.sphinx import recover_plaintext
from nymproxy.mixnet.sphinx.payload import lioness_decrypt, lioness_encrypt, seal_payload
from tests.sphinx.routes import attempt

payload_keys = st.binary(min_size=192, max_size=192)


@given(payload_keys, st.binary(min_size=33, max_size=3000))
def test_lioness_round_trip(key: bytes, block: bytes) -> None:
    sealed = lioness_encrypt(key, block)
    assert len(sealed) == len(block)
    assert lioness_decrypt(key, sealed) == block
    assert lioness_encrypt(key, lioness_decrypt(key, block)) == block


@given(payload_keys, st.binary(min_size=64, max_size=200), st.data())
def test_one_flipped_bit_scrambles_the_whole_block(
    key: bytes, block: bytes, data: st.DataObject
) -> None:
    sealed = bytearray(lioness_encrypt(key, block))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    opened = lioness_decrypt(key, bytes(sealed))
    assert opened[:32] != block[:32]
    assert opened[32:] != block[32:]


@pytest.mark.parametrize("length", [0, 1, 31, 32])
def test_short_blocks_are_refused(length: int) -> None:
    for operation in (lioness_encrypt, lioness_decrypt):
        with pytest.raises(SphinxError) as caught:
            operation(bytes(192), bytes(length))
        assert caught.value.kind is SphinxErrorKind.INVALID_PAYLOAD


@given(st.binary(max_size=300), st.integers(0, 50), st.lists(payload_keys, max_size=5))
def test_seal_and_recover(plaintext: bytes, slack: int, keys: list[bytes]) -> None:
    length = max(len(plaintext) + 17 + slack, 33)
    payload = seal_payload(plaintext, length, keys)
    assert len(payload) == length
    for key in keys:
        payload = lioness_decrypt(key, payload)
    assert recover_plaintext(payload) == plaintext


@pytest.mark.parametrize("plaintext", [b"", b"\x01", b"\x00\x01\x00", b"\x00" * 5])
def test_markers_inside_the_plaintext_are_kept(plaintext: bytes) -> None:
    assert recover_plaintext(seal_payload(plaintext, 60, [])) == plaintext


@given(st.binary(max_size=80))
@example(b"")
@example(bytes(17))
@example(bytes(15) + b"\x01\x01")
@example(bytes(16) + b"\x01")
def test_recover_never_crashes(payload: bytes) -> None:
    result = attempt(lambda: recover_plaintext(payload))
    if isinstance(result, SphinxError):
        assert result.kind is SphinxErrorKind.INVALID_PAYLOAD
    else:
        assert payload.startswith(bytes(16) + result + b"\x01")
        assert b"\x01" not in payload[16 + len(result) + 1 :]


def test_a_plaintext_must_leave_room_for_the_padding() -> None:
    assert len(seal_payload(bytes(43), 60, [bytes(192)])) == 60
    with pytest.raises(SphinxError, match="does not fit") as caught:
        seal_payload(bytes(44), 60, [bytes(192)])
    assert caught.value.kind is SphinxErrorKind.INVALID_PAYLOAD
