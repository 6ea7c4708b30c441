"""Who has an acknowledgement that may go along, for whom, and what takes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nymproxy.address import SenderTag
from nymproxy.channel.link import Message
from nymproxy.channel.riders import Riders

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE, THERE = SenderTag(b"h" * 16), SenderTag(b"t" * 16)


@dataclass(eq=False)
class Link:
    """Has one that rides, or not, and takes all that there are."""

    rides: bool = True

    def bring_along(self, message: Message, others: Iterable[Link], now: float) -> bytes:
        count = 0
        for other in others:
            count += other.rides
            other.rides = False
        return message.payload + b"+" * count


@dataclass(eq=False)
class Driver:
    peer: SenderTag = HERE
    link: Link = field(default_factory=Link)
    changes: int = 0

    def changed(self, now: float) -> None:
        self.changes += 1


def load(riders: Any, driver: Any) -> bytes:
    result: bytes = riders.load(driver, Message(b"message"), 1.0)
    return result


def noted(*drivers: Any) -> Riders:
    riders = Riders()
    for driver in drivers:
        riders.note(driver)
        riders.note(driver)
    return riders


def test_a_message_takes_those_for_its_peer_and_they_are_told() -> None:
    carrier, one, other, elsewhere = Driver(), Driver(), Driver(), Driver(THERE)
    riders = noted(carrier, one, other, elsewhere)
    assert load(riders, carrier) == b"message++"
    assert [each.changes for each in (carrier, one, other, elsewhere)] == [0, 1, 1, 0]
    assert elsewhere.link.rides


def test_what_is_taken_back_or_has_moved_does_not_ride() -> None:
    carrier, one, moved = Driver(link=Link(rides=False)), Driver(), Driver()
    riders = noted(carrier, one, moved)
    one.link.rides, moved.peer = False, THERE
    riders.note(one)  # type: ignore[arg-type]
    riders.note(moved)  # type: ignore[arg-type]
    assert load(riders, carrier) == b"message"
    assert load(riders, Driver(THERE)) == b"message+"


def test_who_has_ended_is_forgotten() -> None:
    one, other = Driver(), Driver()
    riders = noted(one, other)
    for _ in range(2):
        riders.forget(one)  # type: ignore[arg-type]
    assert load(riders, Driver()) == b"message+"
    riders.forget(other)  # type: ignore[arg-type]
    assert not riders._waiting
    assert not riders._peers


def test_one_that_is_not_taken_goes_on_waiting() -> None:
    class Full(Link):
        def bring_along(self, message: Message, others: Iterable[Link], now: float) -> bytes:
            return message.payload

    one = Driver()
    riders = noted(one)
    assert load(riders, Driver(link=Full())) == b"message"
    assert (one.changes, load(riders, Driver())) == (0, b"message+")


def test_no_message_looks_at_more_than_sixteen() -> None:
    drivers = [Driver() for _ in range(40)]
    assert load(noted(*drivers), Driver()) == b"message" + 16 * b"+"
