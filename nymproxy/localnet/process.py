"""A localnet as the whole work of a process: up, ready, and down in order on a signal."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING, Any

import anyio

from nymproxy.errors import NymError
from nymproxy.localnet.network import Localnet

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.localnet.config import LocalnetConfig
    from nymproxy.localnet.faults import FaultPlan
    from nymproxy.localnet.running import RunningLocalnet

logger = logging.getLogger("nymproxy.localnet")


async def run_localnet(
    config: LocalnetConfig,
    *,
    ready: Callable[[dict[str, Any]], None],
    new_faults: Callable[[], FaultPlan] | None = None,
) -> None:
    """Run a network until SIGTERM or SIGINT, then end it in order. Prints nothing itself.

    A second signal, during the shutdown, has its usual effect again: it ends the process at once.

    Args:
        config: what network.
        ready: called once, when clients can connect, with what
            :meth:`RunningLocalnet.describe` returns: directory URL, env file, gateways with
            identities and URLs, counters URL, fault plan with seed.
        new_faults: read at SIGHUP; its plan takes the place of the one before.

    Raises:
        ConfigurationError: a port is in use, or the state is of another network.
        StorageError: the state directory cannot be used.
    """
    async with Localnet(config) as localnet:
        watched = (signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if new_faults else []))
        with anyio.open_signal_receiver(*watched) as signals:
            ready(localnet.describe())
            async for number in signals:
                if number is signal.SIGHUP and new_faults is not None:
                    await _change_faults(localnet, new_faults)
                    continue
                logger.info("%s: the localnet ends", number.name)
                break


async def _change_faults(localnet: RunningLocalnet, new_faults: Callable[[], FaultPlan]) -> None:
    try:
        await localnet.set_faults(new_faults())
    except (NymError, OSError) as error:
        logger.error("the fault plan stays as it was: %s", error)


def serve_localnet(
    config: LocalnetConfig,
    *,
    ready: Callable[[dict[str, Any]], None],
    new_faults: Callable[[], FaultPlan] | None = None,
    backend: str = "asyncio",
) -> None:
    """Do :func:`run_localnet` in an event loop of its own; for a program's main thread."""
    anyio.run(lambda: run_localnet(config, ready=ready, new_faults=new_faults), backend=backend)
