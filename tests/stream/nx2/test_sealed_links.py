"""Streams that have their keys: what is lost behind acknowledgements, or comes after the end."""

from __future__ import annotations

import pytest

from nymproxy.channel.fate import ACKNOWLEDGED, Fate
from nymproxy.errors import (
    ClientDisconnected,
    DeliveryAbandoned,
    ResetCode,
    StreamDataLost,
    StreamReset,
)
from nymproxy.stream.codec import MessageType
from nymproxy.stream.nx2.kept import STALLED_SECONDS
from tests.stream.nx2.test_links import SENDER, Pair, type_of
from tests.stream.nx2.test_opening import deliver, flipped, text, until_the_seal


def settled_pair() -> Pair:
    pair = Pair()
    pair.settle()
    return pair


def test_a_sealed_message_that_the_packet_level_gave_up_is_sent_again() -> None:
    pair = settled_pair()
    pair.dialer.machine.app_wrote(b"data")
    link, now = pair.dialer.link, pair.dialer.now
    message = link.next_message(now)
    assert message is not None
    link.handed_over(message, 1, now)
    lost = DeliveryAbandoned("given up")
    link.delivery_changed(message, Fate(error=lost), now)
    assert pair.dialer.machine.error is None
    pair.dialer.pass_time(2.0)
    (again,) = pair.dialer.send()
    assert again.payload == message.payload
    pair.acceptor.take(again.payload, SENDER)
    assert text(pair.acceptor) == b"data"


def test_a_sealed_message_that_fails_with_its_client_is_sent_again() -> None:
    """By the client that takes its place; without one, the transport's end ends the stream."""
    pair = settled_pair()
    pair.dialer.machine.app_wrote(b"data")
    link, now = pair.dialer.link, pair.dialer.now
    message = link.next_message(now)
    assert message is not None
    gone = ClientDisconnected("the client has ended")
    link.handed_over(message, 1, now)
    link.delivery_changed(message, Fate(error=gone), now)
    assert pair.dialer.machine.error is None
    pair.dialer.pass_time(2.0)
    assert [each.payload for each in pair.dialer.send()] == [message.payload]


def test_what_nothing_acknowledges_for_five_minutes_is_an_error() -> None:
    """The peer is alive, and says so; but a gateway swallows all data."""
    pair = settled_pair()
    pair.dialer.machine.app_wrote(b"data")
    wrote_at = pair.dialer.now
    while pair.dialer.machine.error is None and pair.dialer.now < wrote_at + 400:
        asks = [each for each in pair.dialer.send() if type_of(each) is MessageType.ASK]
        deliver(asks, pair.acceptor)
        deliver(pair.acceptor.send(), pair.dialer)
        pair.dialer.pass_time(1.0)
        pair.acceptor.pass_time(1.0)
    assert isinstance(pair.dialer.machine.error, StreamDataLost)
    assert pair.dialer.now - wrote_at == pytest.approx(STALLED_SECONDS, abs=1.0)


def ended_at_the_acceptor() -> tuple[Pair, bytes]:
    """A stream that both ends finished, of which the acceptor knows nothing any more; its SEAL."""
    pair, (seal, *data) = until_the_seal()
    deliver([seal, *data], pair.acceptor)
    for end in (pair.dialer, pair.acceptor):
        end.machine.app_finished()
    pair.settle()
    assert text(pair.acceptor) == b"prefix, sealed"
    assert pair.acceptor.link.is_over
    (key,) = pair.acceptor.table.links
    pair.acceptor.table.remove(key, SENDER, pair.acceptor.now)
    return pair, seal.payload


def test_a_seal_that_comes_after_the_end_is_answered_once_a_second() -> None:
    pair, seal = ended_at_the_acceptor()
    pair.acceptor.take(seal, SENDER)
    pair.acceptor.take(seal, SENDER)
    (answer,) = pair.acceptor.send()
    assert type_of(answer) is MessageType.ACK
    pair.acceptor.now += 1.0
    pair.acceptor.take(seal, SENDER)
    (second,) = pair.acceptor.send()
    assert second.payload != answer.payload  # a new counter
    pair.dialer.take(second.payload, None)
    pair.dialer.take(answer.payload, None)
    assert pair.dialer.machine.error is None


def test_what_does_not_verify_after_the_end_is_not_answered() -> None:
    pair, seal = ended_at_the_acceptor()
    unsealed = bytearray(seal)
    unsealed[10], unsealed[15] = MessageType.PROBE, 0xAB
    for payload in (flipped(seal), bytes(unsealed)):
        pair.acceptor.take(payload, SENDER)
        assert pair.acceptor.send() == []


def test_frames_that_are_cut_anywhere_are_dropped_and_the_whole_one_counts() -> None:
    pair = settled_pair()
    pair.dialer.machine.app_wrote(b"whole")
    (data,) = pair.dialer.send()
    pair.dialer.pass_time(4.0)
    (probe,) = (each for each in pair.dialer.send() if type_of(each) is MessageType.PROBE)
    for frame in (data, probe):
        for length in range(len(frame.payload)):
            pair.acceptor.take(frame.payload[:length], SENDER)
    assert pair.acceptor.machine.error is None
    assert (text(pair.acceptor), pair.acceptor.send()) == (b"", [])
    deliver([data, probe], pair.acceptor)
    assert text(pair.acceptor) == b"whole"
    assert [type_of(message) for message in pair.acceptor.send()] == [MessageType.ACK]


def test_a_copy_that_waits_for_the_transport_while_its_frame_is_acknowledged_is_forgotten() -> None:
    pair = settled_pair()
    pair.dialer.machine.app_wrote(b"data")
    link, now = pair.dialer.link, pair.dialer.now
    message = link.next_message(now)
    assert message is not None
    pair.acceptor.take(message.payload, SENDER)
    link.handed_over(message, 1, now)
    lost = DeliveryAbandoned("given up")  # though it came
    link.delivery_changed(message, Fate(error=lost), now)
    pair.dialer.pass_time(2.0)
    copy = link.next_message(pair.dialer.now)
    assert copy is not None
    pair.acceptor.pass_time(3.0)
    deliver(pair.acceptor.send(), pair.dialer)
    link.handed_over(copy, 1, pair.dialer.now)
    link.delivery_changed(copy, ACKNOWLEDGED, pair.dialer.now)
    pair.dialer.pass_time(10.0)
    assert pair.dialer.send() == []
    assert pair.dialer.link.next_deadline(pair.dialer.now) > pair.dialer.now


@pytest.mark.parametrize("waits", [False, True], ids=["before the seal", "and the seal first"])
def test_who_writes_what_nobody_reads_any_more_is_told_at_once(waits: bool) -> None:
    """Also a stranger whose first frames, or whose SEAL, come when the acceptor has closed."""
    pair = Pair(is_known=False)
    deliver(pair.dialer.send(), pair.acceptor)
    pair.dialer.machine.app_wrote(b"413?")
    late = pair.dialer.send()
    pair.acceptor.machine.app_closed()
    ended = pair.acceptor.send()
    deliver(ended, pair.dialer)
    pair.dialer.pass_time(0.25)
    assert [type_of(each) for each in pair.dialer.send()] == [MessageType.SEAL]  # and is lost
    deliver(ended, pair.dialer)
    pair.dialer.pass_time(1.0)
    deliver(pair.dialer.send(), pair.acceptor)  # that the end has come
    assert pair.acceptor.link.is_over
    pair.dialer.pass_time(3.0)
    (seal,) = (each for each in pair.dialer.send() if type_of(each) is MessageType.SEAL)
    (key,) = pair.acceptor.table.links
    pair.acceptor.table.remove(key, SENDER, pair.acceptor.now)
    deliver([seal, *late] if waits else [*late, seal], pair.acceptor)
    answers = sorted(pair.acceptor.send(), key=type_of)
    assert [type_of(each) for each in answers] == [MessageType.RESET, MessageType.ACK]
    deliver(answers, pair.dialer)
    error = pair.dialer.machine.error
    assert isinstance(error, StreamReset)
    assert error.reset_code is ResetCode.UNKNOWN_STREAM


def test_data_in_a_seal_that_comes_when_nobody_reads_any_more_is_answered_by_a_reset() -> None:
    pair = Pair(is_known=False)
    deliver(pair.dialer.send(), pair.acceptor)
    pair.acceptor.machine.app_closed()
    ended = pair.acceptor.send()
    deliver(ended, pair.dialer)
    pair.dialer.machine.app_wrote(b"nobody reads this")
    (seal,) = pair.dialer.send_at_once()
    deliver(ended, pair.dialer)
    pair.dialer.pass_time(1.0)
    deliver(pair.dialer.send(), pair.acceptor)  # an ACK, which overtakes the SEAL
    assert pair.acceptor.link.is_over
    (key,) = pair.acceptor.table.links
    pair.acceptor.table.remove(key, SENDER, pair.acceptor.now)
    deliver([seal], pair.acceptor)
    (answer,) = pair.acceptor.send()
    deliver([answer], pair.dialer)
    error = pair.dialer.machine.error
    assert isinstance(error, StreamReset)
    assert error.reset_code is ResetCode.UNKNOWN_STREAM
