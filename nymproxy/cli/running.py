"""What every long-running command does: say when it is ready, and end when it is told to.

Ready means that traffic can flow: one JSON line on stdout, the same line in ``--address-file``, and
``READY=1`` to systemd when ``NOTIFY_SOCKET`` is set. SIGTERM or SIGINT asks for a drain; a second
one ends at once.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Protocol

import anyio

from nymproxy._atomic_write import write_atomically

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from anyio.abc import TaskStatus

logger = logging.getLogger("nymproxy.cli")

_CLOSING_SECONDS = 12.0
"""After the grace period, for telling peers that their sessions were cut."""


def notify_service_manager(message: str) -> None:
    """Send ``message`` to systemd, if it listens (sd_notify(3); ``@`` is an abstract name)."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    target = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto(message.encode(), target)
    except OSError as error:
        logger.warning("cannot notify the service manager: %s", error.strerror)


@contextmanager
def announced(ready: dict[str, object], address_file: Path | None) -> Iterator[None]:
    """Announce ``ready`` for the time of the block."""
    line = json.dumps(ready)
    if address_file is not None:
        write_atomically(address_file, f"{line}\n".encode())
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    notify_service_manager("READY=1")
    try:
        yield
    finally:
        if address_file is not None:
            address_file.unlink(missing_ok=True)


class Service(Protocol):
    """Work that says when it has started (``TaskGroup.start``)."""

    async def __call__(self, *, task_status: TaskStatus[None]) -> None: ...


async def serve_until_told_to_end(
    service: Service,
    drain: Callable[[float], Awaitable[None]],
    ready: Callable[[], dict[str, object]],
    *,
    address_file: Path | None,
    grace_period_seconds: float,
) -> None:
    """Run a service, announced while it runs, until it ends by itself or a signal comes.

    A signal asks for ``drain``, which is given the grace period and should make the service return
    soon after it. What has not ended by then, or at a second signal, is cancelled. A signal that
    comes while the service still starts ends it at once.
    """
    started = False

    async def serve() -> None:
        nonlocal started
        with ExitStack() as announcement:
            async with anyio.create_task_group() as running:
                await running.start(service)
                started = True
                announcement.enter_context(announced(ready(), address_file))

    async def drain_within_period() -> None:
        notify_service_manager("STOPPING=1")
        if not started:
            everything.cancel_scope.cancel()
            return
        with anyio.move_on_after(grace_period_seconds + _CLOSING_SECONDS) as scope:
            await drain(grace_period_seconds)
        if scope.cancelled_caught:
            logger.warning("not every peer could be told in %g s", _CLOSING_SECONDS)
            everything.cancel_scope.cancel()

    async def on_signals() -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                logger.info("%s: closing sessions", number.name)
                everything.start_soon(drain_within_period)
                break
            async for _ in signals:
                logger.warning("second signal: ending at once")
                everything.cancel_scope.cancel()

    async with anyio.create_task_group() as everything:
        everything.start_soon(on_signals)
        await serve()
        everything.cancel_scope.cancel()
