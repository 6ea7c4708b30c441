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

    def with_close_timeout(self, seconds: float) -> WireSettings:
        """Return the settings with another limit for the time without an answer after the app's
        end."""
        rules = self.stream.rules
        rules = replace(rules, quiet=replace(rules.quiet, answer_timeout_seconds=seconds))
        return replace(
            self,
            legacy=replace(self.legacy, close_timeout_seconds=seconds),
            stream=replace(self.stream, rules=rules),
        )

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
