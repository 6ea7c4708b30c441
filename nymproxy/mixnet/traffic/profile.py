"""How a client sends: rates, covers, time limits and bounds, under a name that results can cite.

Defaults and presets of nym-client-core-config-types 1.21.6 (src/lib.rs); the values that the Rust
client leaves unbounded have bounds here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from nymproxy.errors import ConfigurationError
from nymproxy.mixnet.sphinx import PacketSize

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class SurbPolicy:
    """The budget of reply SURBs: how many to hold, to ask for, and to hand out.

    Attributes:
        reserve: SURBs of each tag that replies may not use, so that more can be asked for.
        maximum_held: no more are asked for while so many are held or on their way.
        minimum_request: smallest amount to ask for at once.
        maximum_request: largest amount to ask for at once.
        maximum_answer: largest amount that we hand out for one request.
        answer_batch: SURBs in one message of an answer: ten fill three packets, so that a packet
            that its gateway loses takes no more of them along.
        maximum_unused: SURBs that one recipient is given ahead of the replies that come back.
        rerequest_seconds: silence after which an unanswered request is repeated.
        overtaking_seconds: for how long a message may have overtaken the SURBs of an earlier one.
            Replies to a sender of whom none are in hand and none were asked for wait no longer.
        drop_seconds: silence after a request, after which replies that wait for SURBs are given up.
        maximum_rerequests: repetitions without any SURB received, before giving up.
        maximum_tags: anonymous senders remembered; the least recently used is forgotten.
        maximum_per_tag: SURBs stored for one sender; the oldest go first.
        maximum_waiting: packets of one sender that may wait for SURBs before ``send`` waits.
        total_waiting: of all senders; beyond it, what waits for silent senders is given up, then
            for new ones; for proven ones that wait for us, not below twice as many.
        maximum_recipients: recipients whose sender tag of ours is remembered.
    """

    reserve: int = 10
    maximum_held: int = 200
    minimum_request: int = 10
    maximum_request: int = 50
    maximum_answer: int = 500
    answer_batch: int = 10
    maximum_unused: int = 1_000
    rerequest_seconds: float = 10.0
    overtaking_seconds: float = 10.0
    drop_seconds: float = 300.0
    maximum_rerequests: int = 5
    maximum_tags: int = 10_000
    maximum_per_tag: int = 1_000
    maximum_waiting: int = 256
    total_waiting: int = 4_096
    maximum_recipients: int = 10_000

    def __post_init__(self) -> None:
        if not 0 < self.minimum_request <= self.maximum_request:
            raise ConfigurationError("SURB requests: 0 < minimum_request <= maximum_request")
        if self.reserve < 1 or self.maximum_held <= self.reserve:
            raise ConfigurationError("SURBs: the reserve is at least 1 and below maximum_held")
        if not 0 < self.answer_batch <= self.maximum_answer:
            raise ConfigurationError("SURB answers: 0 < answer_batch <= maximum_answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLimits:
    """Bounds of the window of unacknowledged packets that paces a client without a schedule.

    A real node drops the newest packet beyond 2000 queued for one next hop, so the maximum stays
    far below. A lost packet occupies its place until its timer fires, so the minimum is not 1.

    Attributes:
        initial: packets that may be unacknowledged at first.
        minimum: the window never shrinks below.
        maximum: the window never grows beyond.
        decrease: factor applied once for each round with losses.
        queueing_target_seconds: measured excess delay beyond which the window stops growing.
    """

    initial: int = 64
    minimum: int = 32
    maximum: int = 512
    decrease: float = 0.7
    queueing_target_seconds: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.minimum <= self.initial <= self.maximum:
            raise ConfigurationError("the window needs 0 < minimum <= initial <= maximum")
        if not 0 < self.decrease < 1:
            raise ConfigurationError("the window's decrease factor lies between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficProfile:
    """Everything that shapes a client's traffic. All means are of exponential distributions.

    Attributes:
        name: what results call it.
        packet_delay_seconds: mean delay at each hop of data packets, covers and reply SURBs.
        ack_delay_seconds: mean delay at each hop of acks.
        sending_delay_seconds: mean time between packets of the main stream, which sends cover
            when nothing waits; ``None``: as fast as the window allows, without cover.
        loop_cover_delay_seconds: mean time between packets of the extra loop cover; ``None``: none.
        primary_packet_size: packet size of messages and cover.
        secondary_packet_size: used for a message that needs fewer packets with it, and for a
            share of the cover. It stands out on the wire.
        cover_primary_ratio: share of cover of the primary size if there is a secondary one.
        ack_wait_samples: acks after which a packet's timer is its own delays plus the measured
            excess; before, it is
        ack_wait_multiplier: its own delays times this, plus
        ack_wait_addition_seconds: this, plus the measured excess.
        minimum_ack_wait_seconds: no timer is shorter.
        maximum_excess_seconds: limit of the measured excess.
        retransmission_backoff: factor on the timer for each retransmission of one packet.
        maximum_ack_wait_seconds: limit of one timer after back-off.
        maximum_retransmissions: of one packet, after which its message is given up.
        copies: further packets of a small message that may leave in place of cover, 0 to 2.
        returns_cover: for each packet that a peer sends by a reply SURB of ours, a cover goes to
            that peer in place of to ourselves, so that as much is pushed to us as without it.
        lane_packets: packets that may wait in one lane before ``send`` waits (one message of any
            size is always admitted to an empty lane).
        total_packets: packets that may wait in all lanes together before ``send`` waits.
        header_pool_size: prepared headers of one kind; 0 turns preparation off.
        window: bounds of the window of a client without a schedule.
        surbs: the budget of reply SURBs.
    """

    name: str
    packet_delay_seconds: float = 0.015
    ack_delay_seconds: float = 0.015
    sending_delay_seconds: float | None = 0.020
    loop_cover_delay_seconds: float | None = 0.200
    primary_packet_size: PacketSize = PacketSize.REGULAR
    secondary_packet_size: PacketSize | None = None
    cover_primary_ratio: float = 0.70
    ack_wait_samples: int = 10
    ack_wait_multiplier: float = 1.5
    ack_wait_addition_seconds: float = 1.5
    minimum_ack_wait_seconds: float = 0.25
    maximum_excess_seconds: float = 20.0
    retransmission_backoff: float = 1.5
    maximum_ack_wait_seconds: float = 30.0
    maximum_retransmissions: int = 12
    copies: int = 1
    returns_cover: bool = True
    lane_packets: int = 128
    total_packets: int = 4096
    header_pool_size: int = 64
    window: WindowLimits = field(default_factory=WindowLimits)
    surbs: SurbPolicy = field(default_factory=SurbPolicy)

    def __post_init__(self) -> None:
        delays = (self.packet_delay_seconds, self.ack_delay_seconds)
        means = (self.sending_delay_seconds, self.loop_cover_delay_seconds)
        if not all(0 <= delay <= 3600 for delay in delays):
            raise ConfigurationError("mean hop delays lie between 0 and 3600 seconds")
        if not all(mean is None or 0 < mean <= 86_400 for mean in means):
            raise ConfigurationError("mean sending delays are positive, or None for off")
        if not (self.ack_wait_multiplier >= 1 and self.ack_wait_addition_seconds > 0):
            raise ConfigurationError("ack timers need a multiplier >= 1 and a positive addition")
        if self.retransmission_backoff < 1 or self.maximum_retransmissions < 0:
            raise ConfigurationError("retransmission needs a back-off >= 1 and a limit >= 0")
        if not 0 <= self.copies <= 2:
            raise ConfigurationError("a packet has 0, 1 or 2 copies")
        if not 0 < self.lane_packets <= self.total_packets:
            raise ConfigurationError("lanes need 0 < lane_packets <= total_packets")
        if self.header_pool_size < 0 or not 0 <= self.cover_primary_ratio <= 1:
            raise ConfigurationError("header_pool_size is >= 0, cover_primary_ratio in 0..1")
        if PacketSize.ACK in (self.primary_packet_size, self.secondary_packet_size):
            raise ConfigurationError("the ack size carries no messages")
        if self.secondary_packet_size is self.primary_packet_size:
            raise ConfigurationError("the secondary packet size must differ from the primary one")

    @property
    def packet_rate(self) -> float | None:
        """Packets a second that the schedule lets out, or ``None`` without a schedule."""
        return None if self.sending_delay_seconds is None else 1 / self.sending_delay_seconds


DEFAULT = TrafficProfile(name="default")
"""What a stock Rust client does: 50 packets a second, cover when idle, loop cover on top."""

FAST = TrafficProfile(
    name="fast",
    packet_delay_seconds=0.010,
    ack_delay_seconds=0.010,
    sending_delay_seconds=0.004,
    loop_cover_delay_seconds=2000.0,
)
"""Five times the rate, shorter hop delays, in effect no extra cover
(``set_high_default_traffic_volume``)."""

BARE = TrafficProfile(
    name="bare",
    packet_delay_seconds=0.0,
    ack_delay_seconds=0.0,
    sending_delay_seconds=None,
    loop_cover_delay_seconds=None,
)
"""No delays, no cover, no schedule: fast, and without the protection of the mixing
(``set_no_per_hop_delays`` + ``set_no_cover_traffic``)."""

PROFILES: Mapping[str, TrafficProfile] = MappingProxyType(
    {profile.name: profile for profile in (DEFAULT, FAST, BARE)}
)


def profile_of(value: TrafficProfile | str) -> TrafficProfile:
    """Return a profile that is given as such, or as the name of one of :data:`PROFILES`.

    Raises:
        ConfigurationError: none has this name, or it is no text.
    """
    if isinstance(value, TrafficProfile):
        return value
    profile = PROFILES.get(value) if isinstance(value, str) else None
    if profile is None:
        raise ConfigurationError(
            f"no traffic profile is called {value!r}: use {', '.join(PROFILES)}"
        )
    return profile
