"""The directory: which network, which nodes, which routes.

:class:`NetworkDetails` says where the directory is, :class:`Topology` makes routes of its answer.
The I/O is imported from its modules: :mod:`~nymproxy.mixnet.directory.client` asks the directory,
:mod:`~nymproxy.mixnet.directory.keeper` keeps the answer fresh.
"""

from __future__ import annotations

from nymproxy.mixnet.directory.details import ApiUrl, NetworkDetails, NetworkWarning
from nymproxy.mixnet.directory.env_file import read_env_file, read_env_file_leniently
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
    "EntryDetails",
    "KeyRotationInfo",
    "NetworkDetails",
    "NetworkWarning",
    "Node",
    "SupportedRoles",
    "Topology",
    "choose_gateway",
    "gateway_urls",
    "read_env_file",
    "read_env_file_leniently",
]
