"""The client's side of one gateway connection, as a state machine without I/O.

Order of nym-gateway-client 1.21.6: what :mod:`nymproxy.mixnet.gateway.opening` does, claim
bandwidth, then send and receive packets. Responses have no ids, so at most one control request is
under way; what is not an answer (pushed messages, ``send``, ``encryptedResponse``, a packet's
``out_of_bandwidth``) never resolves it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeAlias

from nymproxy._limited_log import LimitedLog
from nymproxy.errors import (
    GatewayProtocolError,
    OutOfBandwidth,
    PhaseTimeout,
)
from nymproxy.mixnet.gateway import responses
from nymproxy.mixnet.gateway.allowance import Allowance
from nymproxy.mixnet.gateway.encrypted_texts import open_response
from nymproxy.mixnet.gateway.events import (
    BandwidthChanged,
    GatewayEvent,
    Pushed,
    SensitiveAnswer,
    Streaming,
)
from nymproxy.mixnet.gateway.frames import ResponseKind, open_frame, seal_packets
from nymproxy.mixnet.gateway.limits import PhaseLimits
from nymproxy.mixnet.gateway.liveness import Liveness
from nymproxy.mixnet.gateway.opening import Opening
from nymproxy.mixnet.gateway.phases import Phase
from nymproxy.mixnet.gateway.refusals import Refusals
from nymproxy.mixnet.gateway.requests import ClaimFreeTestnetBandwidth
from nymproxy.mixnet.gateway.versions import carries_key_rotation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy.address import NodeIdentity
    from nymproxy.mixnet.gateway.keys import ClientIdentityKey, SharedKey
    from nymproxy.mixnet.gateway.refusals import RefusalKind
    from nymproxy.mixnet.messages import MixPacket
    from nymproxy.mixnet.randomness import RandomBytes

_log = logging.getLogger("nymproxy.gateway")

_Events: TypeAlias = list[GatewayEvent]


class GatewayClientProtocol:
    """One connection's state. Feed it what arrives; drain :meth:`texts_to_send` after each call.

    After a method raised, the connection is of no more use: send what is left in
    :meth:`texts_to_send`, then close.

    Args:
        identity: the client's own key.
        gateway: who must be at the other end.
        shared_key: authenticate with it; without one, register.
        random_bytes: source of ephemeral keys and nonces.
        limits: time limits of the phases.
    """

    def __init__(
        self,
        identity: ClientIdentityKey,
        gateway: NodeIdentity,
        *,
        shared_key: SharedKey | None,
        random_bytes: RandomBytes,
        limits: PhaseLimits | None = None,
    ) -> None:
        self._random_bytes = random_bytes
        self._limits = limits or PhaseLimits()
        self._outgoing: list[str] = []
        self._log = LimitedLog(_log)
        self._refusals = Refusals()
        self._opening = Opening(
            identity,
            gateway,
            key=shared_key,
            random_bytes=random_bytes,
            limits=self._limits,
            refusals=self._refusals,
            outgoing=self._outgoing,
            log=self._log,
        )
        self._phase: Phase | None = None  # once the opening is over
        self._claim_deadline = 0.0
        self._liveness = Liveness(self._limits.idle, self._limits.pong)
        self.allowance = Allowance()
        """What we know of our bandwidth."""

    # What the driver asks.

    @property
    def phase(self) -> Phase:
        """Where the connection stands."""
        return self._phase or self._opening.phase

    @property
    def protocol_version(self) -> int:
        """The negotiated version, final when streaming."""
        return self._opening.protocol_version

    @property
    def refusal(self) -> RefusalKind | None:
        """Why the gateway said no, when GatewayRefused was raised for an error text."""
        return self._refusals.kind

    @property
    def is_streaming(self) -> bool:
        """True while packets may be sent, as far as the connection is concerned."""
        return self.phase is Phase.STREAMING

    @property
    def deadline(self) -> float | None:
        """When to call :meth:`time_out`, on the clock of ``now``; None before the start."""
        if self._phase is None:
            return self._opening.deadline
        if self._phase is Phase.CLAIMING:
            return self._claim_deadline
        silence_ends = self._liveness.deadline
        if self.allowance.claimed_at is not None:
            return min(silence_ends, self.allowance.claimed_at + self._limits.claim)
        if self.allowance.next_claim_at is not None:
            return min(silence_ends, self.allowance.next_claim_at)
        return silence_ends

    @property
    def wants_to_send(self) -> bool:
        """True when there are texts to send, or a ping."""
        return bool(self._outgoing) or self._liveness.wants_ping

    def texts_to_send(self) -> list[str]:
        """Take the texts to send, in order."""
        texts = list(self._outgoing)
        self._outgoing.clear()
        return texts

    def take_ping(self) -> bool:
        """Tell, once, whether a ping is to be sent."""
        return self._liveness.take_ping()

    # What the driver tells.

    def start(self, now: float) -> None:
        """Begin, on a fresh connection."""
        self._liveness.hear(now)
        self._opening.start(now)

    def receive_pong(self, now: float) -> None:
        """Take any sign of life that is no message."""
        self._liveness.hear(now)

    def postpone(self, seconds: float) -> None:
        """Move the deadlines: for so long the driver did not read, so silence meant nothing."""
        self._liveness.postpone(seconds)
        if self.allowance.claimed_at is not None:
            self.allowance.claimed_at += seconds

    def time_out(self, now: float, unix_time: float) -> None:
        """Act on a passed deadline: claim again, ask for a ping, or fail.

        Raises:
            PhaseTimeout: a phase took too long, or a ping was not answered.
        """
        deadline = self.deadline
        if deadline is None or now < deadline:
            return
        if self.phase is not Phase.STREAMING:
            if self._phase is None:
                self._opening.abort()
            raise PhaseTimeout(f"the gateway did not answer in time while {self.phase.value}")
        claimed_at = self.allowance.claimed_at
        if claimed_at is not None and now >= claimed_at + self._limits.claim:
            raise PhaseTimeout("the gateway did not answer a bandwidth claim in time")
        self.renew_bandwidth(now, unix_time)
        self._liveness.time_out(now)

    def receive_text(self, text: str, now: float, unix_time: float) -> _Events:
        """Take one text message.

        Raises:
            GatewayRefused: the gateway said no; its subclasses and ``refusal`` tell why.
            GatewayProtocolError: the text breaks the protocol.
            OutOfBandwidth: a claim brought nothing.
        """
        self.receive_pong(now)
        if self._phase is not None:
            return self._receive_response(responses.parse_response(text), now, unix_time)
        events = self._opening.receive(text, now, unix_time)
        if self._opening.available is not None:
            events += self._opened(self._opening.available, now, unix_time)
        return events

    def receive_binary(self, frame: bytes, now: float) -> _Events:
        """Take one binary frame.

        Raises:
            GatewayProtocolError: while streaming, a frame that does not open with the shared key.
        """
        self.receive_pong(now)
        key = self._opening.receiving_key if self._phase is None else self._opening.key
        if key is None:
            self._log.warning(now, "dropped a binary frame that came while %s", self.phase.value)
            return []
        try:
            return [Pushed(open_frame(key, frame, ResponseKind).plaintext)]
        except GatewayProtocolError:
            if self.phase is Phase.STREAMING:
                raise
            self._log.warning(
                now, "dropped a stored message that does not open with our shared key"
            )
            return []

    # Sending packets.

    def renew_bandwidth(self, now: float, unix_time: float) -> bool:
        """Claim if it is time to; tell whether packets may be sent now."""
        if not self.is_streaming:
            return False
        if self.allowance.should_claim(now, unix_time):
            self._claim(now)
        return self.allowance.may_send(unix_time)

    def seal_packets(self, packets: Iterable[MixPacket]) -> list[bytes]:
        """Seal packets into frames, in the form of the negotiated version.

        Raises:
            GatewayProtocolError: the connection is not streaming.
        """
        key = self._opening.key
        if key is None or not self.is_streaming:
            raise GatewayProtocolError("packets cannot be sent before the connection is streaming")
        return seal_packets(key, packets, self.protocol_version, self._random_bytes)

    # The phases behind the opening.

    def _opened(self, available: int, now: float, unix_time: float) -> _Events:
        self.allowance.report_fresh(available, unix_time)
        if self.allowance.should_claim(now, unix_time):
            self._claim(now)
            self._phase = Phase.CLAIMING
            self._claim_deadline = now + self._limits.claim
            return []
        return self._start_streaming()

    def _start_streaming(self) -> _Events:
        if not carries_key_rotation(self.protocol_version):
            _log.warning(
                "the gateway speaks protocol version %d: our packets carry no key rotation",
                self.protocol_version,
            )
        self._phase = Phase.STREAMING
        return [BandwidthChanged(self.allowance.available), Streaming()]

    def _claim(self, now: float) -> None:
        self._outgoing.append(ClaimFreeTestnetBandwidth().encode())
        self.allowance.start_claim(now)

    def _receive_response(
        self, response: responses.GatewayResponse, now: float, unix_time: float
    ) -> _Events:
        match response:
            case responses.SendResponse(remaining_bandwidth=available):
                self.allowance.report(available)
                return [BandwidthChanged(available)]
            case responses.OutOfBandwidthResponse(available=available):
                # One packet is lost; retransmission brings it again. The answer belongs to that
                # packet, not to a claim under way.
                self.allowance.report(min(available, 0))
                self.renew_bandwidth(now, unix_time)
                return [BandwidthChanged(available)]
            case responses.BandwidthResponse(available_total=available):
                return self._receive_bandwidth(available, now, unix_time)
            case responses.EncryptedResponse():
                return self._receive_encrypted(response, now)
            case responses.ErrorResponse(message=message):
                self._refusals.refuse(message)
            case responses.TicketReplayResponse():
                raise GatewayProtocolError("the gateway refused a ticket that we never sent")
            case _:
                self._log.warning(now, "passed over an unexpected %s", type(response).__name__)
                return []

    def _receive_bandwidth(self, available: int, now: float, unix_time: float) -> _Events:
        if self.allowance.claimed_at is None:
            self._log.warning(now, "the gateway reported bandwidth that nobody claimed")
            self.allowance.report(available)
            return [BandwidthChanged(available)]
        self.allowance.finish_claim(available, now, unix_time)
        if available <= 0:
            raise OutOfBandwidth(
                "the gateway grants no bandwidth: choose another gateway, or try again later"
            )
        if self.phase is Phase.CLAIMING:
            return self._start_streaming()
        return [BandwidthChanged(available)]

    def _receive_encrypted(self, response: responses.EncryptedResponse, now: float) -> _Events:
        assert self._opening.key is not None
        try:
            return [SensitiveAnswer(open_response(response, self._opening.key))]
        except GatewayProtocolError as error:
            self._log.warning(now, "passed over an encrypted response: %s", error)
            return []
