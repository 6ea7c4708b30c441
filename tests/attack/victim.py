"""A client that speaks with two servers under one identity, in a process of its own.

``python -m tests.attack.victim ENV_FILE PROFILE HONEST HOSTILE`` says where it listens. Each
connection becomes a stream to the honest server; one that begins with ``greet`` has the hostile one
greeted, with SURBs.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketAttribute

from nymproxy import NymAddress
from nymproxy.errors import NymError
from nymproxy.memory_account import MemoryAccount
from nymproxy.stream.client import MixnetClient

if TYPE_CHECKING:
    from anyio.abc import ByteReceiveStream, ByteSendStream, SocketStream

SURBS = 200
MEMORY_BYTES = 16 << 20


async def pump(source: ByteReceiveStream, sink: ByteSendStream) -> None:
    async for data in source:
        await sink.send(data)
    if hasattr(sink, "send_eof"):
        await sink.send_eof()


async def carry(client: MixnetClient, honest: str, hostile: str, app: SocketStream) -> None:
    async with app:
        first = await app.receive()
        if first == b"greet":
            await client._client.send(NymAddress.parse(hostile), b"hello", surbs=SURBS)
            return
        with suppress(NymError, anyio.EndOfStream, anyio.BrokenResourceError):
            async with await client.open_stream(honest) as stream:
                await stream.send(first)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(pump, stream, app)
                    await pump(app, stream)


async def main(arguments: list[str]) -> None:
    env_file, profile, honest, hostile = arguments
    async with await MixnetClient.connect(
        env_file, profile=profile, memory=MemoryAccount(MEMORY_BYTES)
    ) as client:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(SocketAttribute.local_port)
        print(json.dumps({"local_address": f"127.0.0.1:{port}"}), flush=True)
        await listener.serve(partial(carry, client, honest, hostile))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1:])
