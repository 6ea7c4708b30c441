"""The embedded mixnet: a whole Nym network on loopback, with the real wire formats.

Our own clients and unmodified Rust ones (nym-sdk 1.21.6) can use it::

    async with Localnet(LocalnetConfig(gateways=2)) as localnet:
        ...  # localnet.env_file, localnet.directory_url, localnet.gateways
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy._lazy import lazy_names

if TYPE_CHECKING:
    from nymproxy.localnet.config import LocalnetConfig as LocalnetConfig
    from nymproxy.localnet.faults import DeadNodes as DeadNodes
    from nymproxy.localnet.faults import FaultAction as FaultAction
    from nymproxy.localnet.faults import FaultEvent as FaultEvent
    from nymproxy.localnet.faults import FaultPlan as FaultPlan
    from nymproxy.localnet.faults import LinkFaults as LinkFaults
    from nymproxy.localnet.faults import PushAction as PushAction
    from nymproxy.localnet.faults import PushFault as PushFault
    from nymproxy.localnet.network import Localnet as Localnet
    from nymproxy.localnet.process import run_localnet as run_localnet
    from nymproxy.localnet.process import serve_localnet as serve_localnet
    from nymproxy.localnet.running import GatewayInfo as GatewayInfo
    from nymproxy.localnet.running import RunningLocalnet as RunningLocalnet

_NAMES_OF_MODULE = {
    "nymproxy.localnet.config": "LocalnetConfig",
    "nymproxy.localnet.faults": (
        "DeadNodes FaultAction FaultEvent FaultPlan LinkFaults PushAction PushFault"
    ),
    "nymproxy.localnet.network": "Localnet",
    "nymproxy.localnet.process": "run_localnet serve_localnet",
    "nymproxy.localnet.running": "GatewayInfo RunningLocalnet",
}
__all__ = sorted(name for names in _NAMES_OF_MODULE.values() for name in names.split())
__getattr__ = lazy_names(__name__, _NAMES_OF_MODULE)
