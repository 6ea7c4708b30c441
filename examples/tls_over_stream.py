"""Speaks TLS inside a stream: tls_over_stream.py ENV_FILE ADDRESS HOST_NAME CA_FILE."""

import ssl
import sys

import anyio

from nymproxy import MixnetClient, StreamClient
from nymproxy.stream.tls import connect_tls


async def ask(client: StreamClient, address: str, host: str, trusted: ssl.SSLContext) -> bytes:
    stream = await client.open_stream(address)
    # A certificate that is not trusted is an ssl.SSLError, and closes the stream.
    async with await connect_tls(stream, host, trusted) as tls:
        await tls.send(b"hello through the mixnet")
        return await tls.receive()


async def main(env: str, address: str, host: str, ca_file: str) -> None:
    trusted = ssl.create_default_context(cafile=ca_file)
    # "bare" hides nothing, and is for local networks: leave it out elsewhere.
    async with await MixnetClient.connect(env, profile="bare") as client:
        print(await ask(client, address, host, trusted))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4])
