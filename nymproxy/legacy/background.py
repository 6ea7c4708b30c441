"""The proxies in a thread of their own, for blocking code: what the old library's users did."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from anyio.from_thread import BlockingPortal, start_blocking_portal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    import anyio.abc

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
def run_in_thread(
    run: _Runnable, stop: Callable[[], Awaitable[None]], *, backend: str
) -> Iterator[BlockingPortal]:
    """Run ``run`` in an event loop of its own; yields when it has started, then stops it.

    An error that ended it meanwhile is raised at the end of the block.
    """
    with start_blocking_portal(backend) as portal:
        future, _ = portal.start_task(run)
        try:
            yield portal
        finally:
            portal.call(stop)
            future.result()
