"""Runs the forwards of a process, tells what they are, and does what signals ask for.

SIGTERM and SIGINT end in order, a second one at once; SIGHUP reloads; SIGUSR1 logs statistics.
"""

from __future__ import annotations

import gc
import logging
import signal
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio

from nymproxy._backoff import Backoff
from nymproxy._error_groups import first_cause
from nymproxy._log_fields import fields
from nymproxy._process_signals import EndingSignal, received_signals
from nymproxy.errors import (
    ClientDisconnected,
    DeliveryError,
    NetworkError,
    NymError,
    PhaseTimeout,
)
from nymproxy.mixnet.randomness import system_random_bytes, uniform_fraction
from nymproxy.operating.announcement import (
    print_ready,
    ready_line,
    remove_address_file,
    write_address_file,
)
from nymproxy.operating.forward import Forward
from nymproxy.operating.logs import forward_name
from nymproxy.operating.readiness import LOST_SECONDS
from nymproxy.operating.service_manager import ServiceManager
from nymproxy.operating.statistics import log_statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from anyio.abc import TaskGroup, TaskStatus

    from nymproxy.operating.forward import Plan

logger = logging.getLogger("nymproxy.operating")

Service: TypeAlias = "Callable[..., Coroutine[Any, Any, Any]]"
"""Runs until cancelled; takes ``task_status``."""

TRANSIENT = (NetworkError, DeliveryError, ClientDisconnected, PhaseTimeout)
"""Errors after which trying again may help."""

_CLOSING_SECONDS = 12.0
"""After the grace period, for telling peers that their sessions were cut."""


class Supervisor:
    """The forwards of a process.

    Args:
        plans: what they should be.
        grace_seconds: that sessions may go on when the process is told to end.
        tries_again: a forward that cannot start for want of a network tries again, as one that was
            lost; without it, that ends the process.
        manager: is told how it goes.
        reload: returns what the forwards should be now; SIGHUP asks for it.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        *,
        grace_seconds: float,
        tries_again: bool = False,
        manager: ServiceManager | None = None,
        reload: Callable[[], Sequence[Plan]] | None = None,
    ) -> None:
        self.forwards: dict[str, Forward] = {}
        self._plans = plans
        self._grace_seconds = grace_seconds
        self._tries_again = tries_again
        self._manager = manager or ServiceManager()
        self._reload = reload
        self._services: list[Service] = []
        self._successors: dict[str, Plan] = {}
        self._everything: TaskGroup | None = None
        self._tasks: TaskGroup | None = None
        self._is_stopping = False
        self._ending: EndingSignal | None = None
        self._was_ready = False
        self._ends_process = False
        for plan in plans:
            remove_address_file(plan.address_file)

    def add_service(self, service: Service) -> None:
        """Have something else run before the forwards start, and until they have ended."""
        self._services.append(service)

    async def run(self, *, ends_process: bool = False) -> None:
        """Run until all forwards have ended, or a signal says so.

        Args:
            ends_process: the process does nothing else afterwards, see
                :func:`~nymproxy._process_signals.received_signals`.

        Raises:
            NymError, OSError: a forward cannot run; trying again would not help, or is not wanted.
        """
        self._ends_process = ends_process
        async with anyio.create_task_group() as self._everything:
            await self._everything.start(self._receive_signals)
            self._everything.start_soon(self._manager.keep_watchdog_quiet)
            for service in self._services:
                await self._everything.start(service)
            async with anyio.create_task_group() as self._tasks:
                for plan in self._plans:
                    self._start(plan)
            self._everything.cancel_scope.cancel()

    # Forwards.

    def _start(self, plan: Plan, *, is_essential: bool = True) -> None:
        assert self._tasks is not None
        forward = self.forwards[plan.name] = Forward(plan)
        self._tasks.start_soon(self._keep, forward, is_essential)

    async def _keep(self, forward: Forward, is_essential: bool) -> None:
        """Run a forward, and tell of it, until it is stopped; then its successor takes over."""
        if self._reload is not None:  # a file may have several; else it goes without saying
            forward_name.set(forward.plan.name)
        try:
            with forward.scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._announce, forward)
                    tasks.start_soon(_tell_delay, forward)
                    try:
                        await self._run_until_stopped(forward)
                    except* (NymError, OSError) as group:
                        if is_essential:
                            raise
                        # What came by a reload must not end what was there before.
                        forward.failed(_leaf(group))
                        await anyio.sleep_forever()
                    tasks.cancel_scope.cancel()
        finally:
            self.forwards.pop(forward.plan.name, None)
            forward.state = "ended"
            if forward.readiness.end():
                remove_address_file(forward.plan.address_file)
        successor = self._successors.pop(forward.plan.name, None)
        if successor is not None and not self._is_stopping:
            self._start(successor, is_essential=False)

    def apply(self, plans: Sequence[Plan]) -> None:
        """Make the forwards what they should be; those that stay as they are do not notice.

        What is not wanted any more, or differs in more than its limits, is stopped as the process
        would be; its successor starts when it has ended.
        """
        if self._tasks is None:  # none has started yet
            self._plans = plans
            return
        self._successors.clear()
        wanted = {plan.name: plan for plan in plans}
        for name, forward in list(self.forwards.items()):
            plan = wanted.pop(name, None)
            goes_on = not (forward.is_stopping or forward.has_given_up)
            if plan is not None and plan.fixed == forward.plan.fixed and goes_on:
                if plan.settings != forward.plan.settings and forward.proxy is not None:
                    plan.adjust(forward.proxy)
                forward.plan = plan
                continue
            if plan is not None:
                self._successors[name] = plan
            if not forward.is_stopping:
                logger.info("%s %s: stops for a reload", forward.plan.role, name)
                self._tasks.start_soon(forward.stop, self._grace_seconds)
        for plan in wanted.values():
            logger.info("%s %s: starts by a reload", plan.role, plan.name)
            remove_address_file(plan.address_file)
            self._start(plan, is_essential=False)

    async def _run_until_stopped(self, forward: Forward) -> None:
        backoff = Backoff(first_seconds=2.0, longest_seconds=30.0)
        while forward.state != "stopping":
            try:
                await forward.run(on_started=backoff.succeeded)
                if not self._tries_again or forward.state == "ended":
                    return
            except* TRANSIENT as group:
                if not self._tries_again:
                    raise
                pause = backoff.failed(uniform_fraction(system_random_bytes))
                forward.failed(_leaf(group), pause)
            if forward.error is not None:
                await anyio.sleep(pause)

    async def _announce(self, forward: Forward) -> None:
        """Tell the world of a forward whenever what it should believe changes."""
        plan, readiness = forward.plan, forward.readiness
        line: str | None = None
        while True:
            changed = forward.changed.upcoming()
            status, now = forward.status, anyio.current_time()
            if forward.is_stopping:
                if readiness.end():
                    remove_address_file(plan.address_file)
                return
            told = readiness.update(is_ready=status.is_ready, now=now)
            if told and readiness.is_told:
                assert forward.proxy is not None
                is_first, line = line is None, ready_line(plan.describe(forward.proxy))
                write_address_file(plan.address_file, line)
                if is_first:
                    print_ready(line)
                logger.info(
                    "%s %s: ready%s",
                    plan.role,
                    plan.name,
                    "" if is_first else " again",
                    extra=fields("ready", forward=plan.name),
                )
            elif told:
                remove_address_file(plan.address_file)
                logger.warning(
                    "%s %s: not ready any more: %s",
                    plan.role,
                    plan.name,
                    status.reason,
                    extra=fields("not-ready", forward=plan.name, reason=status.blocked_by),
                )
            self._tell_manager()
            with anyio.CancelScope(deadline=readiness.deadline):
                await changed.wait()

    @property
    def why_not_ready(self) -> str | None:
        """What keeps the process from being ready, for people; ``None``: nothing, it is."""
        if self._is_stopping:
            return "stopping"
        if all(forward.is_stopping for forward in self.forwards.values()):
            return "starting"
        waiting = [
            f"{forward.plan.role} {forward.plan.name}: {forward.status.reason}"
            for forward in self.forwards.values()
            if not forward.readiness.is_told and not forward.is_stopping
        ]
        return "; ".join(waiting) or None

    def _tell_manager(self) -> None:
        if self._is_stopping:
            return
        why_not = self.why_not_ready
        if why_not is None and not self._was_ready:
            self._was_ready = True
            if self._ends_process:
                # What is there now stays. A full collection looked at all of it every ten
                # connections or so, for 20 ms and more in which nothing else was done.
                gc.freeze()
            self._manager.ready()
        self._manager.status(why_not or f"ready: {len(self.forwards)} of {len(self.forwards)}")

    # Signals.

    async def _receive_signals(self, *, task_status: TaskStatus[None]) -> None:
        assert self._everything is not None
        with received_signals(lambda: self._ends_process and self._is_stopping) as received:
            task_status.started()
            async for number in received:
                if number in (signal.SIGTERM, signal.SIGINT):
                    self._told_to_end(EndingSignal(number, anyio.current_time()), self._everything)
                elif number == signal.SIGUSR1:
                    log_statistics(list(self.forwards.values()))
                elif number == signal.SIGHUP:
                    self.reload()
                else:
                    logger.info("%s means nothing here", number.name)

    def _told_to_end(self, told: EndingSignal, everything: TaskGroup) -> None:
        if self._ending is None:
            self._ending = told
            logger.info("%s: closing sessions", told.number.name)
            everything.start_soon(self._stop)
        elif not self._ending.is_repeated_by(told):
            logger.warning("second signal: ending at once")
            everything.cancel_scope.cancel()

    def reload(self) -> None:
        """Ask what the forwards should be, and make them so."""
        if self._reload is None:
            logger.info("SIGHUP: without a configuration file there is nothing to reload")
            return
        if self._is_stopping:
            logger.info("SIGHUP: nothing is reloaded, as the process is ending")
            return
        if self._was_ready:
            self._manager.reloading()
        try:
            self.apply(self._reload())
        except (NymError, OSError) as error:
            code = getattr(error, "code", "system")
            logger.error(
                "nothing is changed: %s", error, extra=fields("reload-failed", reason=code)
            )
        else:
            logger.info("reloaded", extra=fields("reloaded", forwards=len(self.forwards)))
        if self._was_ready:  # else it follows when it is true
            self._manager.ready()

    async def _stop(self) -> None:
        assert self._everything is not None
        self._is_stopping = True
        self._manager.stopping()
        if self._tasks is None:  # no forward has started yet, and none will
            self._everything.cancel_scope.cancel()
        with anyio.move_on_after(self._grace_seconds + _CLOSING_SECONDS) as scope:
            async with anyio.create_task_group() as stops:
                for forward in list(self.forwards.values()):
                    stops.start_soon(forward.stop, self._grace_seconds)
        if scope.cancelled_caught:
            logger.warning("not every peer could be told in %g s", _CLOSING_SECONDS)
            self._everything.cancel_scope.cancel()


async def _tell_delay(forward: Forward) -> None:
    """Say what keeps a forward from being ready at first, once it has taken a while."""
    await anyio.sleep(LOST_SECONDS)
    status = forward.status
    if status.is_ready or forward.readiness.is_told or forward.is_stopping or forward.error:
        return
    logger.warning(
        "%s %s: not ready yet: %s",
        forward.plan.role,
        forward.plan.name,
        status.reason,
        extra=fields("not-ready", forward=forward.plan.name, reason=status.blocked_by),
    )


def _leaf(group: BaseExceptionGroup[BaseException]) -> NymError | OSError:
    error = first_cause(group)
    assert isinstance(error, (NymError, OSError))
    return error
