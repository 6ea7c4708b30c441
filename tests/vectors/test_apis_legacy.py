"""apis.json: ``proxied_message_*``, ``legacy_message_buffer`` and ``framed_read``."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from nymproxy.errors import ChannelFormatError
from nymproxy.legacy.message import Close, Data, ProxiedMessage, Trailer
from tests.legacy.machines import MODERN, OLD, Reader, acceptor, close, data, dialer
from tests.legacy.old_peers import LoopTrace, run_old_loop
from tests.vectors.files import load

APIS = load("apis.json")


def by_name(case: dict[str, Any]) -> str:
    return str(case["name"])


def message_of(case: dict[str, Any]) -> ProxiedMessage:
    message = Data(bytes.fromhex(case["data"])) if case["kind"] == "data" else Close()
    return ProxiedMessage(message, uuid.UUID(case["session_id"]), case["message_id"])


@pytest.mark.parametrize("case", APIS["proxied_message_encode"]["cases"], ids=by_name)
def test_encode(case: dict[str, Any]) -> None:
    message = message_of(case)
    encoded = message.encode()
    assert encoded.hex() == case["encoded"]
    assert len(encoded) == case["encoded_len"]
    assert message.session_id.bytes.hex() == case["session_id_bytes"]
    assert str(message) == case["display"]
    assert ProxiedMessage.decode(encoded) == message


@pytest.mark.parametrize("case", APIS["proxied_message_decode"]["cases"], ids=by_name)
def test_decode(case: dict[str, Any]) -> None:
    encoded = bytes.fromhex(case["input"])
    if not case["ok"]:
        with pytest.raises(ChannelFormatError):
            ProxiedMessage.decode(encoded)
        return
    decoded = ProxiedMessage.decode(encoded)
    expected = message_of(case)
    assert decoded.message == expected.message
    assert decoded.session_id == expected.session_id
    assert decoded.message_id == expected.message_id
    assert decoded.trailer == encoded[len(expected.encode()) :]


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in APIS["proxied_message_decode"]["cases"]
        if case["ok"] and case["input"].endswith("4e59503101")
    ],
    ids=by_name,
)
def test_trailer(case: dict[str, Any]) -> None:
    decoded = ProxiedMessage.decode(bytes.fromhex(case["input"]))
    assert Trailer.find(decoded.trailer) == Trailer(modern=True)


TOLERANCE_MS = 400
TOLERANCE_TICKS = 4
TIMER_DRIFTS_MS = (100, 100.5, 101, 101.5, 102)
"""The timer of the recorded runs drifted by 1 to 2 ms a tick, so what is due in one tick varies."""


@pytest.mark.parametrize("case", APIS["legacy_message_buffer"]["cases"], ids=by_name)
def test_the_model_of_the_old_buffer_behaves_like_the_old_buffer(case: dict[str, Any]) -> None:
    """The tests against old peers are worth what this model is worth."""
    events = [
        (
            event["at_ms"],
            event["message_id"],
            bytes.fromhex(event["data"]) if event["kind"] == "data" else None,
        )
        for event in case["events"]
    ]
    assert any(
        is_same_run(
            run_old_loop(events, side=case["side"], until_ms=case["until_ms"], tick_ms=tick_ms),
            case,
        )
        for tick_ms in TIMER_DRIFTS_MS
    )


def is_same_run(trace: LoopTrace, case: dict[str, Any]) -> bool:
    recorded_close = case["first_reported_close"]
    return (
        is_same_writing(trace, case["writes"])
        and sorted(trace.left_in_buffer) == sorted(case["left_in_buffer"])
        and abs(trace.close_reports - case["ticks_that_reported_close"]) <= TOLERANCE_TICKS
        and is_about(trace.left_at_ms, case["loop_left_at_ms"])
        and is_about(
            trace.first_close and trace.first_close[0], recorded_close and recorded_close["at_ms"]
        )
        and (trace.first_close and trace.first_close[1])
        == (recorded_close and recorded_close["trigger"])
    )


def is_about(at_ms: float | None, recorded_ms: float | None) -> bool:
    if at_ms is None or recorded_ms is None:
        return at_ms is recorded_ms
    return abs(at_ms - recorded_ms) <= TOLERANCE_MS


def is_same_writing(trace: LoopTrace, recorded: list[dict[str, Any]]) -> bool:
    """A run that repeats for ever may be a few ticks longer; nothing else may differ."""
    writes = [(at_ms, data.hex()) for at_ms, data in trace.writes]
    shared = min(len(writes), len(recorded))
    surplus = [data for _, data in writes[shared:]]
    surplus += [write["bytes"] for write in recorded[shared:]]
    return (
        all(
            data == write["bytes"] and is_about(at_ms, write["approx_at_ms"])
            for (at_ms, data), write in zip(writes, recorded, strict=False)
        )
        and len(surplus) <= TOLERANCE_TICKS
        and all(shared and data == writes[shared - 1][1] for data in surplus)
    )


def contiguous(case: dict[str, Any], first_id: int) -> tuple[bytes, bool]:
    """What may come out of a trace: from the first id as far as it goes, the first copy of each;
    and whether a Close was reached."""
    first_of: dict[int, bytes | None] = {}
    for event in case["events"]:
        data = bytes.fromhex(event["data"]) if event["kind"] == "data" else None
        first_of.setdefault(event["message_id"], data)
    received, message_id = b"", first_id
    while message_id in first_of:
        data = first_of[message_id]
        if data is None:
            return received, True
        received += data
        message_id += 1
    return received, False


def has_zero_in_time(case: dict[str, Any]) -> bool:
    """Whether bytes with id 0 came before those with id 1 were given out."""
    for event in case["events"]:
        if event["message_id"] == 1:
            return False
        if event["message_id"] == 0 and event["kind"] == "data" and event["data"]:
            return True
    return False


@pytest.mark.parametrize("case", APIS["legacy_message_buffer"]["cases"], ids=by_name)
@pytest.mark.parametrize("is_modern", [True, False])
def test_what_ours_does_with_the_same_trace(case: dict[str, Any], is_modern: bool) -> None:
    """At once, in order, each id once, and never past a gap.

    A server takes the trace as a session of our own client (ids from 0), and as one of an old
    client (ids from 1, a 0 before them only if it comes before 1); a client counts from 0 always.
    """
    session = MODERN if is_modern else OLD
    is_server = case["side"] == "server"
    reader = Reader(acceptor(session) if is_server else dialer())
    for event in case["events"]:
        if event["kind"] == "data":
            segment = data(event["message_id"], bytes.fromhex(event["data"]), session)
        else:
            segment = close(event["message_id"], session)
        now = event["at_ms"] / 1000
        reader.machine.tick(now)
        reader.take(segment, now)
    counts_from_1 = is_server and not is_modern and not has_zero_in_time(case)
    expected, is_ended = contiguous(case, 1 if counts_from_1 else 0)
    assert reader.received == expected
    assert (reader.end_at is not None) == is_ended
    assert reader.machine.error is None
    last_ms = case["events"][-1]["at_ms"]
    assert all(at <= last_ms / 1000 for at, _ in reader.reads)  # on arrival, never by a timer


@pytest.mark.parametrize("case", APIS["framed_read"]["cases"], ids=lambda case: str(case["writes"]))
def test_any_chunking_of_the_old_client_gives_the_same_bytes(case: dict[str, Any]) -> None:
    """The chunks are cut by socket timing; only that none exceeds 8192 bytes is sure."""
    assert sum(case["chunks"]) == sum(case["writes"])
    assert all(size <= 8192 for size in case["chunks"])
    reader = Reader(acceptor(OLD))
    body = bytes(number % 251 for number in range(sum(case["chunks"])))
    start = 0
    for number, size in enumerate(case["chunks"]):
        reader.take(data(number + 1, body[start : start + size], OLD), 0.0)
        start += size
    assert reader.received == body
