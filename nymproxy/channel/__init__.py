"""Ordered, reliable, multiplexed byte channels over any message transport.

Sans-IO machines, one for each concern, composed in :class:`ChannelMachine` (one channel) and
:class:`ChannelTable` (all of a client). The async shells around them are ``channel.Channel`` for
applications, and ``mux.ChannelMux``. A wire protocol plugs in as a :class:`ChannelProtocol`.
"""

from __future__ import annotations

from nymproxy.channel.protocol import AbortSignal as AbortSignal
from nymproxy.channel.protocol import ChannelCodec as ChannelCodec
from nymproxy.channel.protocol import ChannelProtocol as ChannelProtocol
from nymproxy.channel.protocol import EndSignal as EndSignal
from nymproxy.channel.protocol import Pacing as Pacing
from nymproxy.channel.protocol import PeerMemory as PeerMemory
from nymproxy.channel.protocol import PeerTraits as PeerTraits
from nymproxy.channel.quirks import Quirks as Quirks
from nymproxy.channel.rules import ChannelRules as ChannelRules
from nymproxy.channel.rules import FlowRules as FlowRules
from nymproxy.channel.rules import OrderRules as OrderRules
from nymproxy.channel.rules import QuietRules as QuietRules
from nymproxy.channel.rules import SendRules as SendRules
from nymproxy.channel.segment import Capability as Capability
from nymproxy.channel.segment import ChannelId as ChannelId
from nymproxy.channel.segment import Segment as Segment
from nymproxy.channel.segment import SegmentKind as SegmentKind
