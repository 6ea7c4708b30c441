"""The keys of one stream at one end, what they seal, and what they open.

Whatever opens a frame raises ``ChannelFormatError`` for every frame that is not to be taken: one
that is malformed, does not verify, or whose counter is old. The owner counts it, and drops it like
a lost one.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy.errors import ChannelFormatError
from nymproxy.stream.codec import HEADER_LENGTH, MessageType, StreamFrame
from nymproxy.stream.nx2 import envelopes, keys
from nymproxy.stream.nx2.frames import RANDOM_LENGTH, Accept, Ack, Offer, Resume, Seal

if TYPE_CHECKING:
    from typing import Self

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.stream.nx2.envelopes import Opened

_COUNTERS = struct.Struct(">QQ")


class Sealer(ABC):
    """What dialer and acceptor have in common; use one of the subclasses.

    Args:
        stream_id: 64 bits.
        tag: under which the acceptor knew the dialer when the stream was opened.
        address: of the acceptor, as it was dialed.
    """

    def __init__(self, stream_id: int, tag: SenderTag, address: NymAddress) -> None:
        self.stream_id = stream_id
        self.tag = tag
        self.address = address
        self._tag = tag.value
        self._address = address.to_bytes()
        self._channel: keys.ChannelKeys | None = None
        self._send_key: bytes | None = None
        self._receive_keys: tuple[bytes, ...] = ()
        self._counter = 0
        self._largest = 0
        self.is_confirmed = False
        """A frame under the final keys has come: the peer is there, now."""

    # For a stream that is over, of which only this is kept.

    def pack(self) -> bytes:
        """Return in a short form what it is made of, and its counters; only with
        :attr:`has_keys`."""
        return _COUNTERS.pack(self._counter, self._largest) + self._pack()

    @classmethod
    def unpack(cls, stream_id: int, tag: SenderTag, address: NymAddress, packed: bytes) -> Self:
        """Make it again."""
        sealer = cls._unpack(stream_id, tag, address, packed[_COUNTERS.size :])
        sealer._counter, sealer._largest = _COUNTERS.unpack_from(packed)
        return sealer

    @abstractmethod
    def _pack(self) -> bytes: ...

    @classmethod
    @abstractmethod
    def _unpack(
        cls, stream_id: int, tag: SenderTag, address: NymAddress, secrets: bytes
    ) -> Self: ...

    @property
    def has_keys(self) -> bool:
        """True once both random values are known."""
        return self._channel is not None

    @property
    def can_seal(self) -> bool:
        """True when there is a key to send with."""
        return self._send_key is not None

    @property
    def can_open(self) -> bool:
        """True when there is a key to open the peer's frames with."""
        return bool(self._receive_keys)

    # Sending.

    def seal(self, frame: bytes, next_expected: int) -> bytes:
        """Return the sealed form of one of NX1's frames; only while :attr:`can_seal`."""
        assert self._send_key is not None
        is_numbered = StreamFrame.decode(frame).message_type in envelopes.NUMBERED_TYPES
        counter = None if is_numbered else self._next_counter()
        return envelopes.seal(
            self._send_key, self._tag, frame, next_expected=next_expected, counter=counter
        )

    def ack(self, ack: Ack) -> bytes:
        """Return an ACK; its counter is set here."""
        ack = replace(ack, counter=self._next_counter())
        return self._write(MessageType.ACK, ack.next_expected, ack.encode())

    @property
    def last_counter(self) -> int:
        """The counter of the unnumbered frame that was made last; 0 before the first."""
        return self._counter

    def _next_counter(self) -> int:
        self._counter += 1
        return self._counter

    def _write(self, message_type: MessageType, sequence: int, fields: bytes) -> bytes:
        assert self._send_key is not None
        return envelopes.write_own(
            message_type, self.stream_id, sequence, fields, key=self._send_key, context=self._tag
        )

    # Receiving.

    def open(self, frame: bytes) -> Opened:
        """Open a sealed DATA, FIN, PROBE, WINDOW or RESET."""
        opened = envelopes.unseal(self._receive_keys, self._tag, frame)
        if opened is None:
            raise ChannelFormatError("a sealed frame that does not verify")
        if opened.counter is not None:
            self._check_counter(opened.counter)
        self._verified(opened.key_index)
        return opened

    def open_ack(self, frame: bytes) -> Ack:
        """Open an ACK."""
        own = self._open_own(MessageType.ACK, frame)
        ack = Ack.decode(own.sequence, own.payload)
        self._check_counter(ack.counter)
        return ack

    def _open_own(self, message_type: MessageType, frame: bytes) -> StreamFrame:
        """Check one of NX2's own frames under the final key."""
        if not self.has_keys:
            raise ChannelFormatError(f"{message_type.name} before its keys")
        own = _read(message_type, frame, self._receive_keys[0], self._tag)
        self._verified(0)
        return own

    def _check_counter(self, counter: int) -> None:
        if counter <= self._largest:
            raise ChannelFormatError("a sealed frame with an old counter")
        self._largest = counter

    def _verified(self, key_index: int) -> None:
        """Note that a frame opened; key 0 is the final one."""
        self.is_confirmed = self.is_confirmed or key_index == 0


class DialerSealer(Sealer):
    """The dialer's end.

    Args:
        stream_id: 64 bits.
        tag: our tag towards the acceptor.
        address: of the acceptor.
        dialer_random: 32 random bytes.
        is_known: the acceptor is known to have NX2: everything is sealed from the start.
    """

    def __init__(
        self,
        stream_id: int,
        tag: SenderTag,
        address: NymAddress,
        *,
        dialer_random: bytes,
        is_known: bool,
    ) -> None:
        super().__init__(stream_id, tag, address)
        self._random = dialer_random
        self._acceptor_random = b""
        self._early_key = keys.early_key(dialer_random, stream_id)
        self._is_known = is_known
        if is_known:
            self._send_key = self._early_key

    def _pack(self) -> bytes:
        return self._random + self._acceptor_random

    @classmethod
    def _unpack(cls, stream_id: int, tag: SenderTag, address: NymAddress, secrets: bytes) -> Self:
        own, other = secrets[:RANDOM_LENGTH], secrets[RANDOM_LENGTH:]
        sealer = cls(stream_id, tag, address, dialer_random=own, is_known=True)
        sealer._use(other)
        return sealer

    def _use(self, acceptor_random: bytes) -> None:
        channel = keys.ChannelKeys.derive(self._random, acceptor_random, self.stream_id)
        self._acceptor_random = acceptor_random
        self._channel = channel
        self._send_key = channel.dialer
        self._receive_keys = (channel.acceptor,)

    def offer(self, minutes: int, data: bytes = b"") -> bytes:
        """Return the OFFER; keep it, since it is sent again as it is."""
        offer = Offer(minutes, self._random, not self._is_known, data, takes_along=True)
        return envelopes.write_own(
            MessageType.OFFER,
            self.stream_id,
            0,
            offer.encode(),
            key=keys.offer_key(self._random),
            context=self._tag + self._address,
        )

    def open_accept(self, frame: bytes) -> Accept:
        """Take an ACCEPT; the first one that verifies gives the keys."""
        accept = Accept.decode(envelopes.read_own(frame).payload)
        key = keys.accept_key(self._random, accept.acceptor_random)
        _read(MessageType.ACCEPT, frame, key, self._tag + self._address)
        if self._channel is None:
            self._use(accept.acceptor_random)
        return accept

    def write_seal(self, first_sealed: int, digest: bytes, ack: Ack, first: bytes = b"") -> bytes:
        """Return a SEAL, around a sealed frame that follows it; the ACK's counter is set here."""
        seal = Seal(digest, replace(ack, counter=self._next_counter()), first)
        return self._write(MessageType.SEAL, first_sealed, seal.encode())

    def seal_early(self, frame: bytes, next_expected: int) -> bytes:
        """Return the sealed form of a RESET that does not wait for an ACCEPT."""
        if self._send_key is not None:
            return self.seal(frame, next_expected)
        return envelopes.seal(
            self._early_key,
            self._tag,
            frame,
            next_expected=next_expected,
            counter=self._next_counter(),
        )

    def resume(self, move: int, ack: Ack, tag: SenderTag, address: NymAddress) -> bytes:
        """Return a RESUME under a tag and to an address that may be new."""
        assert self._channel is not None
        ack = replace(ack, counter=self._next_counter())
        return envelopes.write_own(
            MessageType.RESUME,
            self.stream_id,
            ack.next_expected,
            Resume(move, ack).encode(),
            key=self._channel.resume,
            context=tag.value + address.to_bytes(),
        )


class AcceptorSealer(Sealer):
    """The acceptor's end, once an OFFER has verified.

    Args:
        stream_id: 64 bits.
        tag: of the dialer.
        address: of ours, at which the OFFER came.
        offer: from :func:`read_offer`.
        accept: our answer.
    """

    def __init__(
        self, stream_id: int, tag: SenderTag, address: NymAddress, offer: Offer, accept: Accept
    ) -> None:
        super().__init__(stream_id, tag, address)
        channel = keys.ChannelKeys.derive(offer.dialer_random, accept.acceptor_random, stream_id)
        self._channel = channel
        self._send_key = channel.acceptor
        self._receive_keys = (channel.dialer, keys.early_key(offer.dialer_random, stream_id))
        self._dialer_random = offer.dialer_random
        self._accept = accept
        self._accept_key = keys.accept_key(offer.dialer_random, accept.acceptor_random)

    def _pack(self) -> bytes:
        return self._dialer_random + self._accept.encode()

    @classmethod
    def _unpack(cls, stream_id: int, tag: SenderTag, address: NymAddress, secrets: bytes) -> Self:
        offer = Offer(0, secrets[:RANDOM_LENGTH])
        return cls(stream_id, tag, address, offer, Accept.decode(secrets[RANDOM_LENGTH:]))

    def accept(self, first: bytes = b"") -> bytes:
        """Return the ACCEPT, for each copy of the OFFER the same but for a sealed frame of ours
        that it brings along."""
        return envelopes.write_own(
            MessageType.ACCEPT,
            self.stream_id,
            0,
            replace(self._accept, first=first).encode(),
            key=self._accept_key,
            context=self._tag + self._address,
        )

    @property
    def accept_bytes(self) -> int:
        """Length of an ACCEPT that brings nothing along."""
        return HEADER_LENGTH + len(self._accept.encode()) + keys.MAC_LENGTH

    def is_same(self, offer: Offer) -> bool:
        """Tell whether an OFFER that verified is a copy of the one that opened the stream."""
        return offer.dialer_random == self._dialer_random

    def open_seal(self, frame: bytes) -> tuple[int, Seal, bool]:
        """Open a SEAL: the first sealed sequence, its fields, and whether its ACK is news. All
        copies say the same of what they cover, so that one that was overtaken counts, too."""
        own = self._open_own(MessageType.SEAL, frame)
        seal = Seal.decode(own.payload)
        is_news = seal.ack.counter > self._largest
        self._largest = max(self._largest, seal.ack.counter)
        return own.sequence, seal, is_news

    def open_resume(self, frame: bytes, tag: SenderTag, address: NymAddress) -> Resume:
        """Open a RESUME that came under ``tag`` at our ``address``.

        An old counter does not count here: the number of the move decides.
        """
        assert self._channel is not None
        context = tag.value + address.to_bytes()
        own = _read(MessageType.RESUME, frame, self._channel.resume, context)
        resume = Resume.decode(own.sequence, own.payload)
        self.is_confirmed = True
        self._largest = max(self._largest, resume.ack.counter)
        return resume


def read_offer(frame: bytes, tag: SenderTag, address: NymAddress) -> Offer:
    """Read an OFFER.

    Raises:
        ChannelFormatError: malformed, of another version, or altered.
    """
    offer = Offer.decode(envelopes.read_own(frame).payload)
    key = keys.offer_key(offer.dialer_random)
    _read(MessageType.OFFER, frame, key, tag.value + address.to_bytes())
    return offer


def _read(message_type: MessageType, frame: bytes, key: bytes, context: bytes) -> StreamFrame:
    """Split one of NX2's own frames if it is of that type and verifies."""
    own = envelopes.read_own(frame)
    if own.message_type is not message_type:
        raise ChannelFormatError(f"{own.message_type.name} is no {message_type.name}")
    if not keys.has_valid_mac(key, context, frame):
        raise ChannelFormatError(f"{message_type.name} that does not verify")
    return own
