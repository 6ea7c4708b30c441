"""Answers every stream with what it brings: stream_echo_server.py ENV_FILE KEYS_DIRECTORY."""

import sys
from contextlib import suppress

import anyio

from nymproxy import MixnetClient, MixnetStream


async def echo(stream: MixnetStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send(data)


async def main(env: str, keys: str) -> None:
    # "bare" hides nothing, and is for local networks: leave it out elsewhere.
    async with await MixnetClient.connect(env, storage=keys, profile="bare") as client:
        print(client.address, flush=True)
        await client.listener().serve(echo)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # Ctrl-C is how it ends
        anyio.run(main, sys.argv[1], sys.argv[2])
