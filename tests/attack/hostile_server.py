"""A server that wants all reply SURBs there are, in a process of its own.

``python -m tests.attack.hostile_server ENV_FILE REQUESTS PER_SECOND`` says where it is, waits for a
message with SURBs, asks whoever sent it again and again for 2^32 - 1 of them, and ends.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import anyio

from nymproxy import NetworkDetails
from nymproxy.errors import UsageError
from nymproxy.mixnet.client.message_client import MessageClient
from nymproxy.mixnet.messages import SurbRequest
from nymproxy.mixnet.traffic import PacketKind

if TYPE_CHECKING:
    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.mixnet.machine import ClientMachine

ALL = 2**32 - 1


def request_surbs(
    machine: ClientMachine, tag: SenderTag, amount: int, in_the_name_of: NymAddress
) -> bool:
    """Send a request of any amount in any name, if a SURB is in hand to send it with."""
    correspondent = machine._outbox.replies._correspondents.get(tag)
    surb = correspondent and correspondent.stock.take()
    if not surb:
        return False
    request = SurbRequest(in_the_name_of, amount)
    composed = machine._composer._compose(request, PacketKind.SURB_REQUEST, tag, 0)
    [fragment] = composed.fragments
    fragment.surb = surb
    machine._outbox._lanes.push(0, tag, fragment)
    return True


async def main(arguments: list[str]) -> None:
    env_file, count, rate = arguments
    network = NetworkDetails.from_env_file(env_file)
    if not network.is_localnet:
        raise UsageError("attacks are for localnets")
    async with await MessageClient.connect(network, profile="bare") as client:
        print(json.dumps({"address": str(client.address)}), flush=True)
        tag = (await client.next_message()).sender_tag
        assert tag is not None
        began, sent = anyio.current_time(), 0
        for number in range(int(count)):
            sent += request_surbs(client._machine, tag, ALL, client.address)
            client._changed()
            await anyio.sleep_until(began + number / float(rate))
        print(f"{sent} of {count} requests left", file=sys.stderr)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1:])
