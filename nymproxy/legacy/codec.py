"""Translates between ``ProxiedMessage`` and the segments of a channel."""

from __future__ import annotations

import uuid

from nymproxy.channel import Capability, ChannelId, Segment, SegmentKind
from nymproxy.errors import UsageError
from nymproxy.legacy.message import Close, Data, ProxiedMessage, Trailer

_TRAILERS = {
    (modern, aborted): Trailer(modern, aborted).encode() if modern or aborted else b""
    for modern in (False, True)
    for aborted in (False, True)
}


class LegacyCodec:
    """The :class:`~nymproxy.channel.ChannelCodec` of the legacy protocol.

    A session id is the channel id, a Close is a FIN, or a RESET if its trailer says so, and the
    server's trailer is a capability.
    """

    name = "legacy"

    def matches(self, payload: bytes) -> bool:
        """Tell legacy messages by their first byte, the low byte of the variant: 00 or 01."""
        return bool(payload) and payload[0] <= 1

    def decode(self, payload: bytes) -> Segment:
        """Read one message.

        Raises:
            ChannelFormatError: whatever the Rust decoder rejects.
        """
        message = ProxiedMessage.decode(payload)
        trailer = Trailer.find(message.trailer)
        kind = SegmentKind.DATA
        if not isinstance(message.message, Data):
            is_abort = trailer is not None and trailer.aborted
            kind = SegmentKind.RESET if is_abort else SegmentKind.FIN
        return Segment(
            kind,
            ChannelId(message.session_id.int),
            message.message_id,
            message.message.data if isinstance(message.message, Data) else b"",
            None if trailer is None else _capabilities(trailer),
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
        shows = segment.capabilities or Capability.NONE
        return ProxiedMessage(
            message,
            uuid.UUID(int=segment.channel_id),
            segment.sequence,
            _TRAILERS[Capability.SINGLE_CLOSE in shows, segment.kind is SegmentKind.RESET],
        ).encode()


def _capabilities(trailer: Trailer) -> Capability:
    return Capability.SINGLE_CLOSE if trailer.modern else Capability.NONE
