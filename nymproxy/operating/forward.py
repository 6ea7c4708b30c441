"""One forward of a process: a proxy client or a proxy server, and how ready it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import anyio

from nymproxy._log_fields import fields
from nymproxy._signal import Signal
from nymproxy.legacy.roster import ClientRoster
from nymproxy.mixnet.machine import ClientStatus
from nymproxy.operating.losses import Losses, watch_losses
from nymproxy.operating.probe import Probe
from nymproxy.operating.readiness import Readiness

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from anyio.abc import TaskStatus

    from nymproxy.address import NymAddress
    from nymproxy.errors import NymError
    from nymproxy.legacy.session import SessionSnapshot
    from nymproxy.legacy.session_totals import SessionTotals

logger = logging.getLogger("nymproxy.operating")

Role: TypeAlias = Literal["client", "server"]
State: TypeAlias = Literal["starting", "running", "stopping", "ended"]


class Proxy(Protocol):
    """What :class:`~nymproxy.legacy.client.NymProxyClient` and
    :class:`~nymproxy.legacy.server.NymProxyServer` have in common."""

    totals: SessionTotals

    @property
    def status(self) -> ClientStatus:
        """How far it is from carrying traffic."""
        ...

    async def run(self, *, task_status: TaskStatus[None] = ...) -> None:
        """Serve until it is disconnected."""
        ...

    async def disconnect(self, grace_seconds: float = 0.0) -> None:
        """Stop in order."""
        ...

    def session_map(self) -> Mapping[int, SessionSnapshot]:
        """Return the sessions that are running now."""
        ...

    def close_session(self, number: int) -> bool:
        """End one of them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a forward should be.

    Attributes:
        name: for people, and unique in its process.
        role: which end it is.
        settings: everything that it is made from; equal settings make the same forward.
        fixed: those of them that cannot be changed while it runs.
        make: makes the proxy, whose clients the roster is told of. Called again for each attempt.
        describe: what its ready line says beside the event.
        adjust: gives a running proxy the settings that are not fixed.
        address_file: where the ready line is while it is ready.
        roster: of the group whose identity it uses; ``None``: it has clients of its own.
        probe: who is asked every minute; without an answer it is not ready. ``None``: nobody.
    """

    name: str
    role: Role
    settings: object
    fixed: object
    make: Callable[[ClientRoster], Awaitable[Proxy]]
    describe: Callable[[Any], dict[str, object]]
    adjust: Callable[[Any], None]
    address_file: Path | None = None
    roster: ClientRoster | None = None
    probe: NymAddress | None = None


@dataclass(eq=False, slots=True)
class Forward:
    """A plan that is being carried out.

    Attributes:
        plan: what it should be.
        state: what it is doing.
        proxy: made, and not ended.
        error: why the last attempt failed.
        has_given_up: there will be no other one.
        readiness: what others are told.
        changed: set whenever :attr:`status` may be another one.
        scope: around all that it does.
        losses: what the network loses of its packets.
        probe: asks whom the plan names.
    """

    plan: Plan
    state: State = "starting"
    proxy: Proxy | None = None
    error: NymError | OSError | None = None
    has_given_up: bool = False
    readiness: Readiness = field(default_factory=Readiness)
    changed: Signal = field(default_factory=Signal)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    losses: Losses = field(default_factory=Losses)
    roster: ClientRoster = field(init=False)
    probe: Probe | None = field(init=False)

    def __post_init__(self) -> None:
        plan = self.plan
        self.roster = ClientRoster() if plan.roster is None else plan.roster
        if plan.probe is None:
            self.probe = None
        else:
            self.probe = Probe(plan.probe, self.roster, self.changed, forward=plan.name)

    async def run(self, *, on_started: Callable[[], None]) -> None:
        """Make the proxy and serve until it is disconnected. Raises what the proxy raises."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._follow_roster)
                plan = self.plan
                tasks.start_soon(watch_losses, self.losses, self.roster, plan.role, plan.name)
                if self.probe is not None:
                    tasks.start_soon(self.probe.run)
                self.proxy = await plan.make(self.roster)
                if self.plan is not plan:  # the limits have changed meanwhile
                    self.plan.adjust(self.proxy)
                serving = _Serving(self, on_started)
                await self.proxy.run(task_status=serving)
                tasks.cancel_scope.cancel()
        finally:
            self.proxy = None
            self.state = "ended" if self.state == "stopping" else "starting"
            self.changed.set()

    async def _follow_roster(self) -> None:
        while True:
            await self.roster.changed.wait()
            self.changed.set()

    async def stop(self, grace_seconds: float) -> None:
        """Stop in order, or at once if it does not serve yet."""
        was_running = self.state == "running"
        self.state = "stopping"
        self.changed.set()
        if was_running and self.proxy is not None:
            await self.proxy.disconnect(grace_seconds)
        else:
            self.scope.cancel()

    def failed(self, error: NymError | OSError, pause_seconds: float | None = None) -> None:
        """Take note that an attempt failed, and when there will be another one, if at all."""
        self.error = error
        self.has_given_up = pause_seconds is None
        logger.warning(
            "%s %s: %s; %s",
            self.plan.role,
            self.plan.name,
            error,
            "not tried again before the next reload"
            if pause_seconds is None
            else f"trying again in {pause_seconds:.0f} s",
            extra=fields(
                "forward-failed", forward=self.plan.name, reason=getattr(error, "code", "system")
            ),
        )
        self.changed.set()

    @property
    def is_stopping(self) -> bool:
        """True once it was told to stop."""
        return self.state in ("stopping", "ended")

    @property
    def status(self) -> ClientStatus:
        """How far it is from carrying traffic, what it waits for, and what keeps it."""
        if self.is_stopping:
            return ClientStatus(0.0, False, self.state == "ended", self.state)
        if self.error is not None and self.proxy is None:
            code = getattr(self.error, "code", "system")
            return ClientStatus(0.0, False, False, str(self.error), code)
        status = self.roster.status_for() if self.proxy is None else self.proxy.status
        if status.is_ready and self.state != "running":
            return ClientStatus(0.95, False, False, "starting to serve")
        if status.is_ready and self.probe is not None:
            return self.probe.trouble or status
        return status


class _Serving:
    """The ``task_status`` of a proxy."""

    def __init__(self, forward: Forward, on_started: Callable[[], None]) -> None:
        self._forward = forward
        self._on_started = on_started

    def started(self, _value: None = None) -> None:
        if self._forward.state == "starting":
            self._forward.state = "running"
        self._forward.error = None
        self._on_started()
        self._forward.changed.set()
