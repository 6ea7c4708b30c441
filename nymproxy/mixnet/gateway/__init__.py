"""The connection between a client and its gateway.

The codecs and state machines have no I/O and serve both sides; the names here are theirs:

- :mod:`~nymproxy.mixnet.gateway.keys`: identities, the shared key, signatures;
- :mod:`~nymproxy.mixnet.gateway.handshake`: registration, client's and gateway's role;
- :mod:`~nymproxy.mixnet.gateway.authentication`: authentication v2, building and checking;
- :mod:`~nymproxy.mixnet.gateway.requests`, :mod:`~nymproxy.mixnet.gateway.responses`,
  :mod:`~nymproxy.mixnet.gateway.encrypted_texts`: the JSON texts;
- :mod:`~nymproxy.mixnet.gateway.frames`: the binary frames;
- :mod:`~nymproxy.mixnet.gateway.opening`, :mod:`~nymproxy.mixnet.gateway.protocol`: the client's
  side of one connection.

The I/O around them is imported from its modules: :mod:`~nymproxy.mixnet.gateway.link`,
:mod:`~nymproxy.mixnet.gateway.connection` and :mod:`~nymproxy.mixnet.gateway.websocket`.
"""

from __future__ import annotations

from nymproxy.mixnet.gateway.authentication import (
    MAX_TIMESTAMP_SKEW_SECONDS as MAX_TIMESTAMP_SKEW_SECONDS,
)
from nymproxy.mixnet.gateway.authentication import (
    address_ciphertext_is_valid as address_ciphertext_is_valid,
)
from nymproxy.mixnet.gateway.authentication import build_authentication as build_authentication
from nymproxy.mixnet.gateway.authentication import (
    request_signature_is_valid as request_signature_is_valid,
)
from nymproxy.mixnet.gateway.authentication import (
    timestamp_is_acceptable as timestamp_is_acceptable,
)
from nymproxy.mixnet.gateway.frames import MAX_FRAME_BYTES as MAX_FRAME_BYTES
from nymproxy.mixnet.gateway.frames import Frame as Frame
from nymproxy.mixnet.gateway.frames import RequestKind as RequestKind
from nymproxy.mixnet.gateway.frames import ResponseKind as ResponseKind
from nymproxy.mixnet.gateway.frames import open_frame as open_frame
from nymproxy.mixnet.gateway.frames import seal_frame as seal_frame
from nymproxy.mixnet.gateway.handshake import ClientHandshake as ClientHandshake
from nymproxy.mixnet.gateway.handshake import GatewayHandshake as GatewayHandshake
from nymproxy.mixnet.gateway.handshake import HandshakeFault as HandshakeFault
from nymproxy.mixnet.gateway.handshake_texts import HandshakeError as HandshakeError
from nymproxy.mixnet.gateway.handshake_texts import HandshakePayload as HandshakePayload
from nymproxy.mixnet.gateway.handshake_texts import parse_handshake_text as parse_handshake_text
from nymproxy.mixnet.gateway.keys import ClientIdentityKey as ClientIdentityKey
from nymproxy.mixnet.gateway.keys import SharedKey as SharedKey
from nymproxy.mixnet.gateway.limits import PhaseLimits as PhaseLimits
from nymproxy.mixnet.gateway.link_state import LinkState as LinkState
from nymproxy.mixnet.gateway.link_state import LinkStatus as LinkStatus
from nymproxy.mixnet.gateway.listener import GatewayListener as GatewayListener
from nymproxy.mixnet.gateway.protocol import GatewayClientProtocol as GatewayClientProtocol
from nymproxy.mixnet.gateway.requests import parse_request as parse_request
from nymproxy.mixnet.gateway.responses import parse_response as parse_response
from nymproxy.mixnet.gateway.versions import (
    CURRENT_PROTOCOL_VERSION as CURRENT_PROTOCOL_VERSION,
)
