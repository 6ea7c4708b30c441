"""For tests, users' too: a network in memory, checks of the stream contract, the localnet."""

from __future__ import annotations

from nymproxy.testing.memory import (
    Disconnect,
    MemoryEndpoint,
    MemoryFaults,
    MemoryMessage,
    MemoryNetwork,
    MessageFate,
    MessageKind,
)

__all__ = (
    "Disconnect",
    "MemoryEndpoint",
    "MemoryFaults",
    "MemoryMessage",
    "MemoryNetwork",
    "MessageFate",
    "MessageKind",
)
