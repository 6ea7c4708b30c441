"""An event loop in a thread of its own, for blocking callers."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from nymproxy.errors import ClientDisconnected, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType
    from typing import Any

    from anyio.from_thread import BlockingPortal

logger = logging.getLogger("nymproxy")

T = TypeVar("T")

END_SECONDS = 60.0
"""What is told to end is cancelled after that: it flushes for less, so it waits for nothing."""


class BackgroundLoop:
    """Calls into the loop where it was made, from any other thread.

    Args:
        portal: what the calls go through.
    """

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal
        self._thread = threading.get_ident()
        self._process = os.getpid()

    def call(self, function: Callable[..., Awaitable[T]], *arguments: object) -> T:
        """Call an async function in the loop, and wait for what it returns.

        A caller who is interrupted meanwhile cancels it.

        Raises:
            UsageError: called in the loop itself, or in a forked process, which has no such thread.
            ClientDisconnected: the loop has ended.
        """

        async def run() -> T:
            return await function(*arguments)

        if os.getpid() != self._process:
            raise UsageError(
                "this was started before the process was forked, and its thread is not in the "
                "fork: start it after the fork"
            )
        if threading.get_ident() == self._thread:
            raise UsageError("a blocking call in the event loop itself: use the async classes")
        try:
            future = self._portal.start_task_soon(run)
        except RuntimeError:  # of the portal, once it has ended
            raise ClientDisconnected(_STOPPED) from None
        try:
            return future.result()
        except CancelledError:
            raise ClientDisconnected(_STOPPED) from None
        except BaseException:
            future.cancel()
            raise

    def call_now(self, function: Callable[..., T], *arguments: object) -> T:
        """As :meth:`call`, for a function that does not wait."""

        async def run() -> T:
            return function(*arguments)

        return self.call(run)

    def call_within(
        self, timeout: float | None, missing: str, function: Callable[[], Awaitable[T]]
    ) -> T:
        """As :meth:`call`, for so many seconds at most.

        Args:
            timeout: ``None`` for no limit.
            missing: what did not happen, for the message.
            function: is cancelled after that.

        Raises:
            TimeoutError: it was.
        """

        async def limited() -> T:
            with anyio.move_on_after(timeout):
                return await function()
            raise TimeoutError(f"{missing} within {timeout:g} s")

        return self.call(limited)


_STOPPED = "it was stopped: the background thread has ended"


class InBackground(Generic[T]):
    """Something that runs in a thread of its own: for a ``with`` block, or from :meth:`start` to
    :meth:`stop`. The end waits for what it flushes, and cancels it after a minute.

    ::

        with MixnetClient.in_background() as client: ...

        background = MixnetClient.in_background()
        client = background.start()
        ...
        background.stop()

    What is not stopped ends with the process. A process that is forked has to start its own.

    Args:
        serve: entered in the loop; what it gives is for the callers.
        backend: ``"asyncio"`` or ``"trio"``.
        backend_options: as for :func:`anyio.run`.

    Raises:
        UsageError: there is no such backend, or it is not installed.
    """

    def __init__(
        self,
        serve: Callable[[BackgroundLoop], AbstractAsyncContextManager[T]],
        *,
        backend: str = "asyncio",
        backend_options: dict[str, Any] | None = None,
    ) -> None:
        if backend not in anyio.get_all_backends() or find_spec(backend) is None:
            raise UsageError(
                f"there is no backend {backend!r} here: use asyncio, or trio where it is installed"
            )
        self._serve = serve
        self._backend = backend
        self._backend_options = backend_options
        self._life: _Life[T] | None = None

    def start(self) -> T:
        """Start, and return what runs once it is ready.

        Raises:
            UsageError: it runs already.
            NymError: whatever kept it from starting.
        """
        if self._life is not None and self._life.is_ours:
            raise UsageError("it runs in the background already: stop it first")
        life = _Life(self._serve, self._backend, self._backend_options)
        result = life.begin()
        self._life = life
        atexit.register(self.stop)
        return result

    def stop(self) -> None:
        """End it, as the end of the ``with`` block does. Nothing happens where it does not run.

        Raises:
            NymError: what has ended it before.
        """
        self._end(is_failed=False)

    def __enter__(self) -> T:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(is_failed=exc_value is not None)

    def _end(self, *, is_failed: bool) -> None:
        life = self._life
        if life is not None and life.is_ours:
            self._life = None
            atexit.unregister(self.stop)
            life.end(is_failed=is_failed)


class _Abandoned(Exception):
    """The caller's block has failed: nothing is to be flushed."""


class _Life(Generic[T]):
    """One thread from its start to its end. It is no generator on the caller's side: in a forked
    process nothing of it must run, not even when it is collected."""

    def __init__(
        self,
        serve: Callable[[BackgroundLoop], AbstractAsyncContextManager[T]],
        backend: str,
        backend_options: dict[str, Any] | None,
    ) -> None:
        self._serve = serve
        self._backend = backend
        self._backend_options = backend_options
        self._process = os.getpid()
        self._ready: Future[T] = Future()
        self._thread = threading.Thread(target=self._run, name="nymproxy", daemon=True)
        self._portal: BlockingPortal | None = None
        self._is_abandoned = False
        self._error: BaseException | None = None

    @property
    def is_ours(self) -> bool:
        """False in a process that was forked since."""
        return self._process == os.getpid()

    def begin(self) -> T:
        """Run, and return what serves."""
        self._thread.start()
        try:
            return self._ready.result()
        except BaseException as error:
            self.end(is_failed=True, known=error)
            raise

    def end(self, *, is_failed: bool, known: BaseException | None = None) -> None:
        """Stop, and raise what has ended it before, unless that is known."""
        self._is_abandoned = is_failed
        if self._portal is not None:
            with suppress(RuntimeError):  # it has ended by itself
                self._portal.start_task_soon(self._portal.stop)
        self._thread.join()
        if self._error not in (None, known):
            raise self._error

    def _run(self) -> None:
        try:
            anyio.run(self._main, backend=self._backend, backend_options=self._backend_options)
        except BaseException as error:  # for the caller, in the other thread
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._error = error
        if not self._ready.done():
            self._ready.set_exception(error)

    async def _main(self) -> None:
        from anyio.from_thread import BlockingPortal  # no command has such a thread

        async with BlockingPortal() as portal:
            self._portal = portal
            try:
                with anyio.CancelScope() as ending:
                    async with self._serve(BackgroundLoop(portal)) as result:
                        self._ready.set_result(result)
                        await portal.sleep_until_stopped()
                        ending.deadline = anyio.current_time() + END_SECONDS
                        if self._is_abandoned:
                            raise _Abandoned
                if ending.cancelled_caught:
                    logger.warning("it had not ended after %g s, and was cancelled", END_SECONDS)
            except _Abandoned:
                pass
            except Exception as error:  # here, where no task group wraps it
                self._fail(error)
            finally:
                await portal.stop(cancel_remaining=True)
