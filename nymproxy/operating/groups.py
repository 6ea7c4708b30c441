"""The identities that several forwards of a process share, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from nymproxy.legacy.lasting import IdentityGroup
from nymproxy.legacy.roster import ClientRoster
from nymproxy.legacy.wire import WireSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from anyio.abc import TaskGroup, TaskStatus

    from nymproxy.legacy.connector import Connector


class IdentityGroups:
    """All groups of a process. :meth:`run` runs as long as the forwards do."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, Hashable], IdentityGroup] = {}
        self._tasks: TaskGroup | None = None

    def group(
        self, name: str, settings: Hashable, connector: Callable[[ClientRoster], Connector]
    ) -> IdentityGroup:
        """Return the group of a name and of equal settings; the first who asks makes it.

        Args:
            name: of the group.
            settings: everything that its client is made from.
            connector: makes what connects it, and tells the roster of it.
        """
        found = self._groups.get((name, settings))
        if found is None:
            roster = ClientRoster(group=name)
            found = IdentityGroup(connector(roster), WireSettings(), roster)
            self._groups[name, settings] = found
            if self._tasks is not None:
                self._tasks.start_soon(found.run)
        return found

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Keep the groups that have members connected, until cancelled."""
        async with anyio.create_task_group() as self._tasks:
            for group in self._groups.values():
                self._tasks.start_soon(group.run)
            task_status.started()
            await anyio.sleep_forever()
