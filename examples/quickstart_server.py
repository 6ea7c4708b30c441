import sys

import anyio

from nymproxy import NymProxyServer


async def main() -> None:
    upstream, keys, env = sys.argv[1:]
    server = await NymProxyServer.create(upstream, keys, env)
    print(server.nym_address(), flush=True)
    await server.run()


anyio.run(main)
