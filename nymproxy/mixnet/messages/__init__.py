"""Messages above Sphinx: kinds, padding, fragments, encryption, acks, reply SURBs, cover. No I/O.

Formats of nym-sphinx 1.21.6 and its sub-crates. Time and randomness are passed in; the state
machines (:class:`Reassembler`, :class:`ReplyKeyStore`, :class:`InboundDecoder`) are bounded.
"""

from __future__ import annotations

from nymproxy.mixnet.messages._layout import fragment_length
from nymproxy.mixnet.messages.acks import AckKey, DetachedAck, SurbAck, build_ack, detach_ack
from nymproxy.mixnet.messages.chunking import FragmentsNeeded, fragments_needed, split_message
from nymproxy.mixnet.messages.codec import (
    NymMessage,
    PlainMessage,
    RepliableKind,
    RepliableMessage,
    ReplyMessage,
    SurbRequest,
    decode_message,
    encode_message,
)
from nymproxy.mixnet.messages.cover import CoverKeys, build_cover_plaintext
from nymproxy.mixnet.messages.fragments import (
    COVER_FRAGMENT_ID,
    Fragment,
    FragmentId,
    FragmentSetId,
    fragment_id,
)
from nymproxy.mixnet.messages.inbound import (
    AckReceived,
    CoverReceived,
    InboundDecoder,
    InboundEvent,
    MalformedInput,
    MessageReceived,
    OpenedPacket,
    Opener,
    PacketOpener,
    ReplyPacketReceived,
    SurbsReceived,
    SurbsRequested,
)
from nymproxy.mixnet.messages.mix_packets import MixPacket
from nymproxy.mixnet.messages.payload import FragmentKey, seal_fragment, seal_reply_fragment
from nymproxy.mixnet.messages.reassembly import (
    ReassembledMessage,
    Reassembler,
    ReassemblyCounts,
    ReassemblyLimits,
)
from nymproxy.mixnet.messages.reply_keys import GivenKey, ReplyKeyStore
from nymproxy.mixnet.messages.reply_surbs import REPLY_SURB_LENGTH, ReplySurb, SurbBundle

__all__ = [
    "COVER_FRAGMENT_ID",
    "REPLY_SURB_LENGTH",
    "AckKey",
    "AckReceived",
    "CoverKeys",
    "CoverReceived",
    "DetachedAck",
    "Fragment",
    "FragmentId",
    "FragmentKey",
    "FragmentSetId",
    "FragmentsNeeded",
    "GivenKey",
    "InboundDecoder",
    "InboundEvent",
    "MalformedInput",
    "MessageReceived",
    "MixPacket",
    "NymMessage",
    "OpenedPacket",
    "Opener",
    "PacketOpener",
    "PlainMessage",
    "ReassembledMessage",
    "Reassembler",
    "ReassemblyCounts",
    "ReassemblyLimits",
    "RepliableKind",
    "RepliableMessage",
    "ReplyKeyStore",
    "ReplyMessage",
    "ReplyPacketReceived",
    "ReplySurb",
    "SurbAck",
    "SurbBundle",
    "SurbRequest",
    "SurbsReceived",
    "SurbsRequested",
    "build_ack",
    "build_cover_plaintext",
    "decode_message",
    "detach_ack",
    "encode_message",
    "fragment_id",
    "fragment_length",
    "fragments_needed",
    "seal_fragment",
    "seal_reply_fragment",
    "split_message",
]
