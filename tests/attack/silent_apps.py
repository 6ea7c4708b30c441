"""Apps that connect and say nothing, in a process of its own.

``python -m tests.attack.silent_apps PORT COUNT PER_SECOND SECONDS`` connects so often, as fast as
that, holds what it has for so long, and ends.
"""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack

import anyio


async def main(arguments: list[str]) -> None:
    port, count, rate, seconds = (float(each) for each in arguments)
    print(json.dumps({"count": count}), flush=True)
    began = anyio.current_time()
    async with AsyncExitStack() as stack:
        for number in range(int(count)):
            app = await anyio.connect_tcp("127.0.0.1", int(port))
            stack.push_async_callback(anyio.aclose_forcefully, app)
            await anyio.sleep_until(began + number / rate)
        await anyio.sleep(seconds)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1:])
