"""Gets a page of the HTTP service behind a Nym address: httpx_over_stream.py ENV_FILE ADDRESS."""

import sys

import anyio
import httpx

from nymproxy import MixnetClient, StreamClient
from nymproxy.stream.httpx_transport import StreamHTTPTransport


async def fetch(client: StreamClient, address: str) -> str:
    transport = StreamHTTPTransport(client, address)
    async with httpx.AsyncClient(transport=transport, timeout=60) as http:
        response = await http.get("http://service/")  # the name goes into the Host header only
        response.raise_for_status()
        return response.text


async def main(env: str, address: str) -> None:
    # "bare" hides nothing, and is for local networks: leave it out elsewhere.
    async with await MixnetClient.connect(env, profile="bare") as client:
        print(await fetch(client, address))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2])
