"""Sessions are counted by how they ended."""

from __future__ import annotations

from nymproxy.forward.forwarder import ForwardEnd, ForwardResult
from nymproxy.legacy.session_totals import SessionTotals


def test_bytes_and_reasons_add_up() -> None:
    totals = SessionTotals()
    totals.add(ForwardResult(ForwardEnd.FINISHED, 3, 4))
    totals.add(ForwardResult(ForwardEnd.FINISHED, 10, 20))
    totals.add(ForwardResult(ForwardEnd.CHANNEL_FAILED, 1, 0))
    assert totals.ended == {"finished": 2, "channel-failed": 1}
    assert (totals.bytes_to_peer, totals.bytes_from_peer) == (14, 24)
