"""Nodes in other processes: the parent's end. :mod:`nymproxy.localnet.worker` is the other one.

They talk over a socket pair, one JSON object a line: ``{"id", "call", ...}`` and ``{"id", "result"
or "error"}``. A worker ends when its end of the socket pair does, so also when the parent dies.
"""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

import anyio

from nymproxy.errors import NetworkError
from nymproxy.localnet.json_lines import JsonLines, send_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from anyio.abc import ByteStream, Process, TaskGroup

    from nymproxy.localnet.config import NodeSpec
    from nymproxy.localnet.epochs import EpochSchedule
    from nymproxy.localnet.faults import FaultAction, FaultPlan
    from nymproxy.localnet.framing import FrameVersion
    from nymproxy.localnet.secrets import NetworkSecret
    from nymproxy.mixnet.sphinx import NodeAddress

logger = logging.getLogger("nymproxy.localnet")

CALL_SECONDS = 20.0
EXIT_SECONDS = 5.0
_WAITING_CALLS = 64


class WorkerHost:
    """Nodes in a worker process, with the methods of a :class:`~nymproxy.localnet.hosts.NodeHost`.

    An async context manager; the worker ends with the block.
    """

    def __init__(self, process: Process, stream: ByteStream) -> None:
        self._process = process
        self._stream = stream
        self._calls: dict[int, _Call] = {}
        self._next_id = 0
        self._ended = False
        self._outgoing, self._to_send = anyio.create_memory_object_stream[dict[str, Any]](
            _WAITING_CALLS
        )

    async def __aenter__(self) -> Self:
        self._group: TaskGroup = await anyio.create_task_group().__aenter__()
        self._group.start_soon(self._read_answers)
        self._group.start_soon(self._write_calls)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._stream.aclose()  # Both tasks, and the worker, end of this.
            with anyio.move_on_after(EXIT_SECONDS):
                await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()
            await self._process.aclose()
            self._outgoing.close()
            self._to_send.close()
        self._group.cancel_scope.cancel()
        await self._group.__aexit__(None, None, None)

    async def ports(self) -> dict[str, int]:
        result: dict[str, int] = await self._call("ports")
        return result

    async def set_names(self, names: dict[NodeAddress, str]) -> None:
        await self._call(
            "set_names",
            names=[[str(address.ip), address.port, name] for address, name in names.items()],
        )

    async def set_faults(self, plan: FaultPlan) -> None:
        await self._call("set_faults", plan=plan.to_dict())

    async def set_schedule(self, schedule: EpochSchedule) -> None:
        await self._call("set_schedule", schedule=asdict(schedule))

    async def start(self, name: str) -> None:
        await self._call("start", name=name)

    async def stop(self, name: str, *, orderly: bool) -> None:
        await self._call("stop", name=name, orderly=orderly)

    async def disconnect(self, name: str, peer_pattern: str) -> int:
        result: int = await self._call("disconnect", name=name, peer_pattern=peer_pattern)
        return result

    async def disturb_clients(
        self, name: str, action: FaultAction, peer_pattern: str, seconds: float
    ) -> None:
        """Do nothing: workers run no gateways."""

    async def clients(self) -> dict[str, list[str]]:
        return {}

    async def snapshot(self) -> dict[str, dict[str, Any]]:
        result: dict[str, dict[str, Any]] = await self._call("snapshot")
        return result

    async def _call(self, call: str, **arguments: Any) -> Any:  # noqa: ANN401
        if self._ended:
            raise NetworkError("a worker process of the localnet has ended")
        call_id, self._next_id = self._next_id, self._next_id + 1
        waiting = self._calls[call_id] = _Call()
        try:
            with anyio.fail_after(CALL_SECONDS):
                await self._outgoing.send({"id": call_id, "call": call, **arguments})
                await waiting.done.wait()
        except TimeoutError as error:
            raise NetworkError("a worker process of the localnet does not answer") from error
        finally:
            del self._calls[call_id]
        if waiting.error is not None:
            raise NetworkError(f"a worker process of the localnet says: {waiting.error}")
        return waiting.result

    async def _write_calls(self) -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            async for call in self._to_send:
                await send_json(self._stream, call)

    async def _read_answers(self) -> None:
        try:
            async for answer in JsonLines(self._stream):
                waiting = self._calls.get(answer["id"])
                if waiting is not None:
                    waiting.result = answer.get("result")
                    waiting.error = answer.get("error")
                    waiting.done.set()
        finally:
            self._ended = True
            for waiting in self._calls.values():
                waiting.error = "the process has ended"
                waiting.done.set()


class _Call:
    """A call whose answer has not come."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.result: Any = None
        self.error: str | None = None


async def start_worker(
    specs: Sequence[NodeSpec],
    secret: NetworkSecret,
    schedule: EpochSchedule,
    frame_version: FrameVersion,
) -> WorkerHost:
    """Start a worker process for some mix nodes. The secret travels over the socket pair only."""
    ours, theirs = socket.socketpair()
    with theirs:
        # A session of its own: Ctrl-C in a terminal is for the parent, which ends its workers.
        process = await anyio.open_process(
            [sys.executable, "-m", "nymproxy.localnet.worker", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    stream = await anyio.abc.UNIXSocketStream.from_socket(ours)
    await send_json(
        stream,
        {
            "specs": [asdict(spec) for spec in specs],
            "secret": secret.to_bytes().hex(),
            "schedule": asdict(schedule),
            "frame_version": int(frame_version),
        },
    )
    return WorkerHost(process, stream)
