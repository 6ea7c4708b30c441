"""A localnet as the whole work of a process: up, ready, and down in order on a signal."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING, Any

import anyio

from nymproxy._background_task import without_group
from nymproxy._process_signals import EndingSignal, received_signals
from nymproxy.errors import NymError
from nymproxy.localnet.network import Localnet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from nymproxy.localnet.config import LocalnetConfig
    from nymproxy.localnet.faults import FaultPlan
    from nymproxy.localnet.running import RunningLocalnet

logger = logging.getLogger("nymproxy.localnet")


async def run_localnet(
    config: LocalnetConfig,
    *,
    ready: Callable[[dict[str, Any]], None],
    new_faults: Callable[[], FaultPlan] | None = None,
    ends_process: bool = False,
) -> None:
    """Run a network until SIGTERM or SIGINT, then end it in order. Prints nothing itself.

    A second signal ends it at once, unless it is the same one and comes within half a second. So
    does the first, before the network is up. Other signals end nothing.

    Args:
        config: what network.
        ready: called once, when clients can connect, with what
            :meth:`RunningLocalnet.describe` returns: directory URL, env file, gateways with
            identities and URLs, counters URL, fault plan with seed.
        new_faults: read at SIGHUP; its plan takes the place of the one before.
        ends_process: the process does nothing else afterwards.

    Raises:
        ConfigurationError: a port is in use, or the state is of another network.
        StorageError: the state directory cannot be used.
    """
    run = _Run(new_faults)
    with received_signals(lambda: ends_process and run.is_told_to_end) as received, without_group():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.obey, received, tasks.cancel_scope)
            async with Localnet(config) as localnet:
                run.localnet = localnet
                ready(localnet.describe())
                await run.ending.wait()
            tasks.cancel_scope.cancel()


class _Run:
    """What signals ask of a network that is starting, up, or ending."""

    def __init__(self, new_faults: Callable[[], FaultPlan] | None) -> None:
        self.localnet: RunningLocalnet | None = None
        self.ending = anyio.Event()
        self._new_faults = new_faults
        self._told: EndingSignal | None = None

    @property
    def is_told_to_end(self) -> bool:
        return self._told is not None

    async def obey(
        self, received: AsyncIterator[signal.Signals], everything: anyio.CancelScope
    ) -> None:
        async for number in received:
            if number in (signal.SIGTERM, signal.SIGINT):
                self._end(EndingSignal(number, anyio.current_time()), everything)
            elif number == signal.SIGHUP and self._new_faults and self.localnet:
                await _change_faults(self.localnet, self._new_faults)
            else:
                logger.info("%s means nothing here", number.name)

    def _end(self, told: EndingSignal, everything: anyio.CancelScope) -> None:
        if self._told is None:
            self._told = told
            logger.info("%s: the localnet ends", told.number.name)
            self.ending.set()
            if self.localnet is None:
                everything.cancel()
        elif not self._told.is_repeated_by(told):
            logger.warning("second signal: ending at once")
            everything.cancel()


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
    """Do :func:`run_localnet` in an event loop of its own, as the last thing of a process."""

    async def run() -> None:
        await run_localnet(config, ready=ready, new_faults=new_faults, ends_process=True)

    anyio.run(run, backend=backend)
