"""Running the checks: what does not depend on each other at the same time, each with a deadline."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from nymproxy_migrate.doctor import machine, network, program, start, storage
from nymproxy_migrate.doctor import unit as units
from nymproxy_migrate.doctor.endpoint import reason_of
from nymproxy_migrate.doctor.model import Check, Network, Settings, Verdict
from nymproxy_migrate.doctor.threads import in_daemon_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nymproxy import NymAddress

ORDER = (
    machine.PYTHON,
    machine.NYMPROXY,
    program.PROGRAM,
    machine.OLD_PROGRAMS,
    network.ENV_FILE,
    network.DIRECTORY,
    network.GATEWAY,
    network.CLOCK,
    units.HOME,
    storage.CONFIG_DIR,
    storage.KEY_FILES,
    storage.REGISTRATIONS,
    storage.REPLY_STORE,
    storage.ADDRESS,
    start.START,
    machine.PORT,
    machine.UPSTREAM,
)
"""The order in which checks are reported."""

_OF_A_FOLDER = (
    storage.KEY_FILES,
    storage.REGISTRATIONS,
    storage.REPLY_STORE,
    storage.ADDRESS,
)


async def run(settings: Settings) -> list[Check]:
    """Run all checks; there is one result for each name of :data:`ORDER`, in that order.

    Raises:
        Refused: the unit starts no nymproxy.
        OSError: the unit cannot be read.
    """
    unit = None
    if settings.unit is not None:
        unit = units.read_unit(settings.unit, os.environ.get("HOME"))
    doctor = _Doctor(settings, unit)
    await doctor.run()
    return [doctor.checks[name] for name in ORDER]


class _Doctor:
    def __init__(self, settings: Settings, unit: units.Unit | None) -> None:
        self.checks: dict[str, Check] = {}
        self._settings = settings
        self._unit = unit
        self._network = Network(None)
        self._address: NymAddress | None = None

    async def run(self) -> None:
        async with anyio.create_task_group() as everything:
            everything.start_soon(self._look_at_machine)
            # What the others need: the network, and the gateway of the address.
            async with anyio.create_task_group() as first:
                first.start_soon(self._one, network.ENV_FILE, self._read_env_file)
                first.start_soon(self._look_at_folder)
            for name, check in (
                (network.DIRECTORY, self._directory),
                (network.GATEWAY, self._gateway),
                (network.CLOCK, self._clock),
            ):
                everything.start_soon(self._one, name, check)

    async def _one(self, name: str, check: Callable[[], Awaitable[Check]]) -> None:
        seconds = self._settings.deadline_seconds
        try:
            with anyio.fail_after(seconds):
                self.checks[name] = await check()
        except TimeoutError:
            self.checks[name] = Check(
                name,
                Verdict.FAIL,
                f"no result within {seconds:g} s",
                "give it more time: --timeout",
            )
        except OSError as error:
            self.checks[name] = Check(
                name,
                Verdict.FAIL,
                f"it cannot be looked at: {reason_of(error)}",
                "run doctor as the user who runs the proxy",
                detail=str(error.filename or ""),
            )

    async def _in_thread(self, name: str, check: Callable[[], Check]) -> None:
        await self._one(name, lambda: in_daemon_thread(check))

    async def _look_at_machine(self) -> None:
        settings = self._settings
        async with anyio.create_task_group() as group:
            group.start_soon(self._in_thread, machine.PYTHON, machine.check_python)
            group.start_soon(self._one, machine.NYMPROXY, machine.check_nymproxy)
            group.start_soon(
                self._in_thread,
                program.PROGRAM,
                lambda: program.check_program(self._programs()),
            )
            group.start_soon(self._in_thread, machine.OLD_PROGRAMS, machine.check_old_programs)
            group.start_soon(
                self._in_thread,
                machine.PORT,
                lambda: machine.check_port(settings.listen_address, settings.listen_port),
            )
            group.start_soon(
                self._one, machine.UPSTREAM, lambda: machine.check_upstream(settings.upstream)
            )

    async def _look_at_folder(self) -> None:
        self.checks[units.HOME], of_unit = units.judge_home(self._unit)
        folder = self._settings.config_dir or (None if of_unit is None else Path(of_unit))
        home = os.environ.get("HOME")
        await self._look_at_start(folder)
        await self._in_thread(storage.CONFIG_DIR, lambda: storage.check_config_dir(folder, home))
        if folder is None or self.checks[storage.CONFIG_DIR].verdict is not Verdict.OK:
            cause = "there is no config directory to look at"
            for name in _OF_A_FOLDER:
                self.checks[name] = Check(name, Verdict.SKIPPED, cause)
            return
        async with anyio.create_task_group() as group:
            group.start_soon(
                self._in_thread, storage.KEY_FILES, lambda: storage.check_key_files(folder)
            )
            for name in storage.DATABASES:
                group.start_soon(self._in_thread, name, self._database(folder, name))
            group.start_soon(self._in_thread, storage.ADDRESS, lambda: self._read_address(folder))

    async def _look_at_start(self, folder: Path | None) -> None:
        if folder is None:
            cause = "there is no config directory to look at"
            self.checks[start.START] = Check(start.START, Verdict.SKIPPED, cause)
            return
        needs_keys = self._unit is not None and self._unit.needs_keys
        gateway = self._settings.gateway
        await self._in_thread(
            start.START, lambda: start.check_start(folder, gateway, needs_keys=needs_keys)
        )

    def _programs(self) -> tuple[str, ...]:
        given = self._settings.program
        of_unit = () if self._unit is None else self._unit.programs
        return of_unit if given is None else (given, *of_unit)

    def _database(self, folder: Path, name: str) -> Callable[[], Check]:
        return lambda: storage.check_database(folder, name)

    def _read_address(self, folder: Path) -> Check:
        check, self._address = storage.read_address(folder)
        return check

    async def _read_env_file(self) -> Check:
        check, self._network = await network.read_env_file(self._settings)
        return check

    async def _directory(self) -> Check:
        return await network.check_directory(self._settings, self._network)

    async def _gateway(self) -> Check:
        of_address = None if self._address is None else self._address.gateway
        return await network.check_gateway(self._settings, self._network, of_address)

    async def _clock(self) -> Check:
        return await network.check_clock(self._settings, self._network)
