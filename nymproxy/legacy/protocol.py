"""The legacy protocol as a :class:`~nymproxy.channel.ChannelProtocol`."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, ClassVar

from nymproxy.channel import ChannelId, PeerMemory
from nymproxy.channel.link import LinkContext, Linker
from nymproxy.legacy.codec import LegacyCodec
from nymproxy.legacy.session_id import is_modern, make_session_id
from nymproxy.legacy.traits import ClientTraits, LegacySettings, ServerTraits, is_question
from nymproxy.legacy.turns import ServerTurns

if TYPE_CHECKING:
    from nymproxy.address import NymAddress
    from nymproxy.channel import ChannelCodec, Segment
    from nymproxy.mixnet.randomness import RandomBytes


class LegacyProtocol:
    """Legacy sessions as channels, on either side.

    Args:
        settings: see :class:`LegacySettings`.
        packet_rate: the transport's, for the pacing towards old servers.
        memory: what was learned about servers; share one between the clients of a process.
        turns: when which session may send to an old server; share it likewise.
        accepts_streams: show clients of ours that streams are accepted at this address, too.
    """

    codec: ClassVar[ChannelCodec] = LegacyCodec()
    opens_explicitly: ClassVar[bool] = False

    def __init__(
        self,
        settings: LegacySettings | None = None,
        *,
        packet_rate: float | None = None,
        memory: PeerMemory | None = None,
        turns: ServerTurns | None = None,
        accepts_streams: bool = False,
    ) -> None:
        self.settings = settings or LegacySettings()
        self.memory = memory if memory is not None else PeerMemory()
        self._turns = turns if turns is not None else ServerTurns()
        self._packet_rate = packet_rate
        self._accepts_streams = accepts_streams

    def new_channel_id(self, random_bytes: RandomBytes) -> ChannelId:
        """Draw a session id of the version in the settings."""
        return ChannelId(make_session_id(random_bytes, self.settings.session_id_version).int)

    def opens(self, segment: Segment) -> bool:
        """The first message does: of a session of ours it has id 0, of others 1, or 0.

        What else comes for an unknown session is early, or it is stale: of a session that a former
        life of this server had, whose upstream connection is gone.
        """
        if not segment.is_numbered:
            return False
        last = 0 if is_modern(uuid.UUID(int=segment.channel_id)) else 1
        return segment.sequence <= last

    def asks(self, segment: Segment) -> bool:
        """Clients of ours do, with empty messages."""
        return is_question(segment) and is_modern(uuid.UUID(int=segment.channel_id))

    def dial(self, channel_id: ChannelId, to: NymAddress) -> ServerTraits:
        """Return what a client knows of the server at an address."""
        return ServerTraits(
            self.settings, to, self.memory, packet_rate=self._packet_rate, turns=self._turns
        )

    def answer(self, segment: Segment) -> ClientTraits:
        """Return what a server knows of the client that sent a session's first message."""
        session_id = uuid.UUID(int=segment.channel_id)
        return ClientTraits(
            self.settings,
            is_modern=is_modern(session_id),
            accepts_streams=self._accepts_streams,
        )

    def linker(self, context: LinkContext | None) -> Linker:
        """Return what makes the links: plain ones, the format has no others."""
        return Linker(self.codec)
