"""The client's side of one gateway connection, as a state machine without I/O.

Order of nym-gateway-client 1.21.6: ask for the protocol version, register or authenticate, claim
bandwidth, then send and receive packets. Responses have no ids, so at most one control request is
under way; what is not an answer (pushed messages, ``send``, ``encryptedResponse``, a packet's
``out_of_bandwidth``) never resolves it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn, TypeAlias, TypeVar

from nymproxy.errors import (
    GatewayProtocolError,
    GatewayRefused,
    OutOfBandwidth,
    PhaseTimeout,
)
from nymproxy.mixnet.gateway import responses
from nymproxy.mixnet.gateway.allowance import Allowance
from nymproxy.mixnet.gateway.authentication import build_authentication
from nymproxy.mixnet.gateway.encrypted_texts import open_response
from nymproxy.mixnet.gateway.events import (
    Authenticating,
    BandwidthChanged,
    GatewayEvent,
    Pushed,
    Registered,
    SensitiveAnswer,
    Streaming,
)
from nymproxy.mixnet.gateway.frames import ResponseKind, open_frame, seal_packets
from nymproxy.mixnet.gateway.handshake import ClientHandshake
from nymproxy.mixnet.gateway.handshake_texts import HandshakeText, parse_handshake_text
from nymproxy.mixnet.gateway.keys import NONCE_BYTES
from nymproxy.mixnet.gateway.limits import PhaseLimits
from nymproxy.mixnet.gateway.liveness import Liveness
from nymproxy.mixnet.gateway.phases import HANDSHAKE_PHASES, Phase
from nymproxy.mixnet.gateway.refusals import RefusalKind, explain_refusal
from nymproxy.mixnet.gateway.requests import ClaimFreeTestnetBandwidth, SupportedProtocolRequest
from nymproxy.mixnet.gateway.versions import (
    CURRENT_PROTOCOL_VERSION,
    LOWEST_PROTOCOL_VERSION,
    carries_key_rotation,
    is_supported,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy.address import NodeIdentity
    from nymproxy.mixnet.gateway.keys import ClientIdentityKey, SharedKey
    from nymproxy.mixnet.messages import MixPacket
    from nymproxy.mixnet.randomness import RandomBytes

_log = logging.getLogger("nymproxy.gateway")

_Events: TypeAlias = list[GatewayEvent]
_Response = TypeVar("_Response")


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
        self._identity = identity
        self._gateway = gateway
        self._key = shared_key
        self._random_bytes = random_bytes
        self._limits = limits or PhaseLimits()
        self._handshake: ClientHandshake | None = None
        self._outgoing: list[str] = []
        self._phase_deadline: float | None = None
        self._liveness = Liveness(self._limits.idle, self._limits.pong)
        self.allowance = Allowance()
        """What we know of our bandwidth."""
        self.phase = Phase.NEW
        self.protocol_version = CURRENT_PROTOCOL_VERSION
        """The negotiated version, final when streaming."""
        self.refusal: RefusalKind | None = None
        """Why the gateway said no, when GatewayRefused was raised for an error text."""

    # What the driver asks.

    @property
    def is_streaming(self) -> bool:
        """True while packets may be sent, as far as the connection is concerned."""
        return self.phase is Phase.STREAMING

    @property
    def deadline(self) -> float | None:
        """When to call :meth:`time_out`, on the clock of ``now``; None before the start."""
        if self.phase is not Phase.STREAMING:
            return self._phase_deadline
        silence_ends = self._liveness.deadline
        if self.allowance.claimed_at is not None:
            return min(silence_ends, self.allowance.claimed_at + self._limits.claim)
        if self.allowance.next_claim_at is not None:
            return min(silence_ends, self.allowance.next_claim_at)
        return silence_ends

    def texts_to_send(self) -> list[str]:
        """Take the texts to send, in order."""
        texts, self._outgoing = self._outgoing, []
        return texts

    def take_ping(self) -> bool:
        """Tell, once, whether a ping is to be sent."""
        return self._liveness.take_ping()

    # What the driver tells.

    def start(self, now: float) -> None:
        """Begin, on a fresh connection."""
        self._liveness.hear(now)
        self._outgoing.append(SupportedProtocolRequest().encode())
        self._enter(Phase.ASKING_VERSION, now + self._limits.version)

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
            if self._handshake is not None and self.phase in HANDSHAKE_PHASES:
                self._outgoing.append(self._handshake.abort_for_timeout().encode())
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
        if self.phase in HANDSHAKE_PHASES:
            return self._receive_handshake_text(text, now, unix_time)
        response = responses.parse_response(text)
        match self.phase:
            case Phase.ASKING_VERSION:
                return self._receive_version(response, now, unix_time)
            case Phase.AWAITING_REGISTRATION:
                return self._receive_registration(response, now, unix_time)
            case Phase.AUTHENTICATING:
                return self._receive_authentication(response, now, unix_time)
            case Phase.CLAIMING | Phase.STREAMING:
                return self._receive_while_streaming(response, now, unix_time)
            case _:
                raise GatewayProtocolError("a text came before the connection was started")

    def receive_binary(self, frame: bytes, now: float) -> _Events:
        """Take one binary frame.

        Raises:
            GatewayProtocolError: while streaming, a frame that does not open with the shared key.
        """
        self.receive_pong(now)
        key = self._receiving_key()
        if key is None:
            _log.warning("dropped a binary frame that came while %s", self.phase.value)
            return []
        try:
            return [Pushed(open_frame(key, frame, ResponseKind).plaintext)]
        except GatewayProtocolError:
            if self.phase is Phase.STREAMING:
                raise
            _log.warning("dropped a stored message that does not open with our shared key")
            return []

    # Sending packets.

    def renew_bandwidth(self, now: float, unix_time: float) -> bool:
        """Claim if it is time to; tell whether packets may be sent now."""
        if self.phase is not Phase.STREAMING:
            return False
        if self.allowance.should_claim(now, unix_time):
            self._claim(now)
        return self.allowance.may_send(unix_time)

    def seal_packets(self, packets: Iterable[MixPacket]) -> list[bytes]:
        """Seal packets into frames, in the form of the negotiated version.

        Raises:
            GatewayProtocolError: the connection is not streaming.
        """
        key = self._key
        if key is None or self.phase is not Phase.STREAMING:
            raise GatewayProtocolError("packets cannot be sent before the connection is streaming")
        return seal_packets(key, packets, self.protocol_version, self._random_bytes)

    # The phases.

    def _enter(self, phase: Phase, deadline: float) -> None:
        self.phase = phase
        self._phase_deadline = deadline

    def _refuse(self, text: str) -> NoReturn:
        self.refusal, error = explain_refusal(text)
        raise error

    def _unexpected(self, response: responses.GatewayResponse) -> NoReturn:
        raise GatewayProtocolError(
            f"the gateway answered with {type(response).__name__} while {self.phase.value}"
        )

    def _receiving_key(self) -> SharedKey | None:
        if self.phase is Phase.AWAITING_REGISTRATION and self._handshake is not None:
            return self._handshake.shared_key
        if self.phase in (Phase.AUTHENTICATING, Phase.CLAIMING, Phase.STREAMING):
            return self._key
        return None

    def _expected(
        self, response: responses.GatewayResponse, kind: type[_Response]
    ) -> _Response | None:
        """Return the response if it is the one we wait for, ``None`` if it can be passed over.

        Raises:
            GatewayRefused: it is an error.
            GatewayProtocolError: it is another one.
        """
        if isinstance(response, responses.SendResponse):
            return None
        if isinstance(response, responses.ErrorResponse):
            self._refuse(response.message)
        if not isinstance(response, kind):
            self._unexpected(response)
        return response

    def _receive_version(
        self, response: responses.GatewayResponse, now: float, unix_time: float
    ) -> _Events:
        answer = self._expected(response, responses.SupportedProtocolResponse)
        if answer is None:
            return []
        version = min(answer.version, CURRENT_PROTOCOL_VERSION)
        if version < LOWEST_PROTOCOL_VERSION:
            self.refusal = RefusalKind.VERSION
            raise GatewayRefused(
                f"the gateway speaks protocol version {version} and we need "
                f"{LOWEST_PROTOCOL_VERSION} or later: choose another gateway"
            )
        self.protocol_version = version
        if self._key is None:
            self._start_registration(now)
            return []
        return self._start_authentication(self._key, now, unix_time)

    def _start_registration(self, now: float) -> None:
        self._handshake = ClientHandshake(
            self._identity,
            self._gateway,
            protocol_version=self.protocol_version,
            random_bytes=self._random_bytes,
        )
        self._outgoing.append(self._handshake.start().encode())
        self._enter(Phase.EXCHANGING_KEYS, now + self._limits.handshake)

    def _receive_handshake_text(self, text: str, now: float, unix_time: float) -> _Events:
        assert self._handshake is not None
        message = self._handshake_message(text)
        if message is None:
            return []
        try:
            reply = self._handshake.receive(message)
        except (GatewayProtocolError, GatewayRefused):
            assert self._handshake.failure_reply is not None
            self._outgoing.append(self._handshake.failure_reply.encode())
            raise
        if reply is not None:
            self._outgoing.append(reply.encode())
            self._enter(Phase.AWAITING_CONFIRMATION, now + self._limits.handshake)
        else:
            self._enter(Phase.AWAITING_REGISTRATION, now + self._limits.authenticate)
        return []

    def _handshake_message(self, text: str) -> HandshakeText | None:
        """Read a text of the handshake; pass over others, except refusals.

        The Rust client passes over those too, and learns nothing until its time is up.
        """
        try:
            return parse_handshake_text(text)
        except GatewayProtocolError:
            pass
        try:
            response = responses.parse_response(text)
        except GatewayProtocolError:
            _log.warning("passed over an unknown text during the registration")
            return None
        if isinstance(response, responses.ErrorResponse):
            self._refuse(response.message)
        _log.warning("passed over %s during the registration", type(response).__name__)
        return None

    def _receive_registration(
        self, response: responses.GatewayResponse, now: float, unix_time: float
    ) -> _Events:
        assert self._handshake is not None
        answer = self._expected(response, responses.RegisterResponse)
        if answer is None:
            return []
        if not answer.status:
            raise GatewayRefused("the gateway refused to register us: choose another gateway")
        self._key = self._handshake.shared_key
        self.protocol_version = self._handshake.protocol_version
        self._handshake = None
        events: _Events = [Registered(self._key, int(unix_time))]
        return events + self._authenticated(0, now, unix_time)

    def _start_authentication(self, key: SharedKey, now: float, unix_time: float) -> _Events:
        request = build_authentication(
            self._identity,
            key,
            protocol_version=self.protocol_version,
            unix_timestamp=int(unix_time),
            nonce=self._random_bytes(NONCE_BYTES),
        )
        self._outgoing.append(request.encode())
        self._enter(Phase.AUTHENTICATING, now + self._limits.authenticate)
        return [Authenticating(request.unix_timestamp)]

    def _receive_authentication(
        self, response: responses.GatewayResponse, now: float, unix_time: float
    ) -> _Events:
        answer = self._expected(response, responses.AuthenticateResponse)
        if answer is None:
            return []
        if not answer.status:
            raise GatewayRefused("the gateway did not accept our authentication: try again later")
        if not is_supported(answer.protocol_version):
            self.refusal = RefusalKind.VERSION
            raise GatewayRefused(
                f"the gateway wants protocol version {answer.protocol_version}, "
                "which we do not speak: choose another gateway"
            )
        self.protocol_version = answer.protocol_version
        return self._authenticated(answer.bandwidth_remaining, now, unix_time)

    def _authenticated(self, available: int, now: float, unix_time: float) -> _Events:
        self.allowance.report_fresh(available, unix_time)
        if self.allowance.should_claim(now, unix_time):
            self._claim(now)
            self._enter(Phase.CLAIMING, now + self._limits.claim)
            return []
        return self._start_streaming()

    def _start_streaming(self) -> _Events:
        if not carries_key_rotation(self.protocol_version):
            _log.warning(
                "the gateway speaks protocol version %d: our packets carry no key rotation",
                self.protocol_version,
            )
        self.phase = Phase.STREAMING
        self._phase_deadline = None
        return [BandwidthChanged(self.allowance.available), Streaming()]

    def _claim(self, now: float) -> None:
        self._outgoing.append(ClaimFreeTestnetBandwidth().encode())
        self.allowance.start_claim(now)

    def _receive_while_streaming(
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
                return self._receive_encrypted(response)
            case responses.ErrorResponse(message=message):
                self._refuse(message)
            case responses.TicketReplayResponse():
                raise GatewayProtocolError("the gateway refused a ticket that we never sent")
            case _:
                _log.warning("passed over an unexpected %s", type(response).__name__)
                return []

    def _receive_bandwidth(self, available: int, now: float, unix_time: float) -> _Events:
        if self.allowance.claimed_at is None:
            _log.warning("the gateway reported bandwidth that nobody claimed")
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

    def _receive_encrypted(self, response: responses.EncryptedResponse) -> _Events:
        assert self._key is not None
        try:
            return [SensitiveAnswer(open_response(response, self._key))]
        except GatewayProtocolError as error:
            _log.warning("passed over an encrypted response: %s", error)
            return []
