"""The unsealed beginning: handed out in order, its ends and all after it only with a SEAL."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.stream.nx2.prefix import (
    MAX_PREFIX_BYTES,
    MAX_PREFIX_FRAMES,
    PrefixDigest,
    PrefixGate,
    PrefixState,
)
from tests.vectors.test_nx2 import STREAMS


def data(sequence: int, payload: bytes = b"x") -> StreamFrame:
    return StreamFrame(5, MessageType.DATA, sequence, payload)


def digest_of(*frames: StreamFrame) -> bytes:
    digest = PrefixDigest()
    for frame in frames:
        digest.add(frame.message_type, frame.payload)
    return digest.value()


@pytest.mark.parametrize("stream", STREAMS)
def test_the_digest_is_the_vector_files(stream: dict[str, Any]) -> None:
    _, *items = stream["seals"][0]["items"]  # the Open is in every digest
    frames = [
        StreamFrame(5, MessageType(kind), sequence, bytes.fromhex(payload))
        for kind, sequence, payload in items
    ]
    assert digest_of(*frames).hex() == stream["seals"][0]["fields"][:64]


def test_data_comes_out_in_order_before_the_seal() -> None:
    gate = PrefixGate()
    assert gate.receive(data(1, b"b")) == []
    assert gate.receive(data(0, b"a")) == [data(0, b"a"), data(1, b"b")]
    assert gate.receive(data(0, b"other")) == []
    assert gate.next_sequence == 2
    assert gate.seal(2, digest_of(data(0, b"a"), data(1, b"b"))) == []
    assert gate.state is PrefixState.SEALED
    assert gate.receive(data(2)) == []


@pytest.mark.parametrize("end", [data(1, b""), StreamFrame(5, MessageType.FIN, 1)])
def test_an_end_waits_for_the_seal(end: StreamFrame) -> None:
    gate = PrefixGate()
    assert gate.receive(end) == []
    assert gate.receive(data(0)) == [data(0)]
    assert gate.seal(2, digest_of(data(0), end)) == [end]


def test_a_seal_waits_for_what_it_covers() -> None:
    gate = PrefixGate()
    assert gate.seal(2, digest_of(data(0), data(1))) == []
    assert gate.state.value == "incomplete"
    assert gate.receive(data(1)) == []
    assert gate.receive(data(0)) == [data(0), data(1)]
    assert gate.state.value == "sealed"


def test_altered_data_is_noticed() -> None:
    gate = PrefixGate()
    gate.receive(data(0, b"altered"))
    assert gate.seal(1, digest_of(data(0, b"sent"))) == []
    assert gate.state is PrefixState.ALTERED


def test_data_in_an_end_s_place_is_noticed() -> None:
    gate = PrefixGate()
    gate.receive(StreamFrame(5, MessageType.FIN, 0, b"sent"))
    gate.seal(1, digest_of(data(0, b"sent")))
    assert gate.state is PrefixState.ALTERED


def test_a_forged_frame_behind_the_seal_is_dropped_or_noticed() -> None:
    waits, handed_out = PrefixGate(), PrefixGate()
    waits.receive(data(2, b"forged"))
    assert waits.receive(data(0)) == [data(0)]
    waits.seal(2, digest_of(data(0), data(1)))
    assert waits.receive(data(1)) == [data(1)]
    assert waits.state is PrefixState.SEALED
    handed_out.receive(data(0))
    assert handed_out.receive(data(1, b"forged")) == [data(1, b"forged")]
    handed_out.seal(1, digest_of(data(0)))
    assert handed_out.state is PrefixState.ALTERED


def test_more_than_a_dialer_sends_was_forged() -> None:
    gate = PrefixGate()
    assert gate.receive(data(1, bytes(MAX_PREFIX_BYTES))) == []
    assert gate.kept_bytes == MAX_PREFIX_BYTES
    assert gate.receive(data(0, b"x")) == []
    assert gate.state.value == "altered"
    gate = PrefixGate()
    gate.receive(data(MAX_PREFIX_FRAMES))
    assert gate.state.value == "altered"


@given(
    st.lists(st.binary(max_size=3), max_size=8),
    st.permutations(range(16)),
    st.integers(0, 8),
    st.data(),
)
def test_all_or_the_beginning_and_altered(
    payloads: list[bytes], order: list[int], seal_after: int, draw: st.DataObject
) -> None:
    """Whatever the order, copies, forged frames and the time of the SEAL."""
    sent = [data(sequence, payload) for sequence, payload in enumerate(payloads)]
    forged = draw.draw(st.lists(st.builds(data, st.integers(0, 10), st.binary(max_size=3))))
    arrivals = [*sent, *forged]
    arrivals = [arrivals[each % len(arrivals)] for each in order] if arrivals else []
    gate, out = PrefixGate(), []
    for index, frame in enumerate(arrivals):
        if index == seal_after:
            out += gate.seal(len(sent), digest_of(*sent))
        out += gate.receive(frame)
    for frame in sent:
        out += gate.receive(frame)
    out += gate.seal(len(sent), digest_of(*sent))
    if gate.state is PrefixState.ALTERED:
        assert forged
    else:
        assert gate.state is PrefixState.SEALED
        assert out == sent
