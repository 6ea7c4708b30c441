"""nymproxy.mixnet.storage.pem."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import StorageError
from nymproxy.mixnet.storage.pem import decode_pem, encode_pem

TAG = "X25519 PRIVATE KEY"


@given(st.binary(max_size=200))
def test_round_trip(data: bytes) -> None:
    content = encode_pem(TAG, data)
    assert content.count(b"\n") == content.count(b"\r\n")
    assert content.endswith(b"-----\r\n")
    assert max(len(line) for line in content.splitlines()) <= 64
    assert decode_pem(content, TAG, len(data)) == data
    assert decode_pem(content.replace(b"\r\n", b"\n"), TAG, len(data)) == data


@given(st.binary(max_size=300))
def test_never_crashes(content: bytes) -> None:
    with pytest.raises(StorageError):
        decode_pem(content, TAG, 32)


@given(st.binary(max_size=40), st.data())
def test_never_crashes_on_damage(data: bytes, choice: st.DataObject) -> None:
    content = bytearray(encode_pem(TAG, data))
    content[choice.draw(st.integers(0, len(content) - 1))] = choice.draw(st.integers(0, 255))
    try:
        decoded = decode_pem(bytes(content), TAG, len(data))
    except StorageError:
        return
    assert len(decoded) == len(data)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "does not begin"),
        (b"\xff\xfe", "not plain text"),
        (b"-----BEGIN X-----\r\nAAAA\r\n-----END X-----\r\n", "expected one tagged"),
        (encode_pem(TAG, b"x" * 31), "31 bytes, not 32"),
        (encode_pem(TAG, b"x" * 32).replace(b"END X", b"END Y"), "expected one tagged"),
        (encode_pem(TAG, b"x" * 32).replace(b"eHh4", b"e*h4"), "not base64"),
    ],
)
def test_complaints(content: bytes, complaint: str) -> None:
    with pytest.raises(StorageError, match=complaint):
        decode_pem(content, TAG, 32)
