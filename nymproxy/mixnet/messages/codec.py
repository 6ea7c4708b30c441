"""The messages that clients exchange, before padding and after reassembly (nym-sphinx 1.21.6,
src/message.rs; nym-sphinx-anonymous-replies 1.21.6, src/requests/mod.rs, v1.rs and v2.rs).

``kind(1) || body``. Version 2 of the SURB encoding is sent; versions 1 and 2 are read. Vectors:
tests/vectors/pipeline.json, ``messages``, ``repliable_parsing`` and ``reply_parsing``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from nymproxy.address import NymAddress, SenderTag
from nymproxy.errors import AddressError, MessageFormatError
from nymproxy.mixnet.messages.reply_surbs import encode_surbs, parse_surbs, parse_surbs_v1

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.mixnet.messages.reply_surbs import ReplySurb

_PLAIN, _REPLIABLE, _REPLY = 0, 1, 2
_REPLY_DATA, _REPLY_SURB_REQUEST = 0, 1
_CONTENT_TAGS = 6
_CONTENTS_PER_VERSION = 3
_TAG_OFFSET = 1
_CONTENT_TAG_OFFSET = 17
_SURBS_OFFSET = 18
_SURB_REQUEST_LENGTH = 102
_MAX_AMOUNT = 0xFFFFFFFF


class RepliableKind(enum.Enum):
    """What a repliable message is for. The values are the content tags of version 1."""

    DATA = 0
    ADDITIONAL_SURBS = 1
    """Only SURBs, which the recipient had asked for."""
    HEARTBEAT = 2
    """Only SURBs, unasked. No client sends it."""


@dataclass(frozen=True, slots=True)
class PlainMessage:
    """Data, possibly empty, and nothing about its sender."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RepliableMessage:
    """A message that can be answered without knowing its sender.

    Attributes:
        sender_tag: the same in all messages of this sender to this recipient.
        kind: see :class:`RepliableKind`.
        surbs: what the recipient can answer with; may be empty. Those of a received message are
            parsed one by one when they are taken: there may be 65,535.
        data: possibly empty; always empty unless ``kind`` is ``DATA``.
    """

    sender_tag: SenderTag
    kind: RepliableKind
    surbs: Sequence[ReplySurb]
    data: bytes = field(repr=False, default=b"")

    def __post_init__(self) -> None:
        if self.data and self.kind is not RepliableKind.DATA:
            raise MessageFormatError(f"a message of kind {self.kind.name} carries no data")


@dataclass(frozen=True, slots=True)
class ReplyMessage:
    """Data sent back through a reply SURB: at least one byte, since receivers refuse none."""

    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not self.data:
            raise MessageFormatError("a reply carries at least one byte")


@dataclass(frozen=True, slots=True)
class SurbRequest:
    """Sent back through a reply SURB to ask for more of them.

    Attributes:
        recipient: the requester's own address.
        amount: how many SURBs it would like.
    """

    recipient: NymAddress
    amount: int

    def __post_init__(self) -> None:
        if not 0 <= self.amount <= _MAX_AMOUNT:
            raise MessageFormatError("the amount of requested SURBs is out of range")


NymMessage: TypeAlias = PlainMessage | RepliableMessage | ReplyMessage | SurbRequest


def encode_message(message: NymMessage) -> bytes:
    """Return the bytes to be split into fragments.

    Raises:
        MessageFormatError: reply SURBs that cannot travel together.
    """
    match message:
        case PlainMessage(data):
            return bytes((_PLAIN,)) + data
        case RepliableMessage(sender_tag, kind, surbs, data):
            start = bytes((_REPLIABLE,)) + sender_tag.value
            content_tag = bytes((kind.value + _CONTENTS_PER_VERSION,))
            return b"".join((start, content_tag, encode_surbs(surbs), data))
        case ReplyMessage(data):
            return bytes((_REPLY, _REPLY_DATA)) + data
        case SurbRequest(recipient, amount):  # pragma: no branch
            start = bytes((_REPLY, _REPLY_SURB_REQUEST))
            return start + recipient.to_bytes() + amount.to_bytes(4, "big")


def decode_message(data: bytes) -> NymMessage:
    """Read a message without its padding.

    Bytes behind the SURBs of a message that carries only SURBs are ignored, as in Rust.

    Raises:
        MessageFormatError: it is none.
    """
    kind = data[0] if data else None
    if kind == _PLAIN:
        return PlainMessage(data[1:])
    if kind == _REPLIABLE:
        return _decode_repliable(data)
    if kind == _REPLY:
        return _decode_reply(data)
    raise MessageFormatError(f"no message has the kind {kind}")


def _decode_repliable(data: bytes) -> RepliableMessage:
    if len(data) <= _SURBS_OFFSET:
        raise MessageFormatError("a repliable message is cut off")
    sender_tag = SenderTag(data[_TAG_OFFSET:_CONTENT_TAG_OFFSET])
    content_tag = data[_CONTENT_TAG_OFFSET]
    if content_tag >= _CONTENT_TAGS:
        raise MessageFormatError(f"no repliable message has the content tag {content_tag}")
    version, kind_value = divmod(content_tag, _CONTENTS_PER_VERSION)
    parse = parse_surbs_v1 if version == 0 else parse_surbs
    surbs, end = parse(data, _SURBS_OFFSET)
    kind = RepliableKind(kind_value)
    return RepliableMessage(
        sender_tag, kind, surbs, data[end:] if kind is RepliableKind.DATA else b""
    )


def _decode_reply(data: bytes) -> ReplyMessage | SurbRequest:
    content_tag = data[1] if len(data) > 1 else None
    if content_tag == _REPLY_DATA:
        return ReplyMessage(data[2:])
    if content_tag != _REPLY_SURB_REQUEST:
        raise MessageFormatError(f"no reply has the content tag {content_tag}")
    if len(data) != _SURB_REQUEST_LENGTH:
        raise MessageFormatError("a request for reply SURBs has another length")
    try:
        recipient = NymAddress.from_bytes(data[2:98])
    except AddressError as error:
        raise MessageFormatError("a request for reply SURBs names no address") from error
    return SurbRequest(recipient, int.from_bytes(data[98:], "big"))
