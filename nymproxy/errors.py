"""The one exception tree of nymproxy.

Everything the library raises on purpose derives from :class:`NymError`. Each class has a stable
``code`` (listed in docs/errors.md), a ``retry`` advice, and a message that says what happened and
what to do next. No message holds payload bytes, keys, sender tags or a peer's full address.

::

    NymError
     ├── UsageError                  the caller broke a rule
     │    ├── AddressError           text or bytes that are no Nym address or sender tag
     │    ├── ConfigurationError     a setting, an env file, a network description
     │    ├── MessageTooLarge        over the limit of one message
     │    ├── StreamModeActive       message calls on a client that is in stream mode
     │    └── ListenerAlreadyTaken   a second listener on one client
     ├── MalformedDataError          bytes from elsewhere that are not what they should be
     │    ├── SphinxError            packets, headers, SURBs (see ``kind``)
     │    ├── MessageFormatError     fragments, messages, acks, reply SURBs
     │    ├── GatewayProtocolError   frames and texts of the gateway connection
     │    ├── DirectoryFormatError   bodies of the directory
     │    └── ChannelFormatError     stream frames and proxied messages
     ├── NetworkError                the network is not what we need it to be
     │    ├── DirectoryUnavailable   no directory answers
     │    ├── TopologyUnavailable    no route can be made now
     │    ├── UnknownGateway         the recipient's (or our) gateway is not in the topology
     │    ├── GatewayUnreachable     no connection to our gateway
     │    ├── GatewayRefused         our gateway said no
     │    │    ├── ClientNotRegistered
     │    │    ├── DuplicateConnection
     │    │    └── ClockSkew
     │    └── OutOfBandwidth
     ├── DeliveryError               one message was not, or will not be, delivered
     │    ├── NoReplySurbs           nothing was ever received from this sender tag
     │    └── DeliveryAbandoned      given up: retransmission limit, lane dropped, client closed
     ├── ClientDisconnected          the client was closed, or lost its gateway for good
     ├── StreamError                 one stream or legacy session ended badly
     │    ├── StreamDataLost         a gap that never filled; nothing was skipped
     │    ├── StreamIdleTimeout
     │    ├── StreamOverflow         the peer sent more than the receiver allowed
     │    ├── StreamAltered          what came is not what the peer sent
     │    ├── StreamPeerLost         the peer is gone, or has lost the stream
     │    ├── StreamNotSealed        the peer must seal, and does not
     │    └── StreamReset            the peer (or we) aborted, see ``reset_code``
     │         └── StreamRefused     nobody accepts, or the upstream could not be reached
     ├── StorageError                key files and databases
     │    ├── StorageLocked          another process uses the directory
     │    └── UnsafePermissions      a private key file that others can read
     └── PhaseTimeout                a phase took longer than its limit
"""

from __future__ import annotations

import enum
from typing import ClassVar


class RetryAdvice(enum.Enum):
    """Whether, and when, doing the same again can help."""

    NOW = "now"
    LATER = "later"
    """After a pause; the layers that reconnect use a jittered back-off."""
    AFTER_CHANGE = "after-change"
    """Only after somebody changed a setting, a file or the peer."""
    NEVER = "never"


class NymError(Exception):
    """Root of the tree."""

    code: ClassVar[str] = "nym"
    retry: ClassVar[RetryAdvice] = RetryAdvice.NEVER


class UsageError(NymError):
    """The caller broke a rule of the API."""

    code = "usage"
    retry = RetryAdvice.AFTER_CHANGE


class AddressError(UsageError):
    """Text or bytes that are no Nym address, node identity or sender tag."""

    code = "address"


class ConfigurationError(UsageError):
    """A setting, an env file or a network description that cannot be used."""

    code = "configuration"


class MessageTooLarge(UsageError):
    """A message over the limit of 16 MiB (the limit is ours; the wire has none)."""

    code = "message-too-large"


class StreamModeActive(UsageError):
    """Message calls on a client whose inbound messages already go to streams."""

    code = "stream-mode-active"


class ListenerAlreadyTaken(UsageError):
    """A second listener on one client."""

    code = "listener-already-taken"


class MalformedDataError(NymError):
    """Bytes from elsewhere that are not what the wire format says. The base of every decoder."""

    code = "malformed"


class SphinxErrorKind(enum.Enum):
    """What went wrong in the Sphinx layer, in the words of sphinx-packet 0.6.0."""

    INVALID_PACKET = "invalid-packet"
    INVALID_HEADER = "invalid-header"
    INVALID_ROUTING = "invalid-routing"
    INVALID_PAYLOAD = "invalid-payload"
    INVALID_SURB = "invalid-surb"
    INVALID_ROUTE = "invalid-route"
    UNUSABLE_KEY = "unusable-key"


class SphinxError(MalformedDataError):
    """A packet, header, payload, SURB or route that cannot be processed or built."""

    code = "sphinx"

    def __init__(self, kind: SphinxErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class MessageFormatError(MalformedDataError):
    """A fragment, message, ack, reply SURB or mix packet that does not parse."""

    code = "message-format"


class GatewayProtocolError(MalformedDataError):
    """A frame or text of the gateway connection that breaks the protocol."""

    code = "gateway-protocol"


class DirectoryFormatError(MalformedDataError):
    """A directory body that does not parse, or contradicts itself."""

    code = "directory-format"


class ChannelFormatError(MalformedDataError):
    """A stream frame or proxied message that does not parse."""

    code = "channel-format"


class NetworkError(NymError):
    """The network is not what we need it to be."""

    code = "network"
    retry = RetryAdvice.LATER


class DirectoryUnavailable(NetworkError):
    """None of the directory URLs gave an answer."""

    code = "directory-unavailable"


class TopologyUnavailable(NetworkError):
    """No route can be made: no topology yet, or an empty layer."""

    code = "topology-unavailable"


class UnknownGateway(NetworkError):
    """A gateway that is not in the topology: the recipient's, or our own."""

    code = "unknown-gateway"


class GatewayUnreachable(NetworkError):
    """No connection to our gateway."""

    code = "gateway-unreachable"


class GatewayRefused(NetworkError):
    """Our gateway answered with an error. Its text is in the message."""

    code = "gateway-refused"
    retry = RetryAdvice.AFTER_CHANGE


class ClientNotRegistered(GatewayRefused):
    """The gateway does not know the client, or holds another shared key: register again."""

    code = "client-not-registered"
    retry = RetryAdvice.NOW


class DuplicateConnection(GatewayRefused):
    """The same identity is connected from elsewhere and alive."""

    code = "duplicate-connection"


class ClockSkew(GatewayRefused):
    """This machine's clock and the gateway's differ by more than two minutes."""

    code = "clock-skew"


class OutOfBandwidth(NetworkError):
    """The gateway has no bandwidth left for us, and a claim did not help."""

    code = "out-of-bandwidth"


class DeliveryError(NymError):
    """One message was not, or will not be, delivered."""

    code = "delivery"
    retry = RetryAdvice.LATER


class NoReplySurbs(DeliveryError):
    """Nothing was ever received from this sender tag, so no reply SURBs are on their way."""

    code = "no-reply-surbs"
    retry = RetryAdvice.NEVER


class DeliveryAbandoned(DeliveryError):
    """The message was given up: retransmission limit, dropped lane, or closed client."""

    code = "delivery-abandoned"


class ClientDisconnected(NymError):
    """The client was closed, or lost its gateway for good."""

    code = "client-disconnected"


class StreamError(NymError):
    """One stream or legacy session ended badly."""

    code = "stream"


class StreamDataLost(StreamError):
    """Data is missing and did not come in time. Nothing after the gap was handed out."""

    code = "stream-data-lost"


class StreamIdleTimeout(StreamError):
    """Nothing was sent or received for the idle limit."""

    code = "stream-idle-timeout"


class StreamOverflow(StreamError):
    """The peer sent more than the receiver could hold."""

    code = "stream-overflow"


class StreamAltered(StreamError):
    """What came is not what the peer sent: somebody changed it on the way."""

    code = "stream-altered"


class StreamPeerLost(StreamError):
    """The peer is gone, was restarted, or does not answer any more."""

    code = "stream-peer-lost"
    retry = RetryAdvice.LATER


class StreamNotSealed(StreamError):
    """No sealed answer of the peer came, most likely since it is not running.

    Its address sealed streams with this process before, or ``require_sealed`` is set, so it is not
    spoken to unsealed. If it runs, it was replaced by a version without sealed streams (start this
    process anew to speak with that one), or a gateway hides that it has them. Or it has
    shown that it seals only when it had been taken for a peer that does not, for its silence.
    """

    code = "stream-not-sealed"
    retry = RetryAdvice.LATER


class ResetCode(enum.IntEnum):
    """Why a channel was reset (docs/wire.md). Unknown codes read as 0."""

    CANCELLED = 0
    REFUSED = 1
    PROTOCOL_ERROR = 2
    DATA_LOST = 3
    WINDOW_VIOLATION = 4
    SHUTTING_DOWN = 5
    UNKNOWN_STREAM = 6
    IDLE_TIMEOUT = 7
    NOT_ACCEPTED = 8


class StreamReset(StreamError):
    """The stream was aborted, by the peer or by us."""

    code = "stream-reset"

    def __init__(self, message: str, reset_code: ResetCode = ResetCode.CANCELLED) -> None:
        super().__init__(message)
        self.reset_code = reset_code


class StreamRefused(StreamReset):
    """Nobody accepts streams there, or the upstream could not be reached."""

    code = "stream-refused"

    def __init__(self, message: str, reset_code: ResetCode = ResetCode.REFUSED) -> None:
        super().__init__(message, reset_code)


class StorageError(NymError):
    """Key files and databases that cannot be read or written."""

    code = "storage"
    retry = RetryAdvice.AFTER_CHANGE


class StorageLocked(StorageError):
    """Another process uses the directory."""

    code = "storage-locked"


class UnsafePermissions(StorageError):
    """A private key file that others can read."""

    code = "unsafe-permissions"


class PhaseTimeout(NymError):
    """A phase (connect, handshake, fetch, open, drain) took longer than its limit."""

    code = "timeout"
    retry = RetryAdvice.LATER
