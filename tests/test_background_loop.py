"""An event loop in a thread, and what is started and stopped in one."""

from __future__ import annotations

import atexit
import os
import threading
import warnings
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from nymproxy import _background_loop
from nymproxy._background_loop import BackgroundLoop, InBackground
from nymproxy.errors import ClientDisconnected, StorageLocked, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


@asynccontextmanager
async def alone(loop: BackgroundLoop) -> AsyncIterator[BackgroundLoop]:
    yield loop


@pytest.fixture(params=["asyncio", "trio"])
def loop(request: pytest.FixtureRequest) -> Iterator[BackgroundLoop]:
    with InBackground(alone, backend=request.param) as loop:
        yield loop


class TestCalls:
    def test_their_results_and_errors_come_out(self, loop: BackgroundLoop) -> None:
        async def fail() -> None:
            raise LookupError("inside")

        async def add(one: int, other: int) -> int:
            await anyio.lowlevel.checkpoint()
            return one + other

        assert loop.call(add, 1, 2) == 3
        assert loop.call_now(threading.get_ident) != threading.get_ident()
        with pytest.raises(LookupError, match="inside"):
            loop.call(fail)

    def test_in_the_loop_itself_they_are_refused_instead_of_waiting_for_ever(
        self, loop: BackgroundLoop
    ) -> None:
        async def call_again() -> None:
            loop.call(anyio.sleep, 0)

        with pytest.raises(UsageError, match="in the event loop itself"):
            loop.call(call_again)

    def test_a_time_limit_says_what_did_not_happen_and_cancels(self, loop: BackgroundLoop) -> None:
        cancelled: list[bool] = []

        async def wait() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                cancelled.append(True)

        async def fail() -> None:
            raise TimeoutError("of its own")

        with pytest.raises(TimeoutError, match=r"^nothing came within 0\.01 s$"):
            loop.call_within(0.01, "nothing came", wait)
        assert cancelled == [True]
        with pytest.raises(TimeoutError, match="of its own"):
            loop.call_within(10, "nothing came", fail)

    def test_the_end_of_the_loop_ends_them_and_refuses_others(self) -> None:
        caught: list[BaseException] = []
        waits = threading.Event()

        async def wait() -> None:
            waits.set()
            await anyio.sleep_forever()

        def call() -> None:
            try:
                running.call(wait)
            except ClientDisconnected as error:
                caught.append(error)

        with InBackground(alone) as running:
            thread = threading.Thread(target=call)
            thread.start()
            waits.wait()
        thread.join()
        assert str(caught[0]) == "it was stopped: the background thread has ended"
        with pytest.raises(ClientDisconnected, match="was stopped"):
            running.call(anyio.sleep, 0)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_end_that_takes_for_ever_is_cancelled(
    backend: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_background_loop, "END_SECONDS", 0.05)

    @asynccontextmanager
    async def stuck(loop: BackgroundLoop) -> AsyncIterator[None]:
        yield
        await anyio.sleep_forever()

    with InBackground(stuck, backend=backend):
        pass
    assert "had not ended after 0.05 s, and was cancelled" in caplog.text


class Served:
    """Writes down what happens to it."""

    def __init__(self) -> None:
        self.life: list[str] = []
        self.error: Exception | None = None

    @asynccontextmanager
    async def __call__(self, loop: BackgroundLoop) -> AsyncIterator[BackgroundLoop]:
        if self.error is not None:
            raise self.error
        self.life.append("started")
        try:
            yield loop
        except BaseException as error:
            self.life.append(type(error).__name__)
            raise
        finally:
            self.life.append("stopped")


@pytest.fixture
def served() -> Served:
    return Served()


class TestStarting:
    def test_it_is_started_and_stopped_once_and_can_be_again(self, served: Served) -> None:
        background = InBackground(served)
        for _ in range(2):
            background.start()
            with pytest.raises(UsageError, match="stop it first"):
                background.start()
            background.stop()
            background.stop()
        assert served.life == ["started", "stopped"] * 2

    def test_a_with_block_does_the_same_and_tells_of_its_failure(self, served: Served) -> None:
        def fail_in_the_block() -> None:
            with InBackground(served) as loop:
                loop.call(anyio.sleep, 0)
                raise LookupError

        with pytest.raises(LookupError):
            fail_in_the_block()
        assert served.life == ["started", "_Abandoned", "stopped"]

    def test_what_keeps_it_from_starting_is_raised_as_it_is(self, served: Served) -> None:
        served.error = StorageLocked("in use")
        background = InBackground(served)
        with pytest.raises(StorageLocked, match="in use"):
            background.start()
        background.stop()
        served.error = None
        background.start().call(anyio.sleep, 0)
        background.stop()

    def test_what_ended_it_meanwhile_is_raised_when_it_is_stopped(self) -> None:
        @asynccontextmanager
        async def fail_soon(loop: BackgroundLoop) -> AsyncIterator[BackgroundLoop]:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(lambda: anyio.lowlevel.checkpoint())
                    scopes.append(scope)
                    yield loop
            raise StorageLocked("lost")

        scopes: list[anyio.CancelScope] = []
        background = InBackground(fail_soon)
        loop = background.start()
        loop.call_now(scopes[0].cancel)
        with pytest.raises(StorageLocked, match="lost"):
            background.stop()

    def test_what_is_not_stopped_ends_with_the_process(
        self, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        at_exit: list[Callable[[], object]] = []
        monkeypatch.setattr(atexit, "register", at_exit.append)
        monkeypatch.setattr(atexit, "unregister", at_exit.remove)
        background = InBackground(served)
        background.start()
        assert at_exit == [background.stop]
        background.stop()
        assert at_exit == []

    def test_a_forked_process_leaves_it_alone_starts_its_own_and_ends(self) -> None:
        background = InBackground(alone)
        loop = background.start()
        reading, writing = os.pipe()
        child = _fork()
        if child == 0:
            try:
                loop.call(anyio.sleep, 0)
            except UsageError:
                background.stop()
                own = background.start()
                own.call(anyio.sleep, 0)
                background.stop()
                del background, loop, own
                os.write(writing, b"all well")
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading, "rb") as pipe:
            assert pipe.read() == b"all well"
        os.waitpid(child, 0)
        loop.call(anyio.sleep, 0)
        background.stop()


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads is the case
        return os.fork()
