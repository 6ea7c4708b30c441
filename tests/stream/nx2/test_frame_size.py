"""How large new frames are, by what became of those before."""

from __future__ import annotations

from nymproxy.stream.nx2.frame_size import LEAST_FRAME_BYTES, MOST_FRAME_BYTES, FrameSize

KIB = 1024


def test_no_limit_where_nothing_gets_lost() -> None:
    size = FrameSize()
    for _ in range(100):
        size.arrived()
    assert size.payload_bytes == MOST_FRAME_BYTES


def test_half_of_what_was_lost_and_never_less_than_what_is_worth_a_frame() -> None:
    size, found = FrameSize(), []
    for _ in range(5):
        size.lost(32 * KIB)
        found.append(size.payload_bytes)
    assert found == [16 * KIB, 8 * KIB, 4 * KIB, 4 * KIB, 4 * KIB]
    size.lost(100)
    assert size.payload_bytes == LEAST_FRAME_BYTES


def test_one_loss_is_forgotten_within_a_megabyte() -> None:
    size, sent = FrameSize(), 0
    size.lost(32 * KIB)
    while size.payload_bytes < 32 * KIB:
        sent += size.payload_bytes
        size.arrived()
    assert sent < 300 * KIB
