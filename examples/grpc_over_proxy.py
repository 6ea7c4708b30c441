"""Calls a gRPC service behind a Nym address: grpc_over_proxy.py ENV_FILE ADDRESS SOCKET."""

import sys

import anyio
import grpc.aio

from nymproxy import NymProxyClient


async def call(proxy: NymProxyClient, socket: str, name: str) -> bytes:
    async with proxy, grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        hello = channel.unary_unary("/greeter.Greeter/Hello")  # or the stub that protoc made
        answer: bytes = await hello(name.encode(), timeout=60)
        return answer


async def main(env: str, address: str, socket: str) -> None:
    # "bare" hides nothing, and is for local networks: leave it out elsewhere.
    proxy = NymProxyClient(address, listen=f"unix:{socket}", env=env, wire="stream", profile="bare")
    print(await call(proxy, socket, "anybody"))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
