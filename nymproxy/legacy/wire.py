"""Which protocol a proxy client speaks with its server, and with which settings."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from nymproxy._arguments import check_number, list_of, of_kind
from nymproxy.channel import PeerMemory
from nymproxy.errors import ConfigurationError, ResetCode, StreamIdleTimeout, StreamReset
from nymproxy.legacy.protocol import LegacyProtocol
from nymproxy.legacy.traits import LegacySettings
from nymproxy.legacy.turns import ServerTurns
from nymproxy.legacy.wire_choice import MISTRUST_SECONDS, UNANSWERED_SECONDS, WireChooser
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import StreamOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nymproxy.address import NymAddress
    from nymproxy.channel import ChannelProtocol
    from nymproxy.channel.channel import Channel
    from nymproxy.channel.servers import Servers

logger = logging.getLogger("nymproxy.legacy")

Wire: TypeAlias = Literal["legacy", "stream"]
WIRES: tuple[Wire, ...] = ("legacy", "stream")
WireChoice: TypeAlias = Literal["auto", "legacy", "stream"]
WIRE_CHOICES: tuple[WireChoice, ...] = ("auto", *WIRES)


@dataclass(frozen=True, slots=True)
class WireSettings:
    """The settings of both protocols.

    Attributes:
        legacy: of the legacy protocol.
        stream: of the stream protocol.
        memory: what was learned about peers; share one to learn each only once.
        turns: of legacy sessions at old servers; share one between the clients of a process.
    """

    legacy: LegacySettings = field(default_factory=LegacySettings)
    stream: StreamOptions = field(default_factory=StreamOptions)
    memory: dict[Wire, PeerMemory] = field(
        default_factory=lambda: {wire: PeerMemory() for wire in WIRES}
    )
    turns: ServerTurns = field(default_factory=ServerTurns)

    def with_timeouts(
        self,
        *,
        close: float | None = None,
        connect: float | None = None,
        idle: float | None = None,
    ) -> WireSettings:
        """Return the settings with other limits, of those that are given.

        Args:
            close: seconds without an answer after the app's end (clients).
            connect: seconds without an answer of any kind (clients).
            idle: seconds without anything in either direction; half-closed sessions too, and those
                whose peer is known to be there.

        Raises:
            ConfigurationError: one is no number, or below zero.
        """
        for name, seconds in (("close", close), ("connect", connect), ("idle", idle)):
            if seconds is not None:
                check_number(seconds, f"the {name} timeout")
        rules = self.stream.rules
        quiet, legacy = rules.quiet, self.legacy
        if close is not None:
            quiet = replace(quiet, answer_timeout_seconds=close, close_timeout_seconds=close)
            legacy = replace(legacy, close_timeout_seconds=close)
        if connect is not None:
            quiet = replace(quiet, connect_timeout_seconds=connect)
            legacy = replace(legacy, connect_timeout_seconds=connect)
        if idle is not None:
            quiet = replace(quiet, idle_timeout_seconds=idle, idle_ends_alive=True)
            half_closed = min(idle, legacy.half_closed_timeout_seconds)
            legacy = replace(
                legacy,
                session_idle_timeout_seconds=idle,
                half_closed_timeout_seconds=half_closed,
            )
        stream = replace(self.stream, rules=replace(rules, quiet=quiet))
        return replace(self, legacy=legacy, stream=stream)

    def protocol(
        self, wire: Wire, packet_rate: float | None, *, accepts_streams: bool = False
    ) -> ChannelProtocol:
        """Return a protocol, for a transport with the given packet rate.

        Args:
            wire: which.
            packet_rate: the transport's.
            accepts_streams: legacy clients of ours are shown that this server accepts streams.
        """
        if wire == "legacy":
            return LegacyProtocol(
                self.legacy,
                packet_rate=packet_rate,
                memory=self.memory[wire],
                turns=self.turns,
                accepts_streams=accepts_streams,
            )
        return StreamProtocol(self.stream, self.memory[wire])

    def protocols_of_server(
        self, accepted: Sequence[Wire], packet_rate: float | None
    ) -> dict[Wire, ChannelProtocol]:
        """Return all protocols: those that are not accepted are refused, not ignored."""
        streams = "stream" in accepted
        return {wire: self.protocol(wire, packet_rate, accepts_streams=streams) for wire in WIRES}

    def on_trial(self) -> WireSettings:
        """Return the settings of a stream to a server that may accept none."""
        rules = self.stream.rules
        quiet = replace(rules.quiet, opening_timeout_seconds=UNANSWERED_SECONDS)
        stream = replace(self.stream, rules=replace(rules, quiet=quiet))
        return replace(self, stream=stream)


def settings_of(given: WireSettings | None) -> WireSettings:
    """Return settings that are given, or the usual ones.

    Raises:
        ConfigurationError: it is something else.
    """
    return WireSettings() if given is None else of_kind(given, WireSettings, "WireSettings")


class Destination:
    """A proxy server, or several, and how to speak with them.

    Args:
        servers: in the order of preference.
        wire: the protocol; ``auto``: what the server has shown to accept.
        settings: of both protocols.

    Raises:
        ConfigurationError: only sealed streams are wanted, and the wire may be another.
    """

    def __init__(self, servers: Servers, wire: WireChoice, settings: WireSettings) -> None:
        if settings.stream.require_sealed and wire != "stream":
            raise ConfigurationError(f"wire {wire!r} cannot seal; require_sealed needs 'stream'")
        self.servers = servers
        self._wire = wire
        self._settings = settings
        self._chooser = WireChooser(settings.memory)

    def protocols(self, packet_rate: float | None) -> list[ChannelProtocol]:
        """Return all protocols that sessions may take, for a transport with that packet rate."""
        wires = WIRES if self._wire == "auto" else (self._wire,)
        return [self._settings.protocol(wire, packet_rate) for wire in wires]

    def choose(self, address: NymAddress, packet_rate: float | None, now: float) -> ChannelProtocol:
        """Return the protocol of the next session with a server; tell :meth:`ended` of its end."""
        settings, wire = self._settings, self._wire
        if wire == "auto":
            wire = self._chooser.choose(address, now)
            if not self._chooser.is_proven(address):
                settings = settings.on_trial()
        return settings.protocol(wire, packet_rate)

    def ended(self, address: NymAddress, channel: Channel, now: float) -> None:
        """Learn from the end of a session: a server that was said to accept streams may not."""
        if self._wire != "auto" or channel.protocol != "stream":
            return
        error = channel.error
        is_refused = isinstance(error, StreamReset) and error.reset_code is ResetCode.NOT_ACCEPTED
        is_silent = isinstance(error, StreamIdleTimeout) and not channel.is_established
        is_misled = is_silent and not self._chooser.is_proven(address)
        if is_refused:
            self._chooser.refused(address, now)
        elif is_misled:
            self._chooser.misled(address, now)
        if is_refused or is_misled:
            logger.warning(
                "A stream to %r had no answer of one that accepts streams: the next %g minutes "
                "sessions take the legacy wire",
                address,
                MISTRUST_SECONDS / 60,
            )


def check_wire(name: str) -> Wire:
    """Return a wire by name.

    Raises:
        ConfigurationError: there is no such wire.
    """
    for wire in WIRES:
        if wire == name:
            return wire
    raise ConfigurationError(f"there is no wire {name!r}; choose one of {', '.join(WIRES)}")


def accepted_wires(names: Iterable[str]) -> tuple[Wire, ...]:
    """Return the wires that a server accepts, each once.

    Raises:
        ConfigurationError: there is none, or one is no wire.
    """
    wires = tuple(dict.fromkeys(check_wire(name) for name in list_of(names, "wires")))
    if not wires:
        raise ConfigurationError("a server accepts at least one protocol")
    return wires


def check_choice(name: str) -> WireChoice:
    """Return a wire by name, or ``auto``.

    Raises:
        ConfigurationError: there is no such wire.
    """
    if name == "auto":
        return "auto"
    if name not in WIRES:
        raise ConfigurationError(
            f"there is no wire {name!r}; choose one of {', '.join(WIRE_CHOICES)}"
        )
    return check_wire(name)
