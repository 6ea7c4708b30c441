"""The TcpProxy API: its names, parameters and wire format, without its defects.

Peers are the old Rust proxies (nym-sdk 1.21.6 src/tcp_proxy) as well as our own; a server of ours
serves streams at the same address.
"""

from __future__ import annotations

from nymproxy.legacy.client import NymProxyClient
from nymproxy.legacy.client_pool import ClientPool
from nymproxy.legacy.clients import ClientFactory, ProxyClient
from nymproxy.legacy.identities import IdentityMode
from nymproxy.legacy.message import Close, Data, Payload, ProxiedMessage
from nymproxy.legacy.pooled_client import PooledClient
from nymproxy.legacy.profile import LegacySettings
from nymproxy.legacy.protocol import LegacyProtocol
from nymproxy.legacy.server import DisconnectSignal, NymProxyServer, SessionKey
from nymproxy.legacy.session import SessionSnapshot
from nymproxy.legacy.wire import Wire, WireSettings

__all__ = [
    "ClientFactory",
    "ClientPool",
    "Close",
    "Data",
    "DisconnectSignal",
    "IdentityMode",
    "LegacyProtocol",
    "LegacySettings",
    "NymProxyClient",
    "NymProxyServer",
    "Payload",
    "PooledClient",
    "ProxiedMessage",
    "ProxyClient",
    "SessionKey",
    "SessionSnapshot",
    "Wire",
    "WireSettings",
]
