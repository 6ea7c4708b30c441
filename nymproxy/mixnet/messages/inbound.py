"""From what the gateway pushes to what happened: acks, messages, reply SURBs, requests for them
(nym-sphinx 1.21.6, src/receiver.rs; nym-client-core 1.21.6, src/client/received_buffer.rs).

Vectors: tests/vectors/pipeline.json, ``end_to_end``, ``reply_payloads``, ``cover``.
"""

from __future__ import annotations

import enum
import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from nymproxy.errors import MessageFormatError
from nymproxy.mixnet.messages._layout import ACK_PAYLOAD_LENGTH, KEY_MATERIAL_LENGTH
from nymproxy.mixnet.messages.chunking import remove_padding
from nymproxy.mixnet.messages.codec import (
    PlainMessage,
    RepliableKind,
    RepliableMessage,
    ReplyMessage,
    SurbRequest,
    decode_message,
)
from nymproxy.mixnet.messages.cover import CoverKeys, is_cover
from nymproxy.mixnet.messages.fragments import Fragment
from nymproxy.mixnet.messages.payload import apply_payload_key, open_fragment
from nymproxy.mixnet.messages.reassembly import Reassembler, ReassemblyLimits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.memory_account import MemoryAccount
    from nymproxy.mixnet.messages.acks import AckKey
    from nymproxy.mixnet.messages.codec import NymMessage
    from nymproxy.mixnet.messages.fragments import FragmentId
    from nymproxy.mixnet.messages.reply_keys import ReplyKeyStore
    from nymproxy.mixnet.messages.reply_surbs import ReplySurb

_logger = logging.getLogger("nymproxy.messages")


@dataclass(frozen=True, slots=True)
class AckReceived:
    """The gateway of a fragment's recipient has it (says whoever knows the fragment's id)."""

    fragment_id: FragmentId


@dataclass(frozen=True, slots=True)
class CoverReceived:
    """A cover packet of ours came back, or (``is_ack``) its ack did."""

    is_ack: bool


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """Application data arrived.

    Attributes:
        data: what the sender sent.
        sender_tag: whom to answer, if the sender is anonymous; ``None`` for plain messages and for
            replies, which do not say what they reply to.
        given_to: whom the reply SURBs were given to that it came through; ``None``: through none.
    """

    data: bytes = field(repr=False)
    sender_tag: SenderTag | None
    given_to: NymAddress | None = None


@dataclass(frozen=True, slots=True)
class ReplyPacketReceived:
    """A packet came through a reply SURB of ours; what it completes follows.

    Attributes:
        given_to: whom the SURB was given to.
    """

    given_to: NymAddress


@dataclass(frozen=True, slots=True)
class SurbsReceived:
    """An anonymous sender gave us reply SURBs.

    Attributes:
        sender_tag: whom they lead to.
        surbs: at least one, of which each is parsed when it is taken.
        additional: they came because we asked for them.
    """

    sender_tag: SenderTag
    surbs: Sequence[ReplySurb]
    additional: bool


@dataclass(frozen=True, slots=True)
class SurbsRequested:
    """Somebody who answers us asks for more reply SURBs.

    Attributes:
        recipient: in whose name.
        amount: as sent, without a cap.
        given_to: whom the SURB was given to through which the request came. ``None``: it came
            through none, or in more than one packet, as no honest one does.
    """

    recipient: NymAddress
    amount: int
    given_to: NymAddress | None


_COVER = CoverReceived(is_ack=False)
_COVER_ACK = CoverReceived(is_ack=True)

InboundEvent: TypeAlias = (
    AckReceived
    | CoverReceived
    | MessageReceived
    | ReplyPacketReceived
    | SurbsReceived
    | SurbsRequested
)


class MalformedInput(enum.Enum):
    """Why something that was pushed was dropped."""

    ACK = "ack"
    """An ack that was not made with our key."""
    LENGTH = "length"
    """Too short to be anything."""
    EPHEMERAL_KEY = "ephemeral-key"
    """The key exchange gives all zeros."""
    FRAGMENT = "fragment"
    """Decrypts to no fragment: made for another key, or a reply under a key we no longer have."""
    MESSAGE = "message"
    """A complete message with bad padding or of no known form."""


class OpenedPacket(NamedTuple):
    """What was in a pushed packet.

    Attributes:
        content: a serialised fragment, or what a cover carries.
        given_to: whom the reply SURB was given to that it came through; ``None``: through none.
    """

    content: bytes
    given_to: NymAddress | None


class Opener(Protocol):
    """Takes the encryption off what is pushed. (Tests have networks whose packets have none.)"""

    def open_ack(self, pushed: bytes) -> FragmentId | None:
        """Return the id in an ack, or ``None`` if it is that of a cover.

        Raises:
            MessageFormatError: not made with our key.
        """
        ...

    def open_packet(self, pushed: bytes, now: float) -> OpenedPacket:
        """Return the content of a packet.

        Raises:
            MessageFormatError: no key exchange is possible with it.
        """
        ...


class PacketOpener:
    """The opener of real packets.

    Args:
        encryption_private_key: the X25519 key of our address, 32 bytes.
        ack_key: the key of our acks.
        reply_keys: the keys of the reply SURBs we gave out.
        cover_keys: the keys of our covers to ourselves.
    """

    __slots__ = ("_ack_key", "_cover_keys", "_encryption_private_key", "_reply_keys")

    def __init__(
        self,
        encryption_private_key: bytes,
        ack_key: AckKey,
        reply_keys: ReplyKeyStore,
        cover_keys: CoverKeys | None = None,
    ) -> None:
        self._encryption_private_key = encryption_private_key
        self._ack_key = ack_key
        self._reply_keys = reply_keys
        self._cover_keys = cover_keys or CoverKeys(encryption_private_key)

    def open_ack(self, pushed: bytes) -> FragmentId | None:
        """See :class:`Opener`, as for the other method."""
        return self._ack_key.open(pushed)

    def open_packet(self, pushed: bytes, now: float) -> OpenedPacket:
        """Decrypt with the key of a reply SURB or a cover of ours, or with that of our address."""
        given = self._reply_keys.take(pushed[:KEY_MATERIAL_LENGTH], now)
        if given is not None:
            content = apply_payload_key(given.key, pushed[KEY_MATERIAL_LENGTH:])
            return OpenedPacket(content, given.given_to)
        cover = self._cover_keys.open(pushed)
        return OpenedPacket(cover or open_fragment(pushed, self._encryption_private_key), None)


class InboundDecoder:
    """Decrypts, reassembles and decodes everything that the gateway pushes.

    Bytes from the network never raise: what is malformed is dropped and counted.

    Args:
        opener: takes the encryption off.
        limits: bounds of the reassembly.
        memory: where it is charged.

    Attributes:
        malformed: how much was dropped, by reason.
        reassembler: for its counts.
    """

    def __init__(
        self,
        opener: Opener,
        limits: ReassemblyLimits | None = None,
        memory: MemoryAccount | None = None,
    ) -> None:
        self._opener = opener
        self.reassembler = Reassembler(limits, memory)
        self.malformed: Counter[MalformedInput] = Counter()

    def receive(self, pushed: bytes, now: float) -> list[InboundEvent]:
        """Take one pushed message.

        Args:
            pushed: as decrypted from the gateway's frame. Exactly 21 bytes are an ack.
            now: monotonic seconds, never less than before.

        Returns:
            What happened, in the order in which to handle it: SURBs come before the data that they
            were attached to.
        """
        if len(pushed) == ACK_PAYLOAD_LENGTH:
            return self._receive_ack(pushed)
        if len(pushed) <= KEY_MATERIAL_LENGTH:
            return self._drop(MalformedInput.LENGTH)
        try:
            content, given_to = self._opener.open_packet(pushed, now)
        except MessageFormatError:
            return self._drop(MalformedInput.EPHEMERAL_KEY)
        if is_cover(content):
            return [_COVER]
        try:
            fragment = Fragment.parse(content)
        except MessageFormatError:
            return self._drop(MalformedInput.FRAGMENT)
        came: list[InboundEvent] = [] if given_to is None else [ReplyPacketReceived(given_to)]
        complete = self.reassembler.insert(fragment, now, given_to)
        if complete is None:
            return came
        try:
            message = decode_message(remove_padding(complete.padded))
        except MessageFormatError:
            return came + self._drop(MalformedInput.MESSAGE)
        is_whole = fragment.total == 1 and fragment.linked_set_id is None
        if isinstance(message, SurbRequest) and not is_whole:
            given_to = None
        return came + _events(message, given_to)

    def _receive_ack(self, pushed: bytes) -> list[InboundEvent]:
        try:
            identifier = self._opener.open_ack(pushed)
        except MessageFormatError:
            return self._drop(MalformedInput.ACK)
        return [_COVER_ACK if identifier is None else AckReceived(identifier)]

    def _drop(self, reason: MalformedInput) -> list[InboundEvent]:
        self.malformed[reason] += 1
        _logger.debug("dropped a pushed message: %s", reason.value)
        return []


def _events(message: NymMessage, given_to: NymAddress | None) -> list[InboundEvent]:
    match message:
        case PlainMessage(data) | ReplyMessage(data):
            return [MessageReceived(data, None, given_to)]
        case SurbRequest(recipient, amount):
            return [SurbsRequested(recipient, amount, given_to)]
        case RepliableMessage(sender_tag, kind, surbs, data):  # pragma: no branch
            events: list[InboundEvent] = []
            if surbs:
                additional = kind is RepliableKind.ADDITIONAL_SURBS
                events.append(SurbsReceived(sender_tag, surbs, additional))
            if kind is RepliableKind.DATA:
                events.append(MessageReceived(data, sender_tag))
            return events
