"""One connection through the mixnet: ten messages to an echo service, with pauses between them.

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

LENGTHS = (158, 1088, 505, 1001, 150, 200, 3500, 500, 750, 100)
PAUSE_SECONDS = 5.0
HEADER = struct.Struct("<bQ")  # number and length: a stream of bytes knows no messages
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


async def send_all(app: SocketStream, messages: list[bytes], pause: float) -> None:
    for number, message in enumerate(messages):
        await app.send(HEADER.pack(number, len(message)) + message)
        print(f">> client sent {number}: {len(message)} bytes")
        await anyio.sleep(pause * random.uniform(0.6, 1.4))


async def receive_all(app: SocketStream, messages: list[bytes]) -> bool:
    """Read the echoes; TCP through the mixnet is in order, whatever overtakes what inside."""
    stream = BufferedByteReceiveStream(app)
    for count, expected in enumerate(messages, 1):
        number, length = HEADER.unpack(await stream.receive_exactly(HEADER.size))
        message = await stream.receive_exactly(length)
        print(f"<< client received {number}: {length} bytes")
        print(f":: messages received back: {count}/{len(messages)}")
        if message != expected:
            return False
    return True


async def main(arguments: argparse.Namespace) -> int:
    messages = [os.urandom(length) for length in LENGTHS]
    async with proxy_client(arguments) as (host, port):
        seconds = ANSWER_SECONDS + len(messages) * 1.4 * arguments.pause
        with anyio.move_on_after(seconds):
            async with (
                await anyio.connect_tcp(host, port) as app,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(send_all, app, messages, arguments.pause)
                if await receive_all(app, messages):
                    return 0
        print("!! not every message came back as it was sent")
        return 1


if __name__ == "__main__":
    sys.exit(anyio.run(main, parse_arguments()))
