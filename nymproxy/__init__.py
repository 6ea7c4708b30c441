"""TCP through the Nym mixnet: the TcpProxy API, its successor Streams, and a client of its own.

The names below are the public API, together with the modules ``nymproxy.testing``,
``nymproxy.stream.tls``, ``nymproxy.stream.asyncio_streams`` and
``nymproxy.stream.httpx_transport``. They are imported when they are first used, so that
``import nymproxy`` costs nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nymproxy._lazy import lazy_names

if TYPE_CHECKING:
    from nymproxy._background_loop import InBackground as InBackground
    from nymproxy.address import NodeIdentity as NodeIdentity
    from nymproxy.address import NymAddress as NymAddress
    from nymproxy.address import SenderTag as SenderTag
    from nymproxy.channel.rules import ChannelRules as ChannelRules
    from nymproxy.channel.rules import FlowRules as FlowRules
    from nymproxy.channel.rules import QuietRules as QuietRules
    from nymproxy.channel.rules import SendRules as SendRules
    from nymproxy.connection_options import ConnectionOptions as ConnectionOptions
    from nymproxy.errors import AddressError as AddressError
    from nymproxy.errors import ChannelFormatError as ChannelFormatError
    from nymproxy.errors import ClientDisconnected as ClientDisconnected
    from nymproxy.errors import ClientNotRegistered as ClientNotRegistered
    from nymproxy.errors import ClockSkew as ClockSkew
    from nymproxy.errors import ConfigurationError as ConfigurationError
    from nymproxy.errors import DeliveryAbandoned as DeliveryAbandoned
    from nymproxy.errors import DeliveryError as DeliveryError
    from nymproxy.errors import DirectoryFormatError as DirectoryFormatError
    from nymproxy.errors import DirectoryUnavailable as DirectoryUnavailable
    from nymproxy.errors import DuplicateConnection as DuplicateConnection
    from nymproxy.errors import GatewayProtocolError as GatewayProtocolError
    from nymproxy.errors import GatewayRefused as GatewayRefused
    from nymproxy.errors import GatewayUnreachable as GatewayUnreachable
    from nymproxy.errors import ListenerAlreadyTaken as ListenerAlreadyTaken
    from nymproxy.errors import MalformedDataError as MalformedDataError
    from nymproxy.errors import MessageFormatError as MessageFormatError
    from nymproxy.errors import MessageTooLarge as MessageTooLarge
    from nymproxy.errors import NetworkError as NetworkError
    from nymproxy.errors import NoReplySurbs as NoReplySurbs
    from nymproxy.errors import NymError as NymError
    from nymproxy.errors import OutOfBandwidth as OutOfBandwidth
    from nymproxy.errors import PhaseTimeout as PhaseTimeout
    from nymproxy.errors import ResetCode as ResetCode
    from nymproxy.errors import RetryAdvice as RetryAdvice
    from nymproxy.errors import SphinxError as SphinxError
    from nymproxy.errors import SphinxErrorKind as SphinxErrorKind
    from nymproxy.errors import StorageError as StorageError
    from nymproxy.errors import StorageLocked as StorageLocked
    from nymproxy.errors import StreamAltered as StreamAltered
    from nymproxy.errors import StreamDataLost as StreamDataLost
    from nymproxy.errors import StreamError as StreamError
    from nymproxy.errors import StreamIdleTimeout as StreamIdleTimeout
    from nymproxy.errors import StreamModeActive as StreamModeActive
    from nymproxy.errors import StreamNotSealed as StreamNotSealed
    from nymproxy.errors import StreamOverflow as StreamOverflow
    from nymproxy.errors import StreamPeerLost as StreamPeerLost
    from nymproxy.errors import StreamRefused as StreamRefused
    from nymproxy.errors import StreamReset as StreamReset
    from nymproxy.errors import TopologyUnavailable as TopologyUnavailable
    from nymproxy.errors import UnknownGateway as UnknownGateway
    from nymproxy.errors import UnsafePermissions as UnsafePermissions
    from nymproxy.errors import UsageError as UsageError
    from nymproxy.legacy.background import RunningClient as RunningClient
    from nymproxy.legacy.background import RunningServer as RunningServer
    from nymproxy.legacy.client import NymProxyClient as NymProxyClient
    from nymproxy.legacy.client_pool import ClientPool as ClientPool
    from nymproxy.legacy.message import ProxiedMessage as ProxiedMessage
    from nymproxy.legacy.server import NymProxyServer as NymProxyServer
    from nymproxy.legacy.session import SessionSnapshot as SessionSnapshot
    from nymproxy.legacy.session_totals import ProxyStatistics as ProxyStatistics
    from nymproxy.legacy.traits import LegacySettings as LegacySettings
    from nymproxy.legacy.wire import WireSettings as WireSettings
    from nymproxy.memory_account import MemoryAccount as MemoryAccount
    from nymproxy.mixnet.client.group import ClientGroup as ClientGroup
    from nymproxy.mixnet.directory.client import DirectoryClient as DirectoryClient
    from nymproxy.mixnet.directory.details import NetworkDetails as NetworkDetails
    from nymproxy.mixnet.machine.status import ClientCounters as ClientCounters
    from nymproxy.mixnet.machine.status import ClientGauges as ClientGauges
    from nymproxy.mixnet.machine.status import ClientStatistics as ClientStatistics
    from nymproxy.mixnet.machine.status import ClientStatus as ClientStatus
    from nymproxy.mixnet.storage.directory import nym_address_of as nym_address_of
    from nymproxy.mixnet.storage.start import StartPreview as StartPreview
    from nymproxy.mixnet.storage.start import preview_start as preview_start
    from nymproxy.mixnet.traffic.profile import PROFILES as PROFILES
    from nymproxy.mixnet.traffic.profile import TrafficProfile as TrafficProfile
    from nymproxy.mixnet.transport import Delivery as Delivery
    from nymproxy.mixnet.transport import MessageTransport as MessageTransport
    from nymproxy.mixnet.transport import Received as Received
    from nymproxy.stream.background import BackgroundClient as BackgroundClient
    from nymproxy.stream.background import BackgroundListener as BackgroundListener
    from nymproxy.stream.background import BackgroundStream as BackgroundStream
    from nymproxy.stream.background import StreamClient as StreamClient
    from nymproxy.stream.client import MixnetClient as MixnetClient
    from nymproxy.stream.endpoint import StreamEndpoint as StreamEndpoint
    from nymproxy.stream.listener import MixnetListener as MixnetListener
    from nymproxy.stream.stream import MixnetStream as MixnetStream
    from nymproxy.stream.stream import StreamAttribute as StreamAttribute
    from nymproxy.stream.traits import StreamOptions as StreamOptions
    from nymproxy.tracing import Trace as Trace
    from nymproxy.tracing import TraceEvent as TraceEvent

__version__ = "0.1.0"

__all__ = (
    "PROFILES",
    "AddressError",
    "BackgroundClient",
    "BackgroundListener",
    "BackgroundStream",
    "ChannelFormatError",
    "ChannelRules",
    "ClientCounters",
    "ClientDisconnected",
    "ClientGauges",
    "ClientGroup",
    "ClientNotRegistered",
    "ClientPool",
    "ClientStatistics",
    "ClientStatus",
    "ClockSkew",
    "ConfigurationError",
    "ConnectionOptions",
    "Delivery",
    "DeliveryAbandoned",
    "DeliveryError",
    "DirectoryClient",
    "DirectoryFormatError",
    "DirectoryUnavailable",
    "DuplicateConnection",
    "FlowRules",
    "GatewayProtocolError",
    "GatewayRefused",
    "GatewayUnreachable",
    "InBackground",
    "LegacySettings",
    "ListenerAlreadyTaken",
    "MalformedDataError",
    "MemoryAccount",
    "MessageFormatError",
    "MessageTooLarge",
    "MessageTransport",
    "MixnetClient",
    "MixnetListener",
    "MixnetStream",
    "NetworkDetails",
    "NetworkError",
    "NoReplySurbs",
    "NodeIdentity",
    "NymAddress",
    "NymError",
    "NymProxyClient",
    "NymProxyServer",
    "OutOfBandwidth",
    "PhaseTimeout",
    "ProxiedMessage",
    "ProxyStatistics",
    "QuietRules",
    "Received",
    "ResetCode",
    "RetryAdvice",
    "RunningClient",
    "RunningServer",
    "SendRules",
    "SenderTag",
    "SessionSnapshot",
    "SphinxError",
    "SphinxErrorKind",
    "StartPreview",
    "StorageError",
    "StorageLocked",
    "StreamAltered",
    "StreamAttribute",
    "StreamClient",
    "StreamDataLost",
    "StreamEndpoint",
    "StreamError",
    "StreamIdleTimeout",
    "StreamModeActive",
    "StreamNotSealed",
    "StreamOptions",
    "StreamOverflow",
    "StreamPeerLost",
    "StreamRefused",
    "StreamReset",
    "TopologyUnavailable",
    "Trace",
    "TraceEvent",
    "TrafficProfile",
    "UnknownGateway",
    "UnsafePermissions",
    "UsageError",
    "WireSettings",
    "__version__",
    "nym_address_of",
    "preview_start",
)

logging.getLogger(__name__).addHandler(logging.NullHandler())

# All other names are errors.
_NAMES_OF_MODULE = {
    "nymproxy._background_loop": "InBackground",
    "nymproxy.address": "NodeIdentity NymAddress SenderTag",
    "nymproxy.channel.rules": "ChannelRules FlowRules QuietRules SendRules",
    "nymproxy.connection_options": "ConnectionOptions",
    "nymproxy.legacy.background": "RunningClient RunningServer",
    "nymproxy.legacy.client": "NymProxyClient",
    "nymproxy.legacy.client_pool": "ClientPool",
    "nymproxy.legacy.message": "ProxiedMessage",
    "nymproxy.legacy.server": "NymProxyServer",
    "nymproxy.legacy.session": "SessionSnapshot",
    "nymproxy.legacy.session_totals": "ProxyStatistics",
    "nymproxy.legacy.traits": "LegacySettings",
    "nymproxy.legacy.wire": "WireSettings",
    "nymproxy.memory_account": "MemoryAccount",
    "nymproxy.mixnet.directory.client": "DirectoryClient",
    "nymproxy.mixnet.directory.details": "NetworkDetails",
    "nymproxy.mixnet.client.group": "ClientGroup",
    "nymproxy.mixnet.machine.status": "ClientCounters ClientGauges ClientStatistics ClientStatus",
    "nymproxy.mixnet.storage.directory": "nym_address_of",
    "nymproxy.mixnet.storage.start": "StartPreview preview_start",
    "nymproxy.mixnet.traffic.profile": "PROFILES TrafficProfile",
    "nymproxy.mixnet.transport": "Delivery MessageTransport Received",
    "nymproxy.stream.background": (
        "BackgroundClient BackgroundListener BackgroundStream StreamClient"
    ),
    "nymproxy.stream.client": "MixnetClient",
    "nymproxy.stream.endpoint": "StreamEndpoint",
    "nymproxy.stream.listener": "MixnetListener",
    "nymproxy.stream.stream": "MixnetStream StreamAttribute",
    "nymproxy.stream.traits": "StreamOptions",
    "nymproxy.tracing": "Trace TraceEvent",
}
_KNOWN = {name for names in _NAMES_OF_MODULE.values() for name in names.split()}
_NAMES_OF_MODULE["nymproxy.errors"] = " ".join(
    name for name in __all__ if name not in _KNOWN and not name.startswith("_")
)
__getattr__ = lazy_names(__name__, _NAMES_OF_MODULE)


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
