"""The TcpProxy API: its names, parameters and wire format, without its defects.

Peers are the old Rust proxies (nym-sdk 1.21.6 src/tcp_proxy) as well as our own; a server of ours
serves streams at the same address.
"""

from __future__ import annotations

from nymproxy.legacy.client import NymProxyClient
from nymproxy.legacy.client_pool import ClientPool, PooledClient
from nymproxy.legacy.connector import ConnectedClient, Connector
from nymproxy.legacy.identities import IdentityMode
from nymproxy.legacy.message import Close, Data, Payload, ProxiedMessage
from nymproxy.legacy.protocol import LegacyProtocol
from nymproxy.legacy.server import DisconnectSignal, NymProxyServer, SessionKey
from nymproxy.legacy.session import SessionSnapshot
from nymproxy.legacy.traits import LegacySettings
from nymproxy.legacy.wire import Wire, WireSettings

__all__ = [
    "ClientPool",
    "Close",
    "ConnectedClient",
    "Connector",
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
    "SessionKey",
    "SessionSnapshot",
    "Wire",
    "WireSettings",
]
