"""nodes.json: ``sizes``, ``rotations``, ``header_checks`` and ``hops``, through the node's code.

``noise`` is for nodes whose peers announce noise keys; a localnet on one machine announces none.
"""

from __future__ import annotations

from typing import Any

import pytest

from nymproxy.errors import MalformedDataError, SphinxError
from nymproxy.localnet.core import Deliver, Forward, KeyRing, PacketProcessor
from nymproxy.localnet.counters import DropReason, NodeCounters
from nymproxy.localnet.epochs import EpochSchedule
from nymproxy.localnet.framing import FrameDecoder, FrameVersion, encode_frame, parse_header
from nymproxy.mixnet.sphinx import KeyRotation, NodeAddress, PacketSize, partially_unwrap
from tests.vectors.files import load

VECTORS = load("nodes.json")


def _address(text: str) -> NodeAddress:
    host, _, port = text.rpartition(":")
    return NodeAddress.parse(host.strip("[]"), int(port))


def _processor(private_key: str, rotation: int, counters: NodeCounters) -> PacketProcessor:
    """Return a node that has only the given key, in a rotation that the marker fits."""
    keys = KeyRing(lambda _: bytes.fromhex(private_key))
    rotation_id = 3 if rotation == KeyRotation.ODD else 2
    keys.update(EpochSchedule(0.0, rotation_id * 24 + 1), 0.0)
    return PacketProcessor(keys, counters, accepts_forward_hops=True, accepts_final_hops=True)


@pytest.mark.parametrize("case", VECTORS["sizes"], ids=lambda case: case["name"])
def test_sizes(case: dict[str, Any]) -> None:
    size = PacketSize.from_tag(case["tag"])
    assert size.packet_length == case["size"]
    assert size.payload_length == case["payload"]
    assert size.plaintext_length == case["plaintext"]
    assert PacketSize.from_packet_length(case["size"]) is size


@pytest.mark.parametrize("case", VECTORS["rotations"], ids=lambda case: str(case["id"]))
def test_rotations(case: dict[str, Any]) -> None:
    assert KeyRotation.from_rotation_id(case["id"]) == case["byte"]


@pytest.mark.parametrize("case", VECTORS["header_checks"], ids=lambda case: case["bytes"][:8])
def test_header_checks(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["bytes"])
    decoder = FrameDecoder()
    frames = decoder.receive_data(data)
    if case["result"].startswith("error"):
        assert decoder.error is not None
        with pytest.raises(MalformedDataError):
            decoder.receive_data(b"")
    else:
        assert decoder.error is None
        assert len(frames) == (1 if case["result"] == "frame" else 0)
        assert parse_header(data) is None or len(data) >= 3


def _follow(
    steps: list[dict[str, Any]], nodes: list[dict[str, Any]], version: FrameVersion
) -> Deliver:
    """Send the first frame through all nodes, each frame the output of the one before."""
    outgoing: bytes | None = None
    for step in steps:
        node = nodes[step["node"]]
        frame_in = bytes.fromhex(step["frame_in"])
        assert outgoing in (None, frame_in)
        counters = NodeCounters()
        (frame,) = FrameDecoder().receive_data(frame_in)
        processor = _processor(node["sphinx_private"], frame.rotation, counters)
        partial = partially_unwrap(frame.packet, bytes.fromhex(node["sphinx_private"]))
        assert partial.replay_tag.hex() == step["replay_tag"]
        assert f"sphinx-{partial.finish().version}" == step["sphinx_version"]

        outcome = processor.process(frame)
        assert processor.process(frame) is None
        assert counters.dropped(DropReason.REPLAYED) == 1
        if step["kind"] == "final":
            assert isinstance(outcome, Deliver)
            return outcome
        assert isinstance(outcome, Forward)
        assert NodeAddress.unpack(outcome.next_hop)[0] == _address(step["next_hop"])
        assert round(outcome.delay_seconds * 1e9) == min(step["delay_ns"], 10_000_000_000)
        outgoing = encode_frame(outcome.frame, version)
    pytest.fail("the last step is no final hop")


@pytest.mark.parametrize("case", VECTORS["hops"], ids=lambda case: case["description"])
def test_hops(case: dict[str, Any]) -> None:
    version = FrameVersion(case["frame_version"])
    outcome = _follow(case["steps"], case["nodes"], version)
    last = case["steps"][-1]
    assert outcome.destination.hex() == last["destination"]
    assert outcome.message.hex() == last["message"]
    if last.get("ack") is None:
        assert outcome.ack is None
        return
    assert outcome.ack is not None
    assert NodeAddress.unpack(outcome.ack.next_hop)[0] == _address(last["ack"]["next_hop"])
    assert encode_frame(outcome.ack.frame, version).hex() == last["ack"]["frame"]
    assert case["ack_steps"][0]["frame_in"] == last["ack"]["frame"]
    ack = _follow(case["ack_steps"], case["ack_nodes"], version)
    assert ack.destination.hex() == case["ack_steps"][-1]["destination"]
    assert ack.message.hex() == case["ack_steps"][-1]["message"]


@pytest.mark.parametrize("case", VECTORS["hops"], ids=lambda case: case["description"])
def test_node_address_fields(case: dict[str, Any]) -> None:
    for node in case["nodes"] + (case.get("ack_nodes") or []):
        field = bytes.fromhex(node["address_field"])
        assert _address(node["address"]).pad(32) == field
        assert NodeAddress.unpack(field)[0] == _address(node["address"])


def test_an_unknown_size_is_a_sphinx_error() -> None:
    with pytest.raises(SphinxError):
        PacketSize.from_tag(6)
