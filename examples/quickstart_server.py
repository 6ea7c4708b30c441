import sys
from contextlib import suppress

import anyio

from nymproxy import NymProxyServer


async def main() -> None:
    upstream, keys, env = sys.argv[1:]
    # "bare" hides nothing, and is for local networks: leave it out elsewhere.
    server = await NymProxyServer.create(upstream, keys, env, profile="bare")
    print(server.nym_address(), flush=True)
    await server.run()


with suppress(KeyboardInterrupt):  # Ctrl-C is how it ends
    anyio.run(main)
