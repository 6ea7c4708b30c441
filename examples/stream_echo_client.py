"""Sends a line to an echo server, and prints the answer: stream_echo_client.py ENV_FILE ADDRESS."""

import sys

import anyio

from nymproxy import MixnetClient


async def main(env: str, address: str) -> None:
    # "bare" hides nothing, and is for local networks: leave it out elsewhere.
    async with await MixnetClient.connect(env, profile="bare") as client:
        stream = await client.open_stream(address)
        await stream.send(b"hello through the mixnet")
        await stream.send_eof()
        async for data in stream:
            print(data.decode())


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2])
