"""The proxies in a thread of their own, for blocking code: what the old library's users did."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    import anyio.abc
    from anyio.from_thread import BlockingPortal

    from nymproxy.address import NymAddress
    from nymproxy.legacy.session import SessionSnapshot


class _Runnable(Protocol):
    async def __call__(self, *, task_status: anyio.abc.TaskStatus[None]) -> None: ...


class RunningClient:
    """A proxy client in a background thread.

    Attributes:
        local_address: host and port where it listens, fit for :func:`socket.create_connection`.
    """

    def __init__(self, portal: BlockingPortal, local_address: tuple[str, int]) -> None:
        self._portal = portal
        self.local_address = local_address


class RunningServer:
    """A proxy server in a background thread.

    Attributes:
        nym_address: what clients are given.
    """

    def __init__(
        self,
        portal: BlockingPortal,
        nym_address: NymAddress,
        session_map: Callable[[], Mapping[Any, SessionSnapshot]],
    ) -> None:
        self._portal = portal
        self._session_map = session_map
        self.nym_address = nym_address

    def session_map(self) -> Mapping[Any, SessionSnapshot]:
        """Return the sessions that are running now."""
        return self._portal.call(self._session_map)


@contextmanager
def running(
    portal: BlockingPortal, run: _Runnable, stop: Callable[[], Awaitable[None]]
) -> Iterator[None]:
    """Run ``run`` in the event loop of a portal; yields when it has started, then stops it.

    An error that ended it meanwhile is raised at the end of the block.
    """
    future, _ = portal.start_task(run)
    try:
        yield
    finally:
        portal.call(stop)
        future.result()
