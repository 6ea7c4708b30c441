"""A proxy without a mixnet, whose clients do as the test says."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from nymproxy.legacy.session_totals import SessionTotals
from nymproxy.mixnet.machine import ClientStatus
from nymproxy.mixnet.machine.status import READY
from nymproxy.operating.forward import Plan
from nymproxy.operating.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from anyio.abc import TaskStatus

    from nymproxy.errors import NymError
    from nymproxy.legacy.roster import ClientRoster
    from nymproxy.legacy.session import SessionSnapshot

RECONNECTING = ClientStatus(0.7, False, False, "reconnecting to the gateway", "gateway-unreachable")


class PretendedProxy:
    """Serves nothing until it is disconnected, or loses its gateway for good."""

    def __init__(self, roster: ClientRoster) -> None:
        self.totals = SessionTotals()
        self.roster = roster
        self.entry = roster.enter()
        self.closed: list[int] = []
        self.limits: list[int] = []
        self.sessions: dict[int, SessionSnapshot] = {}
        self.drained_for: float | None = None
        self._end = anyio.Event()
        self._error: NymError | None = None

    @property
    def status(self) -> ClientStatus:
        return self.roster.status_for()

    def show(self, status: ClientStatus) -> None:
        self.entry.show(status)

    def lose(self, error: NymError) -> None:
        self._error = error
        self._end.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        self.show(READY)
        task_status.started()
        await self._end.wait()
        if self._error is not None:
            raise self._error

    async def disconnect(self, grace_seconds: float = 0.0) -> None:
        self.drained_for = grace_seconds
        self._end.set()

    def session_map(self) -> dict[int, SessionSnapshot]:
        return self.sessions

    def close_session(self, number: int) -> bool:
        self.closed.append(number)
        return number in self.sessions


@dataclass
class Made:
    """What a plan has made, in order; ``errors`` come first, each after a pause."""

    errors: list[Exception] = field(default_factory=list)
    proxies: list[PretendedProxy] = field(default_factory=list)
    pause_seconds: float = 0.0

    def plan(
        self,
        name: str = "one",
        *,
        address_file: Path | None = None,
        limit: int = 1,
        version: int = 1,
    ) -> Plan:
        async def make(roster: ClientRoster) -> PretendedProxy:
            await anyio.sleep(self.pause_seconds)
            if self.errors:
                raise self.errors.pop(0)
            self.proxies.append(PretendedProxy(roster))
            return self.proxies[-1]

        def describe(_proxy: Any) -> dict[str, object]:
            return {"name": name}

        return Plan(
            name=name,
            role="server",
            settings=(name, version, limit),
            fixed=(name, version),
            make=make,
            describe=describe,
            adjust=lambda proxy: proxy.limits.append(limit),
            address_file=address_file,
        )


@asynccontextmanager
async def supervised(*plans: Plan, **options: Any) -> AsyncIterator[Supervisor]:
    """Run a supervisor for the time of the block."""
    supervisor = Supervisor(plans, grace_seconds=3.0, **options)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervisor.run)
        yield supervisor
        tasks.cancel_scope.cancel()


async def until(is_so: Callable[[], object]) -> None:
    """Wait, in virtual time, for something that has no event of its own."""
    with anyio.fail_after(600):
        while not is_so():  # noqa: ASYNC110
            await anyio.sleep(0.1)


class Lines(logging.Handler):
    """The messages and fields that were logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
