"""The stream protocol as a :class:`~nymproxy.channel.ChannelProtocol`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from nymproxy.channel.link import LinkContext, Linker
from nymproxy.channel.protocol import ChannelCodec, PeerMemory
from nymproxy.channel.segment import ChannelId, Segment, SegmentKind
from nymproxy.stream.codec import StreamCodec
from nymproxy.stream.nx2.linker import Nx2Linker
from nymproxy.stream.traits import StreamOptions, StreamTraits

if TYPE_CHECKING:
    from nymproxy.address import NymAddress
    from nymproxy.mixnet.randomness import RandomBytes


@dataclass(frozen=True, slots=True)
class StreamProtocol:
    """The stream protocol for a :class:`~nymproxy.channel.ChannelMux`.

    Attributes:
        options: settings of the streams opened, or accepted, with this object.
        memory: verdicts about addresses; share one between the clients of a process.
    """

    codec: ClassVar[ChannelCodec] = StreamCodec()
    opens_explicitly: ClassVar[bool] = True
    options: StreamOptions = field(default_factory=StreamOptions)
    memory: PeerMemory = field(default_factory=PeerMemory)

    def new_channel_id(self, random_bytes: RandomBytes) -> ChannelId:
        """Draw 64 random bits."""
        return ChannelId(int.from_bytes(random_bytes(8), "big"))

    def opens(self, segment: Segment) -> bool:
        """An Open does, and an OFFER."""
        return segment.kind in (SegmentKind.OPEN, SegmentKind.OFFER)

    def asks(self, segment: Segment) -> bool:
        """Nothing of a stream does: its link has questions of its own."""
        return False

    def dial(self, channel_id: ChannelId, to: NymAddress) -> StreamTraits:
        """Return the traits of a stream that we open."""
        return StreamTraits(self.options, to, self.memory)

    def answer(self, segment: Segment) -> StreamTraits:
        """Return the traits of a stream that a peer opens."""
        return StreamTraits(self.options, None, self.memory)

    def linker(self, context: LinkContext | None) -> Linker:
        """Return what makes the links: sealed ones where that is on, and possible."""
        if context is None or not (self.options.extensions and self.options.seals):
            return Linker(self.codec)
        requires = self.options.require_sealed
        return Nx2Linker(self.codec, context, self.memory, require_sealed=requires)
