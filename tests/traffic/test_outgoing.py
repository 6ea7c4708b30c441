"""Records of messages on their way: when a delivery is sent, acknowledged, failed."""

from __future__ import annotations

from nymproxy.errors import DeliveryAbandoned
from nymproxy.mixnet.traffic import PacketKind
from tests.traffic.helpers import make_fragment, make_fragments, make_message


def test_a_message_is_sent_with_its_last_packet_and_acknowledged_with_its_last_ack() -> None:
    message = make_message(3)
    fragments = make_fragments(message)
    states = []
    message.delivery.subscribe(lambda d: states.append((d.is_sent, d.is_acknowledged)))
    for fragment in fragments[:2]:
        fragment.mark_left()
        fragment.mark_acknowledged()
    assert states == []
    fragments[2].mark_left()
    assert states == [(True, False)]
    fragments[2].mark_acknowledged()
    assert states == [(True, False), (True, True)]


def test_retransmissions_and_second_acks_do_not_count() -> None:
    message = make_message(2)
    first, second = make_fragments(message)
    first.mark_left()
    first.retransmissions = 1
    first.mark_left()
    assert not message.delivery.is_sent
    first.mark_acknowledged()
    first.mark_acknowledged()
    assert not message.delivery.is_acknowledged
    second.mark_acknowledged()
    assert message.delivery.is_acknowledged


def test_giving_up_makes_every_fragment_done() -> None:
    message = make_message(2)
    fragments = make_fragments(message)
    assert not any(fragment.is_done for fragment in fragments)
    message.give_up(DeliveryAbandoned("given up"))
    assert all(fragment.is_done for fragment in fragments)
    assert isinstance(message.delivery.error, DeliveryAbandoned)


def test_packets_count_by_what_they_are_for() -> None:
    fragment = make_fragment(make_message(kind=PacketKind.REPLY))
    kinds = [fragment.kind]
    fragment.retransmissions = 1
    kinds.append(fragment.kind)
    assert kinds == [PacketKind.REPLY, PacketKind.RETRANSMISSION]


def test_excess_is_what_the_own_delays_do_not_explain() -> None:
    fragment = make_fragment()
    assert fragment.excess_seconds(5.0) == 0.0
    fragment.sent_at, fragment.expected_seconds = 1.0, 0.5
    assert fragment.excess_seconds(1.2) == 0.0
    assert fragment.excess_seconds(2.0) == 0.5
