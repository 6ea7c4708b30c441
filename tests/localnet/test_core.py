"""The node core: keys, replays, delays, and every reason for which a packet ends."""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.localnet.core import (
    SURB_ACK_BYTES,
    Deliver,
    Forward,
    KeyRing,
    PacketProcessor,
)
from nymproxy.localnet.counters import Direction, NodeCounters
from nymproxy.localnet.epochs import EpochSchedule
from nymproxy.localnet.framing import Frame
from nymproxy.localnet.replay import ReplayFilter
from nymproxy.mixnet.sphinx import (
    Hop,
    KeyRotation,
    NodeAddress,
    PacketSize,
    build_header,
    build_packet,
)
from nymproxy.mixnet.sphinx.primitives import x25519_base

DESTINATION = bytes(range(32))
SECOND = 1_000_000_000
LATER = NodeAddress.parse("127.0.0.1", 2002)


def _private_key(rotation_id: int) -> bytes:
    return hashlib.sha256(f"node/{rotation_id}".encode()).digest()


class Node:
    """A node whose clock is set by hand: epoch 10 s, rotation 4 epochs, born in rotation 2."""

    def __init__(self, *, forward: bool = True, final: bool = True) -> None:
        self.schedule = EpochSchedule.starting(0.0, 10.0, 4)
        self.keys = KeyRing(_private_key)
        self.counters = NodeCounters()
        self.processor = PacketProcessor(
            self.keys, self.counters, accepts_forward_hops=forward, accepts_final_hops=final
        )
        self.at(0.0)

    def at(self, unix_time: float) -> None:
        self.keys.update(self.schedule, unix_time)

    def alive(self) -> tuple[int, ...]:
        return self.keys.alive

    def drops(self) -> dict[str, int]:
        drops: dict[str, int] = self.counters.snapshot()["dropped"]
        return drops


def _frame(
    *,
    delay_ns: int = 0,
    hops: int = 2,
    rotation_id: int = 2,
    size: PacketSize = PacketSize.REGULAR,
    plaintext: bytes | None = None,
    marker: KeyRotation | None = None,
) -> Frame:
    """A packet whose first hop is the node above."""
    public_key = x25519_base(_private_key(rotation_id))
    route = [Hop(LATER, public_key)] * hops
    rotation = KeyRotation.from_rotation_id(rotation_id)
    header = build_header(
        route, [delay_ns] * hops, DESTINATION, rotation=rotation, random_bytes=os.urandom
    )
    body = plaintext if plaintext is not None else bytes(size.plaintext_length)
    packet = build_packet(header, body, size)
    return Frame(size, rotation if marker is None else marker, packet)


def _ack_block(address: NodeAddress = LATER) -> bytes:
    return address.pad(19) + b"\x05" * PacketSize.ACK.packet_length


def test_a_forward_hop_keeps_size_and_marker() -> None:
    node = Node()
    outcome = node.processor.process(_frame(delay_ns=15_000_000))
    assert isinstance(outcome, Forward)
    assert outcome.next_hop == LATER.pack()
    assert outcome.delay_seconds == 0.015
    assert outcome.frame.size is PacketSize.REGULAR
    assert outcome.frame.rotation is KeyRotation.EVEN
    assert node.counters.packets(Direction.RECEIVED) == 1


@pytest.mark.parametrize(
    ("delay_ns", "seconds", "clamped"),
    [(0, 0.0, 0), (10 * SECOND, 10.0, 0), (10 * SECOND + 1, 10.0, 1), (2**64 - 1, 10.0, 1)],
)
def test_delays_are_cut_to_ten_seconds(delay_ns: int, seconds: float, clamped: int) -> None:
    node = Node()
    outcome = node.processor.process(_frame(delay_ns=delay_ns))
    assert isinstance(outcome, Forward)
    assert outcome.delay_seconds == seconds
    assert node.counters.snapshot()["events"].get("clamped_delays", 0) == clamped


def test_a_final_hop_gives_message_and_ack() -> None:
    node = Node()
    frame = _frame(hops=1, plaintext=_ack_block().ljust(2048, b"m"))
    outcome = node.processor.process(frame)
    assert isinstance(outcome, Deliver)
    assert outcome.destination == DESTINATION
    assert outcome.message == b"m" * (2048 - SURB_ACK_BYTES)
    assert outcome.ack is not None
    assert outcome.ack.next_hop == LATER.pack()
    assert outcome.ack.frame == Frame(PacketSize.ACK, KeyRotation.EVEN, b"\x05" * 386)
    assert outcome.ack.delay_seconds == 0


def test_an_ack_has_no_ack() -> None:
    outcome = Node().processor.process(_frame(hops=1, size=PacketSize.ACK, plaintext=b"a" * 21))
    assert isinstance(outcome, Deliver)
    assert outcome.message == b"a" * 21
    assert outcome.ack is None


def test_a_replay_is_dropped_whatever_its_payload() -> None:
    node = Node()
    frame = _frame()
    damaged = frame._replace(packet=frame.packet[:-1] + bytes((frame.packet[-1] ^ 1,)))
    assert isinstance(node.processor.process(damaged), Forward)
    assert node.processor.process(frame) is None
    assert node.drops() == {"replayed": 1}


def test_a_damaged_header_does_not_use_the_tag() -> None:
    node = Node()
    frame = _frame()
    damaged = frame._replace(packet=frame.packet[:60] + b"\0\0\0\0" + frame.packet[64:])
    assert node.processor.process(damaged) is None
    assert isinstance(node.processor.process(frame), Forward)
    assert node.drops() == {"malformed": 1}


def test_a_damaged_payload_is_noticed_at_the_end() -> None:
    node = Node()
    frame = _frame(hops=1)
    damaged = frame._replace(packet=frame.packet[:-1] + bytes((frame.packet[-1] ^ 1,)))
    assert node.processor.process(damaged) is None
    assert node.processor.process(frame) is None
    assert node.drops() == {"malformed": 1, "replayed": 1}


def test_a_message_without_room_for_an_ack_is_malformed() -> None:
    node = Node()
    short = _frame(hops=1, size=PacketSize.ACK, plaintext=b"a" * 21)
    assert node.processor.process(short._replace(size=PacketSize.REGULAR)) is None
    assert node.drops() == {"malformed": 1}


def test_an_ack_for_no_address_takes_the_message_with_it() -> None:
    node = Node()
    frame = _frame(hops=1, plaintext=b"\x05".ljust(2048, b"m"))
    assert node.processor.process(frame) is None
    assert node.drops() == {"malformed": 1}


def test_each_kind_of_hop_can_be_refused() -> None:
    mix, gateway = Node(final=False), Node(forward=False)
    assert mix.processor.process(_frame(hops=1)) is None
    assert mix.drops() == {"final_hop_disabled": 1}
    assert gateway.processor.process(_frame()) is None
    assert gateway.drops() == {"forward_disabled": 1}


def test_keys_follow_the_rotation() -> None:
    node = Node()  # Born in epoch 9, the second of rotation 2.
    node.at(0.0)
    assert node.alive() == (2,)
    assert node.processor.process(_frame(rotation_id=3)) is None
    node.at(25.0)  # The last epoch of rotation 2: the next key is announced.
    assert node.alive() == (2, 3)
    assert isinstance(node.processor.process(_frame(rotation_id=3)), Forward)
    node.at(35.0)  # The first epoch of rotation 3: the old key is still good.
    assert node.alive() == (3, 2)
    assert isinstance(node.processor.process(_frame(rotation_id=2)), Forward)
    node.at(45.0)
    assert node.alive() == (3,)
    assert node.processor.process(_frame(rotation_id=2)) is None
    assert node.drops() == {"expired_key": 2}


def test_a_key_keeps_its_replay_filter_from_announcement_to_overlap() -> None:
    node = Node()
    node.at(25.0)
    frame = _frame(rotation_id=3)
    assert isinstance(node.processor.process(frame), Forward)
    node.at(35.0)
    assert node.processor.process(frame) is None
    node.at(45.0)
    assert node.processor.process(frame) is None
    assert node.drops() == {"replayed": 2}


def test_an_unknown_marker_tries_all_keys() -> None:
    node = Node()
    node.at(35.0)
    for rotation_id in (3, 2):
        frame = _frame(rotation_id=rotation_id, marker=KeyRotation.UNKNOWN)
        assert isinstance(node.processor.process(frame), Forward)
        assert node.processor.process(frame) is None
    assert node.processor.process(_frame(rotation_id=7, marker=KeyRotation.UNKNOWN)) is None
    assert node.drops() == {"replayed": 2, "malformed": 1}


def test_a_wrong_marker_finds_no_key() -> None:
    node = Node()
    assert node.processor.process(_frame(marker=KeyRotation.ODD)) is None
    assert node.drops() == {"expired_key": 1}


@given(st.binary(max_size=500), st.sampled_from(KeyRotation))
def test_no_packet_crashes_a_node(packet: bytes, marker: KeyRotation) -> None:
    node = Node()
    assert node.processor.process(Frame(PacketSize.ACK, marker, packet)) is None
    assert sum(node.drops().values()) == 1


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=40))
def test_the_replay_filter_remembers_what_it_promises(tags: list[bytes]) -> None:
    replays = ReplayFilter(generation_size=5)
    recent: list[bytes] = []
    for tag in tags:
        is_new = replays.check_and_set(tag)
        if tag in recent[-5:]:
            assert not is_new
        if is_new:
            recent.append(tag)
        assert len(replays) <= 10
    for tag in recent[-5:]:
        assert not replays.check_and_set(tag)
