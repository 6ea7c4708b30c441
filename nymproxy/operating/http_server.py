"""A small HTTP server for one machine's own monitoring: a request a connection, with h11."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import h11

from nymproxy.forward.listener import StreamListener

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import SocketStream, TaskStatus

    from nymproxy.forward.endpoint import ListenEndpoint

logger = logging.getLogger("nymproxy.operating")

REQUEST_SECONDS = 10.0
"""From the connection to the last byte of the answer."""
CONNECTIONS_AT_ONCE = 16
"""For one more, the oldest goes: whoever opens many and says nothing keeps nobody out, least of all
the service manager that asks whether we live."""
_READ_BYTES = 4096
_ENDED = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: status, body, and what it is."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


Route: TypeAlias = "Callable[[str, str], Answer | None]"
"""Answers a method and a path; ``None``: there is nothing there."""


async def serve_http(
    endpoint: ListenEndpoint,
    route: Route,
    *,
    task_status: TaskStatus[StreamListener] = anyio.TASK_STATUS_IGNORED,
    mode: int | None = None,
) -> None:
    """Serve until cancelled; started with the listener.

    Args:
        endpoint: where to listen.
        route: answers requests, at once.
        mode: of a Unix socket.

    Raises:
        ConfigurationError: it cannot listen there.
    """
    listener = await StreamListener.bind(endpoint, mode=mode)
    slots = anyio.Semaphore(2 * CONNECTIONS_AT_ONCE)  # some are being closed
    open_now: dict[anyio.CancelScope, None] = {}

    async def handle(stream: SocketStream) -> None:
        try:
            with anyio.move_on_after(REQUEST_SECONDS) as scope:
                open_now[scope] = None
                if len(open_now) > CONNECTIONS_AT_ONCE:
                    oldest = next(iter(open_now))
                    del open_now[oldest]
                    oldest.cancel()
                await _exchange(stream, route)
        except (*_ENDED, h11.ProtocolError) as error:
            logger.debug("a monitoring request ended badly: %s", type(error).__name__)
        finally:
            open_now.pop(scope, None)
            slots.release()
            with anyio.move_on_after(1, shield=True):
                await stream.aclose()

    try:
        async with anyio.create_task_group() as tasks:
            task_status.started(listener)
            await listener.serve(handle, tasks, room=slots.acquire)
    finally:
        with anyio.CancelScope(shield=True):
            await listener.aclose()


async def _exchange(stream: SocketStream, route: Route) -> None:
    """Read one request and answer it."""
    connection = h11.Connection(h11.SERVER)
    request: Any = None
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            try:
                connection.receive_data(await stream.receive(_READ_BYTES))
            except anyio.EndOfStream:
                return
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.EndOfMessage):
            break
        elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
            return
    answer = _answer(request, route)
    headers = [
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        ("Connection", "close"),
    ]
    data = connection.send(h11.Response(status_code=answer.status, headers=headers))
    if request.method != b"HEAD":
        data += connection.send(h11.Data(data=answer.body)) or b""
    await stream.send(data)
    await stream.send_eof()


def _answer(request: h11.Request, route: Route) -> Answer:
    path = request.target.decode("ascii", "replace").partition("?")[0]
    method = "GET" if request.method == b"HEAD" else request.method.decode("ascii")
    try:
        return route(method, path) or Answer(404, b"nothing here\n")
    except Exception as error:  # a fault of ours: what is asked about goes on, and so do others
        logger.exception("a monitoring request met a fault in nymproxy: %s", type(error).__name__)
        return Answer(500, b"a fault in nymproxy; its log says more\n")
