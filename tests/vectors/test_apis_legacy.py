"""apis.json: ``proxied_message_*``, ``legacy_message_buffer`` and ``framed_read``."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from nymproxy.errors import ChannelFormatError
from nymproxy.legacy.message import Close, Data, ProxiedMessage, ServerTrailer
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
    assert ServerTrailer.find(decoded.trailer) == ServerTrailer(modern=True)


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
