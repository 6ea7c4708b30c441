"""Addresses for tests that only need some."""

from __future__ import annotations

from nacl.signing import SigningKey

from nymproxy.address import NodeIdentity, NymAddress


def some_address(label: str = "server") -> NymAddress:
    def key(purpose: str) -> bytes:
        return bytes(SigningKey(f"{purpose}/{label}".encode().ljust(32)[:32]).verify_key)

    return NymAddress(key("identity"), b"\x09" * 32, NodeIdentity(key("gateway")))
