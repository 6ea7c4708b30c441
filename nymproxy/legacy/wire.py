"""Which protocol a proxy client speaks with its server, and with which settings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from nymproxy.channel import PeerMemory
from nymproxy.errors import ConfigurationError
from nymproxy.legacy.protocol import LegacyProtocol
from nymproxy.legacy.traits import LegacySettings
from nymproxy.legacy.turns import ServerTurns
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import StreamOptions

if TYPE_CHECKING:
    from nymproxy.address import NymAddress
    from nymproxy.channel import ChannelProtocol

Wire: TypeAlias = Literal["legacy", "stream"]
WIRES: tuple[Wire, ...] = ("legacy", "stream")


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
            idle: seconds without anything in either direction; half-closed sessions too.
        """
        rules = self.stream.rules
        quiet, legacy = rules.quiet, self.legacy
        if close is not None:
            quiet = replace(quiet, answer_timeout_seconds=close)
            legacy = replace(legacy, close_timeout_seconds=close)
        if connect is not None:
            quiet = replace(quiet, connect_timeout_seconds=connect)
            legacy = replace(legacy, connect_timeout_seconds=connect)
        if idle is not None:
            quiet = replace(quiet, idle_timeout_seconds=idle)
            half_closed = min(idle, legacy.half_closed_timeout_seconds)
            legacy = replace(
                legacy,
                session_idle_timeout_seconds=idle,
                half_closed_timeout_seconds=half_closed,
            )
        stream = replace(self.stream, rules=replace(rules, quiet=quiet))
        return replace(self, legacy=legacy, stream=stream)

    def protocol(self, wire: Wire, packet_rate: float | None) -> ChannelProtocol:
        """Return a protocol, for a transport with the given packet rate."""
        if wire == "legacy":
            return LegacyProtocol(
                self.legacy, packet_rate=packet_rate, memory=self.memory[wire], turns=self.turns
            )
        return StreamProtocol(self.stream, self.memory[wire])


@dataclass(frozen=True, slots=True)
class Destination:
    """A proxy server, and how to speak with it."""

    address: NymAddress
    wire: Wire
    settings: WireSettings

    def protocol(self, packet_rate: float | None) -> ChannelProtocol:
        """Return the protocol, for a transport with the given packet rate."""
        return self.settings.protocol(self.wire, packet_rate)


def check_wire(name: str) -> Wire:
    """Return a wire by name.

    Raises:
        ConfigurationError: there is no such wire.
    """
    for wire in WIRES:
        if wire == name:
            return wire
    raise ConfigurationError(f"there is no wire {name!r}; choose one of {', '.join(WIRES)}")
