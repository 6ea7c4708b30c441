"""Sessions are counted by how they ended."""

from __future__ import annotations

from nymproxy.forward.forwarder import ForwardEnd, ForwardResult
from nymproxy.legacy.session_totals import SessionTotals
from nymproxy.testing import MemoryNetwork
from tests.legacy.proxies import proxies, until


def test_bytes_and_reasons_add_up() -> None:
    totals = SessionTotals()
    totals.add(ForwardResult(ForwardEnd.FINISHED, 3, 4))
    totals.add(ForwardResult(ForwardEnd.FINISHED, 10, 20))
    totals.add(ForwardResult(ForwardEnd.CHANNEL_FAILED, 1, 0))
    assert totals.ended == {"finished": 2, "channel-failed": 1}
    assert (totals.bytes_to_peer, totals.bytes_from_peer) == (14, 24)


async def test_a_proxy_tells_of_running_and_ended_sessions_together() -> None:
    async with MemoryNetwork() as network, proxies(network) as both:
        before = both.client.statistics()
        async with await both.connect() as app:
            await app.send(b"hello")
            assert await app.receive() == b"hello"
            running = both.client.statistics()
        await until(lambda: not both.client.statistics().sessions)
        after, server = both.client.statistics(), both.server.statistics()
    assert (before.sessions, before.sessions_begun, before.bytes_to_peer) == (0, 0, 0)
    assert (running.sessions, running.sessions_begun, running.bytes_to_peer) == (1, 1, 5)
    assert (after.sessions_begun, after.bytes_to_peer, after.bytes_from_peer) == (1, 5, 5)
    assert sum(after.sessions_ended.values()) == 1
    assert (server.sessions_begun, server.bytes_from_peer) == (1, 5)
    assert running.status.is_ready
