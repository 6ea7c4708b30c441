"""The program of a worker process: ``python -m nymproxy.localnet.worker DESCRIPTOR``.

It runs mix nodes for the process that started it (:mod:`nymproxy.localnet.workers`), which says
over the socket pair what to do.
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio

from nymproxy.errors import ConfigurationError, NymError
from nymproxy.localnet.config import NodeSpec
from nymproxy.localnet.epochs import EpochClock, EpochSchedule
from nymproxy.localnet.fault_gates import FaultGates
from nymproxy.localnet.faults import FaultPlan
from nymproxy.localnet.framing import FrameVersion
from nymproxy.localnet.hosts import LocalHost
from nymproxy.localnet.json_lines import JsonLines, send_json
from nymproxy.localnet.nodes import NodeEnvironment
from nymproxy.localnet.secrets import NetworkSecret
from nymproxy.mixnet.randomness import system_random_bytes
from nymproxy.mixnet.sphinx import NodeAddress

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import ByteStream, TaskGroup


async def run_worker(descriptor: int) -> None:
    """Be a worker: run the nodes that the parent names, until it closes its end."""
    stream = await anyio.abc.UNIXSocketStream.from_socket(socket.socket(fileno=descriptor))
    async with stream:
        lines = JsonLines(stream)
        async for setup in lines:
            async with anyio.create_task_group() as task_group:
                with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                    await _serve_parent(setup, lines, stream, task_group)
                task_group.cancel_scope.cancel()
            return


async def _serve_parent(
    setup: dict[str, Any], lines: JsonLines, stream: ByteStream, task_group: TaskGroup
) -> None:
    environment = NodeEnvironment(
        NetworkSecret(bytes.fromhex(setup["secret"])),
        EpochClock(EpochSchedule(**setup["schedule"])),
        FaultGates(anyio.current_time),
        time.time,
        system_random_bytes,
        FrameVersion(setup["frame_version"]),
    )
    try:
        host = LocalHost(
            [NodeSpec(**spec) for spec in setup["specs"]], environment, None, task_group
        )
    except ConfigurationError as error:
        async for request in lines:
            await send_json(stream, {"id": request["id"], "error": str(error)})
        return
    try:
        async for request in lines:
            answer: dict[str, Any] = {"id": request["id"]}
            try:
                answer["result"] = await _perform(host, request)
            except (NymError, OSError) as error:
                answer["error"] = str(error)
            await send_json(stream, answer)
    finally:
        host.close()


_CALLS = frozenset(
    {"ports", "set_names", "set_faults", "set_schedule", "start", "stop", "disconnect", "snapshot"}
)
_READERS: dict[str, Callable[[Any], object]] = {
    "names": lambda names: {NodeAddress.parse(ip, port): name for ip, port, name in names},
    "plan": FaultPlan.from_dict,
    "schedule": lambda schedule: EpochSchedule(**schedule),
}


async def _perform(host: LocalHost, request: dict[str, Any]) -> object:
    """Call the method of the host that is named, with arguments made of their JSON forms."""
    call = request["call"]
    if call not in _CALLS:
        raise ConfigurationError(f"a worker knows no call {call!r}")
    arguments = {
        name: _READERS[name](value) if name in _READERS else value
        for name, value in request.items()
        if name not in ("id", "call")
    }
    result: object = await getattr(host, call)(**arguments)
    return result


if __name__ == "__main__":
    anyio.run(run_worker, int(sys.argv[1]))
