"""An end that the gateway loses behind its acknowledgement, on a wire where that is all there is.

A client of the legacy wire asks now and then whether its session is there, and hears the end again.
"""

from __future__ import annotations

import anyio
import pytest

from nymproxy.channel import SegmentKind
from nymproxy.channel.mux import ChannelMux
from nymproxy.errors import StreamDataLost
from nymproxy.legacy.codec import LegacyCodec
from nymproxy.legacy.protocol import LegacyProtocol
from nymproxy.testing import (
    MemoryFaults,
    MemoryMessage,
    MemoryNetwork,
    MessageFate,
    MessageKind,
)
from tests.channel.async_pair import run_in_virtual_time

ASKED_SECONDS = 30.0
GAP_SECONDS = 150.0


def losing(*kinds: SegmentKind) -> MemoryFaults:
    """The gateway acknowledges the next reply of each kind, and loses it."""
    left = list(kinds)

    def choose(message: MemoryMessage) -> MessageFate:
        if message.kind is MessageKind.REPLY:
            kind = LegacyCodec().decode(message.payload).kind
            if kind in left:
                left.remove(kind)
                return MessageFate.VANISH
        return MessageFate.DELIVER

    return MemoryFaults(delay_seconds=0.05, choose_fate=choose)


@pytest.mark.parametrize("loses_data", [False, True])
def test_a_lost_end_is_told_again_or_shows_what_else_is_lost(loses_data: bool) -> None:
    """The app waited for half an hour, and was reset then."""
    protocol = LegacyProtocol()

    async def main() -> None:
        async with (
            MemoryNetwork(faults=MemoryFaults(delay_seconds=0.05)) as network,
            ChannelMux(network.endpoint("client"), [protocol], grace_seconds=0) as client,
            ChannelMux(server := network.endpoint("server"), [protocol], grace_seconds=0) as other,
        ):
            listener = other.listen(protocol)
            dialed = await client.open(protocol, server.address)
            await dialed.send(b"question")
            accepted = await listener.accept()
            assert await accepted.receive() == b"question"
            await accepted.send(b"first")
            assert await dialed.receive() == b"first"
            await anyio.sleep(3)
            kinds = (SegmentKind.DATA,) * loses_data
            network.faults = losing(*kinds, SegmentKind.FIN)
            await accepted.send(b"last")
            await accepted.send_eof()
            if not loses_data:
                with anyio.fail_after(ASKED_SECONDS):
                    assert await dialed.receive() == b"last"
                    with pytest.raises(anyio.EndOfStream):
                        await dialed.receive()
            else:
                with anyio.fail_after(GAP_SECONDS), pytest.raises(anyio.BrokenResourceError):
                    await dialed.receive()
                assert isinstance(dialed.error, StreamDataLost)

    run_in_virtual_time(main)
