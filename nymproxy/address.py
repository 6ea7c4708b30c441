"""Addresses: who a message goes to, and which anonymous sender it came from.

Formats of nym-sphinx-addressing 1.21.6 (src/clients.rs); vectors: tests/vectors/pipeline.json,
sections ``recipients`` and ``invalid_recipients``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from nymproxy import _base58
from nymproxy._curve25519 import ed25519_decompresses
from nymproxy.errors import AddressError

T = TypeVar("T")


def _ed25519_key(key: bytes, what: str) -> bytes:
    if len(_of_kind(key, bytes, f"the {what} is 32 bytes")) != 32:
        raise AddressError(f"the {what} has {len(key)} bytes, expected 32")
    if not ed25519_decompresses(key):
        raise AddressError(f"the {what} is no Ed25519 public key")
    return key


def _of_kind(value: object, kind: type[T], wanted: str) -> T:
    if not isinstance(value, kind):
        raise AddressError(f"{wanted}; this is {type(value).__name__}")
    return value


def _text(value: object, what: str) -> str:
    return _of_kind(value, str, f"{what} is wanted, or its text")


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """The Ed25519 public key (32 bytes) by which a node, here a gateway, is known."""

    key: bytes

    def __post_init__(self) -> None:
        _ed25519_key(self.key, "node identity")

    @classmethod
    def of(cls, value: NodeIdentity | str) -> NodeIdentity:
        """Return a node identity that is given as such, or as text.

        Raises:
            AddressError: it is something else, or :meth:`parse` refuses the text.
        """
        return value if isinstance(value, NodeIdentity) else cls.parse(value)

    @classmethod
    def parse(cls, text: str) -> NodeIdentity:
        """Read the base58 form.

        Raises:
            AddressError: not base58, not 32 bytes, or no point of the curve.
        """
        try:
            return cls(_base58.decode_exactly(_text(text, "a node identity"), 32))
        except ValueError as error:
            raise AddressError(f"not a node identity: {error}") from error

    def __str__(self) -> str:
        return _base58.encode(self.key)

    def __repr__(self) -> str:
        return f"NodeIdentity({str(self)[:6]}…)"


@dataclass(frozen=True, slots=True)
class NymAddress:
    """A client's address: ``identity.encryption@gateway`` as text, 96 bytes in binary.

    Attributes:
        identity: the client's Ed25519 public key, 32 bytes; the Sphinx destination.
        encryption: the client's X25519 public key, 32 bytes (any 32 bytes are accepted).
        gateway: the identity of the gateway where the client is registered.
    """

    identity: bytes
    encryption: bytes
    gateway: NodeIdentity

    def __post_init__(self) -> None:
        _ed25519_key(self.identity, "client identity")
        if len(_of_kind(self.encryption, bytes, "the encryption key is 32 bytes")) != 32:
            raise AddressError(f"the encryption key has {len(self.encryption)} bytes, expected 32")

    @classmethod
    def of(cls, value: NymAddress | str) -> NymAddress:
        """Return an address that is given as such, or as text.

        Raises:
            AddressError: it is something else, or :meth:`parse` refuses the text.
        """
        return value if isinstance(value, NymAddress) else cls.parse(value)

    @classmethod
    def parse(cls, text: str) -> NymAddress:
        """Read the text form. White space is not trimmed.

        Raises:
            AddressError: the text has another shape, or a key is none.
        """
        if "/" in _text(text, "a Nym address"):
            raise AddressError(
                "a plain Nym address is wanted, identity.encryption@gateway: this is a URL or a "
                "path"
            )
        client, separator, gateway = text.partition("@")
        identity, dot, encryption = client.partition(".")
        if not separator or not dot or "@" in gateway or "." in encryption:
            raise AddressError("a Nym address has the form identity.encryption@gateway")
        try:
            return cls(
                _base58.decode_exactly(identity, 32),
                _base58.decode_exactly(encryption, 32),
                NodeIdentity(_base58.decode_exactly(gateway, 32)),
            )
        except ValueError as error:
            raise AddressError(f"not a Nym address: {error}") from error

    @classmethod
    def from_bytes(cls, data: bytes) -> NymAddress:
        """Read the binary form: identity (32) || encryption (32) || gateway (32).

        Raises:
            AddressError: the length is not 96, or a key is none.
        """
        if len(data) != 96:
            raise AddressError(f"a binary Nym address has 96 bytes, not {len(data)}")
        return cls(data[:32], data[32:64], NodeIdentity(data[64:]))

    def is_where(self, other: NymAddress) -> bool:
        """Tell whether two addresses are those of one client, however we know them."""
        return self.to_bytes() == other.to_bytes()

    def to_bytes(self) -> bytes:
        """Return the 96-byte form."""
        return self.identity + self.encryption + self.gateway.key

    def __str__(self) -> str:
        return f"{_base58.encode(self.identity)}.{_base58.encode(self.encryption)}@{self.gateway}"

    def __repr__(self) -> str:
        return f"NymAddress({_base58.encode(self.identity)[:6]}…)"


@dataclass(frozen=True, slots=True, repr=False)
class ToldAddress(NymAddress):
    """An address that an acceptor named, to streams with it alone; equal to no other one.

    The acceptor may name somebody whom we know from elsewhere. So all that is kept for each
    recipient is kept apart for this one, first of all the sender tag, and with it the reply keys:
    whoever reads there learns that somebody knows ``told_by``, and not who.

    Attributes:
        told_by: the address that the streams were dialed at.
    """

    told_by: NymAddress

    @classmethod
    def told(cls, address: NymAddress, told_by: NymAddress) -> ToldAddress:
        """Return an address as somebody named it."""
        return cls(address.identity, address.encryption, address.gateway, told_by)


def addresses_of(given: NymAddress | str | Sequence[NymAddress | str]) -> tuple[NymAddress, ...]:
    """Return one address or several, each given as such or as text.

    Raises:
        AddressError: one is neither.
    """
    if isinstance(given, Sequence) and not isinstance(given, (str, bytes)):
        return tuple(NymAddress.of(each) for each in given)
    return (NymAddress.of(given),)


@dataclass(frozen=True, slots=True)
class SenderTag:
    """The 16 random bytes by which a recipient knows one anonymous sender.

    They let the holder use up the sender's reply SURBs and link its messages: never log them.
    """

    value: bytes

    def __post_init__(self) -> None:
        if len(_of_kind(self.value, bytes, "a sender tag is 16 bytes")) != 16:
            raise AddressError(f"a sender tag has 16 bytes, not {len(self.value)}")

    @classmethod
    def parse(cls, text: str) -> SenderTag:
        """Read the base58 form.

        Raises:
            AddressError: not base58, or not 16 bytes.
        """
        try:
            return cls(_base58.decode_exactly(_text(text, "a sender tag"), 16))
        except ValueError as error:
            raise AddressError(f"not a sender tag: {error}") from error

    def __str__(self) -> str:
        return _base58.encode(self.value)

    def __repr__(self) -> str:
        return "SenderTag(…)"
