"""The directory: which network, which nodes, which routes.

:class:`NetworkDetails` says where the directory is, :class:`DirectoryClient` asks it,
:class:`TopologyKeeper` keeps the answer fresh, :class:`Topology` makes routes of it. Importing this
package does not import httpx.
"""

from __future__ import annotations

from nymproxy.mixnet.directory.client import DirectoryClient
from nymproxy.mixnet.directory.details import ApiUrl, NetworkDetails, NetworkWarning
from nymproxy.mixnet.directory.env_file import read_env_file, read_env_file_leniently
from nymproxy.mixnet.directory.keeper import TopologyKeeper, TopologySource
from nymproxy.mixnet.directory.node import (
    EntryDetails,
    Node,
    SupportedRoles,
    choose_gateway,
    gateway_urls,
)
from nymproxy.mixnet.directory.rotation import KeyRotationInfo
from nymproxy.mixnet.directory.topology import Topology

__all__ = [
    "ApiUrl",
    "DirectoryClient",
    "EntryDetails",
    "KeyRotationInfo",
    "NetworkDetails",
    "NetworkWarning",
    "Node",
    "SupportedRoles",
    "Topology",
    "TopologyKeeper",
    "TopologySource",
    "choose_gateway",
    "gateway_urls",
    "read_env_file",
    "read_env_file_leniently",
]
