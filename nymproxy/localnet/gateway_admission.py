"""Who may connect to a gateway: the checks of a request to authenticate, in the real order.

Rules and texts of nym-node 1.31.0 (gateway/src/node/client_handling/websocket); clients match on
some of the texts. Sans-IO: the store and the time are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.mixnet.gateway import (
    CURRENT_PROTOCOL_VERSION,
    SharedKey,
    address_ciphertext_is_valid,
    request_signature_is_valid,
    timestamp_is_acceptable,
)
from nymproxy.mixnet.gateway.versions import LOWEST_PROTOCOL_VERSION

if TYPE_CHECKING:
    from nymproxy.localnet.gateway_store import GatewayStore
    from nymproxy.mixnet.gateway.requests import AuthenticateV2

ONLY_ADMISSION_REQUESTS = "Only 'Register' or 'Authenticate' requests are allowed"
BINARY_BEFORE_ADMISSION = (
    "possibly received a sphinx packet without prior authentication. Request is going to be ignored"
)
INITIAL_TIMEOUT = "timed out while waiting for initial data"
LEGACY_AUTHENTICATION = (
    "the legacy authentication method is no longer supported. please update your client"
)
ALREADY_CONNECTED = "There is already an open connection to this client"
STALE_AUTHENTICATION = "attempted to overwrite client session with a stale authentication"


def unexpected_message(kind: str) -> str:
    """Return the text for a control frame that came before authentication."""
    return f"received a Message of type {kind} which was not expected in this context"


class Refusal(Exception):
    """A client is turned away. Never leaves the gateway.

    Args:
        text: what the client is told.
        times: how often; the real gateway says some things twice.
    """

    def __init__(self, text: str, times: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.times = times


def check_authentication(
    request: AuthenticateV2,
    store: GatewayStore,
    unix_time: float,
    own_version: int = CURRENT_PROTOCOL_VERSION,
) -> SharedKey:
    """Check everything but a duplicate connection, and return the client's key.

    Raises:
        Refusal: with the text of the first check that fails.
    """
    if not LOWEST_PROTOCOL_VERSION <= request.protocol_version <= own_version:
        raise Refusal(
            "Attempted to negotiate connection with client using incompatible protocol version. "
            f"Ours is {own_version} and the client reports {request.protocol_version}",
            times=2,
        )
    if not timestamp_is_acceptable(request, unix_time):
        raise Refusal(
            "the provided request timestamp is excessively skewed. got "
            f"{request.unix_timestamp} whilst the server time is {int(unix_time)}",
            times=2,
        )
    if not request_signature_is_valid(request):
        raise Refusal("failed to verify request signature", times=2)
    registration = store.registration(request.client_identity)
    if registration is None:
        raise Refusal("the client is not registered", times=2)
    key = SharedKey(registration.shared_key)
    if not address_ciphertext_is_valid(request, key):
        raise Refusal("failed to verify provided address ciphertext", times=2)
    if request.unix_timestamp <= registration.last_authentication:
        raise Refusal(
            "the provided request timestamp is smaller or equal to one previously used", times=2
        )
    return key
