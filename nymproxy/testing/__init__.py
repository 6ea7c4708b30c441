"""For tests, users' too: a network in memory, checks of the stream contract, the localnet.

The names below are imported when they are first used: the simulator needs no event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy._lazy import lazy_names

if TYPE_CHECKING:
    from nymproxy.testing.memory import Disconnect as Disconnect
    from nymproxy.testing.memory import MemoryEndpoint as MemoryEndpoint
    from nymproxy.testing.memory import MemoryFaults as MemoryFaults
    from nymproxy.testing.memory import MemoryMessage as MemoryMessage
    from nymproxy.testing.memory import MemoryNetwork as MemoryNetwork
    from nymproxy.testing.memory import MessageFate as MessageFate
    from nymproxy.testing.memory import MessageKind as MessageKind

__all__ = (
    "Disconnect",
    "MemoryEndpoint",
    "MemoryFaults",
    "MemoryMessage",
    "MemoryNetwork",
    "MessageFate",
    "MessageKind",
)

__getattr__ = lazy_names(__name__, {"nymproxy.testing.memory": " ".join(__all__)})
