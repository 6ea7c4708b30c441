"""The embedded mixnet for tests, whether these are async or not.

Async tests use ``async with Localnet(LocalnetConfig(...))``; others use
:func:`localnet_in_background`, which runs it in a thread, or the fixture ``nymproxy_localnet``.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from anyio.from_thread import start_blocking_portal

from nymproxy.localnet import (
    FaultAction,
    FaultEvent,
    FaultPlan,
    LinkFaults,
    Localnet,
    LocalnetConfig,
    RunningLocalnet,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anyio.from_thread import BlockingPortal

__all__ = (
    "BackgroundLocalnet",
    "FaultAction",
    "FaultEvent",
    "FaultPlan",
    "LinkFaults",
    "Localnet",
    "LocalnetConfig",
    "localnet_in_background",
)


class BackgroundLocalnet:
    """A localnet that runs in a thread of its own; every method may be called from any thread."""

    def __init__(self, portal: BlockingPortal, localnet: RunningLocalnet) -> None:
        self._portal = portal
        self._localnet = localnet

    @property
    def env_file(self) -> Path:
        """The env file that describes the network to clients, ours and Rust ones."""
        return self._localnet.env_file

    @property
    def directory_url(self) -> str:
        """The directory, for ``NetworkDetails.from_directory_url``."""
        return self._localnet.directory_url

    def counters(self) -> dict[str, Any]:
        """Return what the nodes counted."""
        return self._portal.call(self._localnet.counters)

    def set_faults(self, plan: FaultPlan) -> None:
        """Replace the fault plan; ``FaultPlan()`` ends all faults."""
        self._portal.call(self._localnet.set_faults, plan)

    def kill_gateway(self, index: int) -> None:
        """End a gateway at once, as a killed process."""
        self._portal.call(self._localnet.kill_gateway, index)

    def remove_node(self, name: str) -> None:
        """End a node at once and for good."""
        self._portal.call(self._localnet.remove_node, name)

    def start_gateway(self, index: int) -> None:
        """Start a gateway again, with its state."""
        self._portal.call(self._localnet.start_gateway, index)


@contextmanager
def localnet_in_background(config: LocalnetConfig | None = None) -> Iterator[BackgroundLocalnet]:
    """Run a localnet in a thread for the length of the ``with`` block."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Localnet(config)) as localnet,
    ):
        yield BackgroundLocalnet(portal, localnet)
