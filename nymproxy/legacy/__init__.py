"""The TcpProxy API: its names, parameters and wire format, without its defects.

Peers are the old Rust proxies (nym-sdk 1.21.6 src/tcp_proxy) as well as our own; a server of ours
serves streams at the same address. ``client.NymProxyClient`` and ``server.NymProxyServer`` are what
programs use.
"""

from __future__ import annotations

from nymproxy.legacy.message import Close as Close
from nymproxy.legacy.message import Data as Data
from nymproxy.legacy.message import Payload as Payload
from nymproxy.legacy.message import ProxiedMessage as ProxiedMessage
from nymproxy.legacy.protocol import LegacyProtocol as LegacyProtocol
from nymproxy.legacy.traits import LegacySettings as LegacySettings
from nymproxy.legacy.wire import Wire as Wire
from nymproxy.legacy.wire import WireChoice as WireChoice
from nymproxy.legacy.wire import WireSettings as WireSettings
