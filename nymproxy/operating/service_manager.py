"""What systemd is told, if it listens: sd_notify(3), without a library.

``READY=1`` and ``STATUS=...`` for people, ``WATCHDOG=1`` as long as the event loop turns,
``RELOADING=1`` and ``STOPPING=1``.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("nymproxy.operating")


class ServiceManager:
    """The service manager that started us, or nobody.

    Args:
        environ: ``NOTIFY_SOCKET`` (``@`` begins an abstract name), ``WATCHDOG_USEC`` and
            ``WATCHDOG_PID``.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        self._target = "\0" + path[1:] if path.startswith("@") else path
        self._status = ""
        self.watchdog_seconds = _watchdog_seconds(environ)
        """How often it wants to hear of us; ``None``: not at all."""

    def ready(self) -> None:
        """Traffic can flow, or a reload is done."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """Say for people what we are doing; nothing is sent if it is what was said last."""
        if text != self._status:
            self._status = text
            self._send("STATUS=" + text.replace("\n", " "))

    def reloading(self) -> None:
        """A reload begins; :meth:`ready` must follow."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end begins."""
        self._send("STOPPING=1")

    async def keep_watchdog_quiet(self) -> None:
        """Say often enough that the event loop turns; returns at once if nobody wants to know."""
        if self.watchdog_seconds is None:
            return
        while True:
            self._send("WATCHDOG=1")
            await anyio.sleep(self.watchdog_seconds / 2)

    def _send(self, message: str) -> None:
        if not self._target:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)  # a manager that does not read must not hold us up
                channel.sendto(message.encode(), self._target)
        except OSError as error:
            logger.warning("cannot notify the service manager: %s", error.strerror)


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    interval, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not interval.isdecimal() or int(interval) == 0 or process not in ("", str(os.getpid())):
        return None
    return int(interval) / 1e6
