"""When a stranger that says nothing is taken for a peer without NX2, and what if it was slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nymproxy.channel.fate import ACKNOWLEDGED, Fate
from nymproxy.errors import DeliveryAbandoned, StreamDataLost, StreamNotSealed
from nymproxy.stream.nx2.kept import MAX_FRAMES_AHEAD
from nymproxy.stream.nx2.link import OPENING_SECONDS
from nymproxy.stream.nx2.patience import VERDICT_SECONDS
from nymproxy.stream.nx2.prefix import MAX_PREFIX_BYTES
from tests.stream.nx2.builders import ADDRESS
from tests.stream.nx2.test_links import End, Pair
from tests.stream.nx2.test_opening import deliver, sealed_link

if TYPE_CHECKING:
    from nymproxy.channel.link import Message
    from nymproxy.errors import NymError


@pytest.fixture
def uploading() -> tuple[Pair, list[Message]]:
    """A stranger's dialer with more to send than goes unsealed; of what it has handed over, nothing
    was acknowledged."""
    pair = Pair(is_known=False)
    pair.dialer.machine.app_wrote(bytes(MAX_PREFIX_BYTES + 1))
    link = pair.dialer.link
    sent: list[Message] = []
    while (message := link.next_message(0.0)) is not None:
        link.handed_over(message, 1, 0.0)
        sent.append(message)
    return pair, sent


def _settled(end: End, sent: list[Message], error: NymError | None = None) -> None:
    fate = ACKNOWLEDGED if error is None else Fate(error=error)
    for message in sent:
        end.link.delivery_changed(message, fate, end.now)


def _plain_after(end: End, limit_seconds: int = 120) -> float:
    """How long it takes until the peer is taken for plain."""
    for seconds in range(limit_seconds):
        if sealed_link(end).is_plain:
            return seconds
        end.pass_time(1.0)
        end.send_at_once()
    raise AssertionError("the peer is still waited for")


def test_time_without_a_gateway_makes_no_stranger_plain() -> None:
    pair = Pair(is_known=False)
    pair.dialer.machine.app_wrote(bytes(MAX_PREFIX_BYTES + 1))
    opening = pair.dialer.send()
    pair.dialer.is_connected = False
    pair.dialer.pass_time(3 * VERDICT_SECONDS)
    assert not sealed_link(pair.dialer).is_plain
    pair.dialer.is_connected = True
    pair.dialer.pass_time(1.0)
    deliver(opening, pair.acceptor)
    pair.settle()
    assert sealed_link(pair.dialer).is_sealed


def test_a_process_that_is_stopped_has_not_waited_for_a_stranger() -> None:
    pair = Pair(is_known=False)
    pair.dialer.machine.app_wrote(bytes(MAX_PREFIX_BYTES + 1))
    opening = pair.dialer.send()
    pair.dialer.pass_time(1.0)
    pair.dialer.table.next_deadline(pair.dialer.now)
    pair.dialer.now += 60.0  # and looked at no clock
    pair.dialer.pass_time(0.0)
    assert not sealed_link(pair.dialer).is_plain
    deliver(opening, pair.acceptor)
    pair.settle()
    assert sealed_link(pair.dialer).is_sealed


def test_a_slow_network_makes_no_stranger_plain(uploading: tuple[Pair, list[Message]]) -> None:
    """Whose gateway has not got the question cannot be told by his silence."""
    pair, sent = uploading
    pair.dialer.pass_time(3 * VERDICT_SECONDS)
    assert not sealed_link(pair.dialer).is_plain
    _settled(pair.dialer, sent)
    deliver(sent, pair.acceptor)
    pair.settle()
    assert sealed_link(pair.dialer).is_sealed
    assert pair.dialer.machine.error is None


def test_a_stranger_is_plain_when_it_says_nothing_to_what_has_arrived(
    uploading: tuple[Pair, list[Message]],
) -> None:
    pair, sent = uploading
    pair.dialer.pass_time(2 * VERDICT_SECONDS)
    _settled(pair.dialer, sent)
    assert _plain_after(pair.dialer) == pytest.approx(VERDICT_SECONDS, abs=5)


def test_what_was_given_up_is_waited_for_no_longer(uploading: tuple[Pair, list[Message]]) -> None:
    pair, sent = uploading
    _settled(pair.dialer, sent, DeliveryAbandoned("given up"))
    assert _plain_after(pair.dialer) == VERDICT_SECONDS
    assert isinstance(pair.dialer.machine.error, StreamDataLost)


def test_nothing_is_waited_for_without_end(uploading: tuple[Pair, list[Message]]) -> None:
    pair, _ = uploading
    assert _plain_after(pair.dialer) == OPENING_SECONDS


def test_an_answer_that_comes_after_the_verdict_says_so(
    uploading: tuple[Pair, list[Message]],
) -> None:
    """Nobody need have altered anything; but what was sent in the clear cannot be made good."""
    pair, sent = uploading
    _settled(pair.dialer, sent)
    assert _plain_after(pair.dialer) == VERDICT_SECONDS
    pair.dialer.pass_time(3.0)
    pair.acceptor.pass_time(pair.dialer.now)
    deliver(sent[:2], pair.acceptor)
    deliver(pair.acceptor.send(), pair.dialer)
    error = pair.dialer.machine.error
    assert isinstance(error, StreamNotSealed)
    assert "after 23 s" in str(error)
    assert pair.dialer.protocol.memory.was_sealed(ADDRESS)


@pytest.mark.parametrize("is_end", [False, True])
def test_as_many_small_messages_as_are_kept_are_no_stall(is_end: bool) -> None:
    """Few bytes, and yet no more can be sent before it is known what the peer is."""
    pair, sent = Pair(is_known=False), 0
    for _ in range(MAX_FRAMES_AHEAD + (not is_end)):
        pair.dialer.machine.app_wrote(b"word")
        sent += sum(message.sequence is not None for message in pair.dialer.send_at_once())
        pair.dialer.now += 0.01  # later messages are not merged with it
    if is_end:
        pair.dialer.machine.app_finished()
    assert (sent, pair.dialer.send_at_once()) == (MAX_FRAMES_AHEAD, [])
    assert _plain_after(pair.dialer) <= VERDICT_SECONDS
    pair.dialer.pass_time(1.0)
    pair.dialer.send_at_once()
    assert pair.dialer.machine.outbound.is_drained


def test_what_a_silent_stranger_cannot_be_given_is_lost_though_little_was_sent() -> None:
    """It was waited for until the stream was idle for half an hour."""
    pair = Pair(is_known=False)
    pair.dialer.machine.app_wrote(b"word")
    link, sent = pair.dialer.link, []
    while (message := link.next_message(0.0)) is not None:
        link.handed_over(message, 1, 0.0)
        sent.append(message)
    _settled(pair.dialer, sent, DeliveryAbandoned("given up"))
    assert pair.dialer.machine.error is None
    assert _plain_after(pair.dialer) == VERDICT_SECONDS
    assert isinstance(pair.dialer.machine.error, StreamDataLost)
