"""Messages that were accepted, by lane, until nothing is left to do with them."""

from __future__ import annotations

import pytest

from nymproxy.errors import DeliveryAbandoned
from nymproxy.mixnet.records import DeliveryRecord
from nymproxy.mixnet.traffic import Lane, OutgoingMessage, PacketKind
from nymproxy.mixnet.traffic.open_messages import OpenMessages
from tests.traffic.helpers import ADDRESS

ERROR = DeliveryAbandoned("test")


def message_of(lane: Lane) -> OutgoingMessage:
    return OutgoingMessage(DeliveryRecord(1), PacketKind.DATA, ADDRESS, lane, 2)


@pytest.fixture
def first() -> OutgoingMessage:
    return message_of(1)


@pytest.fixture
def second() -> OutgoingMessage:
    return message_of(1)


@pytest.fixture
def messages(first: OutgoingMessage, second: OutgoingMessage) -> OpenMessages:
    made = OpenMessages()
    for message in (first, second):
        made.add(message)
    return made


def test_what_is_settled_is_forgotten_once(
    messages: OpenMessages, first: OutgoingMessage, second: OutgoingMessage
) -> None:
    for _ in range(2):
        messages.settle(first)
        assert messages.of_lane(1) == [second]
    for _ in range(2):
        messages.settle(second)
        assert messages.of_lane(1) == []
    assert not first.delivery.is_settled


def test_what_is_given_up_fails_and_is_counted_once(
    messages: OpenMessages, first: OutgoingMessage
) -> None:
    for _ in range(2):
        messages.give_up(first, ERROR)
    assert first.delivery.error is ERROR
    assert messages.given_up == {ERROR.code: 1}


def test_all_are_given_up(
    messages: OpenMessages, first: OutgoingMessage, second: OutgoingMessage
) -> None:
    other = message_of(2)
    messages.add(other)
    messages.give_up_all(ERROR)
    assert [each.delivery.error for each in (first, second, other)] == [ERROR] * 3
    assert messages.of_lane(1) == messages.of_lane(2) == []
