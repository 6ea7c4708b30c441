"""Translates between ``ProxiedMessage`` and the segments of a channel."""

from __future__ import annotations

import uuid

from nymproxy.channel import Capability, ChannelId, Segment, SegmentKind
from nymproxy.channel.reset_body import decode_reset, encode_reset
from nymproxy.errors import ChannelFormatError, ResetCode, UsageError
from nymproxy.legacy.message import Close, Data, ProxiedMessage, Trailer


class LegacyCodec:
    """The :class:`~nymproxy.channel.ChannelCodec` of the legacy protocol.

    A session id is the channel id, a Close is a FIN, or a RESET if its trailer says so, and what
    trailers show are capabilities.
    """

    name = "legacy"

    def matches(self, payload: bytes) -> bool:
        """Tell legacy messages by their first byte, the low byte of the variant: 00 or 01."""
        return bool(payload) and payload[0] <= 1

    def split(self, payload: bytes) -> list[bytes]:
        """No messages are sent as one."""
        return [payload]

    def decode(self, payload: bytes) -> Segment:
        """Read one message.

        Raises:
            ChannelFormatError: whatever the Rust decoder rejects.
        """
        message = ProxiedMessage.decode(payload)
        trailer = Trailer.find(message.trailer)
        shows = None if trailer is None else _capabilities(trailer)
        common = ChannelId(message.session_id.int), message.message_id
        if isinstance(message.message, Data):
            return Segment(SegmentKind.DATA, *common, message.message.data, shows)
        if trailer is None or not trailer.aborted:
            return Segment(SegmentKind.FIN, *common, capabilities=shows)
        code, reason = _why(trailer.reset)
        return Segment(
            SegmentKind.RESET, *common, capabilities=shows, reset_code=code, reason=reason
        )

    def encode(self, segment: Segment) -> bytes:
        """Write one message.

        Raises:
            UsageError: a kind that this protocol does not have, or an id over 65535.
        """
        if segment.kind is SegmentKind.DATA:
            message: Data | Close = Data(segment.payload)
        elif segment.kind in (SegmentKind.FIN, SegmentKind.RESET):
            message = Close()
        else:
            raise UsageError(f"the legacy protocol has no {segment.kind.value} message")
        session_id = uuid.UUID(int=segment.channel_id)
        return ProxiedMessage(message, session_id, segment.sequence, _trailer(segment)).encode()


def _trailer(segment: Segment) -> bytes:
    shows = segment.capabilities or Capability.NONE
    is_abort = segment.kind is SegmentKind.RESET
    if not (shows or is_abort):
        return b""
    why = encode_reset(segment.reset_code, segment.reason) if is_abort else b""
    modern, streams = Capability.SINGLE_CLOSE in shows, Capability.STREAMS in shows
    return Trailer(modern, streams, is_abort, why, Capability.ASKS in shows).encode()


def _capabilities(trailer: Trailer) -> Capability:
    shows = Capability.SINGLE_CLOSE if trailer.modern else Capability.NONE
    shows |= Capability.STREAMS if trailer.streams else Capability.NONE
    return shows | Capability.ASKS if trailer.asks else shows


def _why(reset: bytes) -> tuple[ResetCode, str]:
    try:
        return decode_reset(reset)
    except ChannelFormatError:  # of a nymproxy that gave no reasons
        return ResetCode.CANCELLED, ""
