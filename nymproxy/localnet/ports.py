"""The TCP ports of a network: its nodes' and its directory's, the same from run to run if free."""

from __future__ import annotations

import logging
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from nymproxy.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anyio.abc import ByteStream, Listener, TaskStatus

    from nymproxy.localnet.config import NodeSpec

logger = logging.getLogger("nymproxy.localnet")

HOST = "127.0.0.1"


class Port:
    """A TCP port of a node that may be down for a while.

    While nobody listens it stays bound, so that no other program gets it meanwhile.
    """

    def __init__(self, wanted: int = 0) -> None:
        self._reservation: socket.socket | None = None
        self._is_given_up = False
        self._reserve(wanted)

    def _reserve(self, wanted: int) -> None:
        reservation = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reservation.bind((HOST, wanted))
        except OSError as error:
            reservation.close()
            raise ConfigurationError(
                f"port {wanted} of {HOST} is in use: choose another, or 0 for any ({error})"
            ) from error
        self._reservation = reservation
        self.number: int = reservation.getsockname()[1]

    async def serve(
        self,
        handler: Callable[[ByteStream], object],
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Listen, and handle each connection in a task of its own, until cancelled."""
        self._release()
        listener: Listener[ByteStream] = await anyio.create_tcp_listener(
            local_host=HOST, local_port=self.number
        )
        try:
            async with listener:
                task_status.started()
                await listener.serve(handler)
        finally:
            if not self._is_given_up:
                self._reserve(self.number)

    def close(self) -> None:
        """Give the port up for good."""
        self._is_given_up = True
        self._release()

    def _release(self) -> None:
        if self._reservation is not None:
            self._reservation.close()
            self._reservation = None


def with_last_ports(specs: Sequence[NodeSpec], last: Mapping[str, int]) -> list[NodeSpec]:
    """Let nodes have the ports of the last run (by ``NODE`` and ``NODE/clients``), where free."""
    return [
        replace(
            spec,
            mix_port=free_port(last.get(spec.name, 0)),
            client_port=free_port(last.get(f"{spec.name}/clients", 0)),
        )
        for spec in specs
    ]


def free_port(port: int) -> int:
    """Return ``port``, or 0 (any) if another program uses it."""
    if port:
        try:
            Port(port).close()
        except ConfigurationError:
            logger.warning("port %s of the last run is in use, another is taken", port)
            return 0
    return port
