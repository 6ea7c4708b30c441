"""The way from a fresh connection to a key that both sides have, as a state machine without I/O.

Order of nym-gateway-client 1.21.6: ask for the protocol version, then register or authenticate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, TypeAlias, TypeVar

from nymproxy.errors import GatewayProtocolError, GatewayRefused
from nymproxy.mixnet.gateway import responses
from nymproxy.mixnet.gateway.authentication import build_authentication
from nymproxy.mixnet.gateway.events import Authenticating, GatewayEvent, Registered
from nymproxy.mixnet.gateway.handshake import ClientHandshake
from nymproxy.mixnet.gateway.handshake_texts import HandshakeText, parse_handshake_text
from nymproxy.mixnet.gateway.keys import NONCE_BYTES
from nymproxy.mixnet.gateway.phases import HANDSHAKE_PHASES, Phase
from nymproxy.mixnet.gateway.refusals import RefusalKind, Refusals
from nymproxy.mixnet.gateway.requests import SupportedProtocolRequest
from nymproxy.mixnet.gateway.versions import (
    CURRENT_PROTOCOL_VERSION,
    LOWEST_PROTOCOL_VERSION,
    is_supported,
)

if TYPE_CHECKING:
    from nymproxy._limited_log import LimitedLog
    from nymproxy.address import NodeIdentity
    from nymproxy.mixnet.gateway.keys import ClientIdentityKey, SharedKey
    from nymproxy.mixnet.gateway.limits import PhaseLimits
    from nymproxy.mixnet.randomness import RandomBytes

_Events: TypeAlias = list[GatewayEvent]
_Response = TypeVar("_Response")


class Opening:
    """Texts in, texts out, until :attr:`available` says that the gateway knows us.

    Args:
        identity: the client's own key.
        gateway: who must be at the other end.
        key: authenticate with it; without one, register.
        random_bytes: source of ephemeral keys and nonces.
        limits: time limits of the phases.
        refusals: is told why the gateway says no.
        outgoing: takes the texts to send.
        log: takes what a gateway can cause any number of.
    """

    def __init__(
        self,
        identity: ClientIdentityKey,
        gateway: NodeIdentity,
        *,
        key: SharedKey | None,
        random_bytes: RandomBytes,
        limits: PhaseLimits,
        refusals: Refusals,
        outgoing: list[str],
        log: LimitedLog,
    ) -> None:
        self._identity = identity
        self._gateway = gateway
        self._random_bytes = random_bytes
        self._limits = limits
        self._refusals = refusals
        self._outgoing = outgoing
        self._log = log
        self._handshake: ClientHandshake | None = None
        self.key = key
        """What is shared with the gateway, as far as both know."""
        self.phase = Phase.NEW
        self.deadline: float | None = None
        """When the phase has taken too long."""
        self.protocol_version = CURRENT_PROTOCOL_VERSION
        """The negotiated version, final at the end."""
        self.available: int | None = None
        """The bandwidth that the gateway told in the end."""

    @property
    def receiving_key(self) -> SharedKey | None:
        """What opens a frame that comes now, if anything does."""
        if self.phase is Phase.AWAITING_REGISTRATION and self._handshake is not None:
            return self._handshake.shared_key
        return self.key if self.phase is Phase.AUTHENTICATING else None

    def start(self, now: float) -> None:
        """Begin, on a fresh connection."""
        self._outgoing.append(SupportedProtocolRequest().encode())
        self._enter(Phase.ASKING_VERSION, now + self._limits.version)

    def abort(self) -> None:
        """Tell the gateway, if it waits for it, that our time is up."""
        if self._handshake is not None and self.phase in HANDSHAKE_PHASES:
            self._outgoing.append(self._handshake.abort_for_timeout().encode())

    def receive(self, text: str, now: float, unix_time: float) -> _Events:
        """Take one text message.

        Raises:
            GatewayRefused: the gateway said no.
            GatewayProtocolError: the text breaks the protocol.
        """
        if self.phase in HANDSHAKE_PHASES:
            self._receive_handshake_text(text, now)
            return []
        response = responses.parse_response(text)
        match self.phase:
            case Phase.ASKING_VERSION:
                return self._receive_version(response, now, unix_time)
            case Phase.AWAITING_REGISTRATION:
                return self._receive_registration(response, unix_time)
            case Phase.AUTHENTICATING:
                self._receive_authentication(response)
                return []
            case _:
                raise GatewayProtocolError("a text came before the connection was started")

    def _enter(self, phase: Phase, deadline: float) -> None:
        self.phase = phase
        self.deadline = deadline

    def _unexpected(self, response: responses.GatewayResponse) -> NoReturn:
        raise GatewayProtocolError(
            f"the gateway answered with {type(response).__name__} while {self.phase.value}"
        )

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
            self._refusals.refuse(response.message)
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
            self._refusals.kind = RefusalKind.VERSION
            raise GatewayRefused(
                f"the gateway speaks protocol version {version} and we need "
                f"{LOWEST_PROTOCOL_VERSION} or later: choose another gateway"
            )
        self.protocol_version = version
        if self.key is None:
            self._start_registration(now)
            return []
        return self._start_authentication(self.key, now, unix_time)

    def _start_registration(self, now: float) -> None:
        self._handshake = ClientHandshake(
            self._identity,
            self._gateway,
            protocol_version=self.protocol_version,
            random_bytes=self._random_bytes,
        )
        self._outgoing.append(self._handshake.start().encode())
        self._enter(Phase.EXCHANGING_KEYS, now + self._limits.handshake)

    def _receive_handshake_text(self, text: str, now: float) -> None:
        assert self._handshake is not None
        message = self._handshake_message(text, now)
        if message is None:
            return
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

    def _handshake_message(self, text: str, now: float) -> HandshakeText | None:
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
            self._log.warning(now, "passed over an unknown text during the registration")
            return None
        if isinstance(response, responses.ErrorResponse):
            self._refusals.refuse(response.message)
        self._log.warning(now, "passed over %s during the registration", type(response).__name__)
        return None

    def _receive_registration(
        self, response: responses.GatewayResponse, unix_time: float
    ) -> _Events:
        assert self._handshake is not None
        answer = self._expected(response, responses.RegisterResponse)
        if answer is None:
            return []
        if not answer.status:
            raise GatewayRefused("the gateway refused to register us: choose another gateway")
        self.key = self._handshake.shared_key
        self.protocol_version = self._handshake.protocol_version
        self._handshake = None
        self.available = 0
        return [Registered(self.key, int(unix_time))]

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

    def _receive_authentication(self, response: responses.GatewayResponse) -> None:
        answer = self._expected(response, responses.AuthenticateResponse)
        if answer is None:
            return
        if not answer.status:
            raise GatewayRefused("the gateway did not accept our authentication: try again later")
        if not is_supported(answer.protocol_version):
            self._refusals.kind = RefusalKind.VERSION
            raise GatewayRefused(
                f"the gateway wants protocol version {answer.protocol_version}, "
                "which we do not speak: choose another gateway"
            )
        self.protocol_version = answer.protocol_version
        self.available = answer.bandwidth_remaining
