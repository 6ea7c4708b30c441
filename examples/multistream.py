"""Several connections at once through the mixnet: four messages on each, to an echo service.

Without arguments everything runs here: a local mixnet, our server, and an echo service behind it.
"""

import argparse
import os
import random
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from nymproxy import NymProxyClient, NymProxyServer
from nymproxy.localnet import Localnet

CONNECTIONS = 4
LENGTHS = (10, 15, 50, 1000)  # small messages, and a larger one at the end
PAUSE_SECONDS = 4.0
HEADER = struct.Struct("<bbQ")  # connection, number and length
ANSWER_SECONDS = 60.0
CLOSING_SECONDS = 10.0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server-address", help="an echo service's proxy server; else our own")
    parser.add_argument("--env", help="env file of the network; mainnet with a server address only")
    parser.add_argument("--pause", type=float, default=PAUSE_SECONDS, help="seconds, on average")
    parser.add_argument("--profile", help="traffic profile: default, fast or bare")
    return parser.parse_args()


async def echo(stream: SocketStream) -> None:
    async with stream:
        with suppress(anyio.BrokenResourceError):  # one that breaks off ends no other
            async for data in stream:
                await stream.send(data)


@asynccontextmanager
async def proxy_client(arguments: argparse.Namespace) -> AsyncIterator[tuple[str, int]]:
    """Run what was not named, and a proxy client; give where it listens."""
    address, env = arguments.server_address, arguments.env
    profile = arguments.profile or "default"
    async with AsyncExitStack() as stack:
        if address is None and env is None:
            localnet = await stack.enter_async_context(Localnet())
            env, profile = str(localnet.env_file), arguments.profile or "bare"
        tasks = await stack.enter_async_context(anyio.create_task_group())
        if address is None:
            listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
            tasks.start_soon(listener.serve, echo)
            upstream = f"127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
            server = await NymProxyServer.create(upstream, None, env, profile=profile)
            await tasks.start(server.run)
            address = server.nym_address()
        client = NymProxyClient(
            address,
            listen_port=0,
            env=env,
            # A server that somebody else has named may be an old one.
            wire="auto" if arguments.server_address else "stream",
            profile=profile,
        )
        await tasks.start(client.run)
        yield client.local_address
        await client.disconnect(grace_seconds=CLOSING_SECONDS)
        tasks.cancel_scope.cancel()


async def send_all(app: SocketStream, connection: int, messages: list[bytes], pause: float) -> None:
    for number, message in enumerate(messages):
        await anyio.sleep(pause * random.uniform(0.6, 1.4))
        await app.send(HEADER.pack(connection, number, len(message)) + message)
        print(f">> client sent msg {number} on conn {connection}")


async def converse(address: tuple[str, int], connection: int, pause: float) -> int:
    """Use one connection, which has a mixnet identity of its own; count what came back."""
    messages = [os.urandom(length) for length in LENGTHS]
    received = 0
    async with await anyio.connect_tcp(*address) as app, anyio.create_task_group() as tasks:
        tasks.start_soon(send_all, app, connection, messages, pause)
        stream = BufferedByteReceiveStream(app)
        for number, message in enumerate(messages):
            header = await stream.receive_exactly(HEADER.size)
            echoed = await stream.receive_exactly(len(message))
            if (header, echoed) == (HEADER.pack(connection, number, len(message)), message):
                received += 1
                print(f"<< conn {connection} received {received}/{len(messages)}")
    return received


async def main(arguments: argparse.Namespace) -> int:
    counts = []

    async def run(address: tuple[str, int], connection: int) -> None:
        counts.append(await converse(address, connection, arguments.pause))

    async with proxy_client(arguments) as address:
        seconds = ANSWER_SECONDS + (CONNECTIONS + len(LENGTHS)) * 1.4 * arguments.pause
        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as tasks:
                for connection in range(CONNECTIONS):
                    tasks.start_soon(run, address, connection)
                    await anyio.sleep(arguments.pause * random.uniform(0.6, 1.4))
    if counts == [len(LENGTHS)] * CONNECTIONS:
        return 0
    print("!! not every message came back as it was sent")
    return 1


if __name__ == "__main__":
    sys.exit(anyio.run(main, parse_arguments()))
