"""A whole network in one process: packets from client to client, and their acknowledgements."""

from __future__ import annotations

import anyio

from nymproxy.localnet import Localnet, LocalnetConfig
from nymproxy.mixnet.gateway.responses import SendResponse
from tests.localnet.client import ack_block, connected, packet_to, routes

ACK = b"acknowledgement 21 b."


async def test_a_message_arrives_and_is_acknowledged() -> None:
    async with Localnet(LocalnetConfig(seed=1)) as localnet:
        via = await routes(localnet)
        async with connected(localnet, 0) as alice, connected(localnet, 1) as bob:
            with anyio.fail_after(5):
                sent = await alice.forward(
                    packet_to(via, bob, b"hello", ack_block(via, alice, ACK), delay_ns=1_000_000)
                )
                assert isinstance(sent, SendResponse)
                assert sent.remaining_bandwidth == 64 * 1024**3 - 2413
                assert (await bob.message()).rstrip(b"\0") == b"hello"
                assert await alice.message() == ACK
        counters = await localnet.counters()
    nodes = counters["nodes"]
    assert nodes["gateway-0"]["from_client"] == {"regular": {"packets": 1, "bytes": 2413}}
    for mix in ("mix-1-0", "mix-2-0", "mix-3-0"):
        assert nodes[mix]["forwarded"]["regular"]["packets"] == 1
        assert nodes[mix]["forwarded"]["ack"]["packets"] == 1
    assert nodes["gateway-1"]["acks_released"]["ack"]["packets"] == 1
    assert nodes["gateway-0"]["pushed"] == {"ack": {"packets": 1, "bytes": 386}}
    assert counters["total"]["dropped"] == {}
