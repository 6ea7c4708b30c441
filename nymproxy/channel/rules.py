"""Numbers and switches that are fixed for the life of a channel, by concern. Times in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class OrderRules:
    """Sequence numbers, and what may wait behind a missing one. They belong to the protocol."""

    sequence_modulus: int = 1 << 32
    first_receive_sequence: int = 0
    """The first sequence number expected from the peer."""
    first_send_sequence: int = 0
    empty_data_is_end: bool = False
    """An empty DATA, in order, ends its direction (streams); otherwise it is a no-op."""
    data_after_fin_is_error: bool = False
    """DATA above a FIN resets the channel (streams); otherwise it is dropped."""
    reorder_limit_frames: int = 1024
    reorder_limit_bytes: int = 32 * MIB
    gap_timeout_seconds: float = 120.0
    """A gap that stays open longer is an error, as is a reorder buffer over its limits."""


@dataclass(frozen=True, slots=True)
class SendRules:
    """How much is under way, and in which pieces."""

    send_window_bytes: int = 256 * KIB
    """Bytes that were written and have not left for the gateway; ``send`` waits above it."""
    max_ahead_frames: int = 128
    """A numbered message is never further ahead of the oldest unacknowledged one."""
    max_ahead_of_open: int = 32
    """Numbered messages while the OPEN is not acknowledged."""
    merge_delay_seconds: float = 0.010
    """Small writes that follow a message within this time are merged; 0: each leaves at once."""


@dataclass(frozen=True, slots=True)
class FlowRules:
    """Flow control, and what waits for an application that does not read."""

    initial_window_bytes: int = 1 * MIB
    """What either side may send before the first WINDOW, and the size granted."""
    window_tolerance_bytes: int = 4 * MIB
    unread_limit_bytes: int = 64 * MIB
    """Bytes that wait for the application; beyond it the channel fails with StreamOverflow."""
    negotiation_timeout_seconds: float = 20.0
    """A dialer keeps to the initial window so long while nothing is known of the peer."""
    probe_after_seconds: float = 30.0
    probe_interval_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class QuietRules:
    """When a channel on which nothing happens is over."""

    idle_timeout_seconds: float = 30 * 60.0
    """Nothing sent and nothing received: StreamIdleTimeout."""
    idle_ends_alive: bool = False
    """Also where the peer is known to be there, since it answers when it is asked (NX2)."""
    half_closed_timeout_seconds: float | None = None
    """The same while exactly one direction has ended; ``None``: as idle_timeout."""
    answer_timeout_seconds: float | None = None
    """After our own end was acknowledged: so long without a message from the peer ends the
    channel with StreamIdleTimeout; but a peer that cannot tell its end (see
    ``PeerTraits.peer_signals_end``), and has answered, is taken to have ended. ``None``: no such
    limit."""
    silence_end_seconds: float | None = None
    """So long without DATA from the peer is taken as the end of its direction. Off: ``None``."""
    connect_timeout_seconds: float | None = None
    """A dialer that has sent what it had, and heard nothing at all of the peer: StreamIdleTimeout.
    Off: ``None``."""
    opening_timeout_seconds: float | None = None
    """A dialer whose OPEN has arrived at the peer's gateway, and that has heard nothing at all
    since: StreamIdleTimeout, also while it sends. Off: ``None``."""
    dead_seconds: float | None = None
    """Nothing at all from a peer that says something by itself more often: StreamIdleTimeout. Off:
    ``None``."""
    close_timeout_seconds: float = 60.0
    """``aclose`` of a sealed channel, whose peer would be known to be gone: so long without an
    acknowledgement, our own gateway's outages included, and it aborts. Of others: ten seconds in
    all."""
    keepalive_seconds: float | None = None
    """Send PING this often, once the peer has shown that it answers; fail after three."""


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """All rules of a channel."""

    has_open: bool = True
    """The dialer begins with an OPEN (as ``ChannelProtocol.opens_explicitly``)."""
    order: OrderRules = field(default_factory=OrderRules)
    sending: SendRules = field(default_factory=SendRules)
    flow: FlowRules = field(default_factory=FlowRules)
    quiet: QuietRules = field(default_factory=QuietRules)
