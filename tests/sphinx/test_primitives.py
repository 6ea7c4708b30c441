"""The contexts of stream ciphers, made with and without the checks of ``Cipher``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.ciphers.algorithms import AES, ChaCha20
from cryptography.hazmat.primitives.ciphers.modes import CTR

from nymproxy.mixnet.sphinx.primitives import (
    aes_ctr,
    chacha,
    find_context_maker,
)

if TYPE_CHECKING:
    import pytest

KEY = bytes(range(32))
DATA = bytes(100)


def test_without_what_is_no_public_name_the_same_comes_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        patched.delattr(openssl, "ciphers")
        context_of = find_context_maker()
    assert context_of(AES(KEY[:16]), CTR(bytes(16))).update(DATA) == aes_ctr(KEY[:16], DATA)
    assert context_of(ChaCha20(KEY, bytes(16)), None).update(DATA) == chacha(KEY, DATA)
