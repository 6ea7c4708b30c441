"""What a table does with what a protocol's links decide, and with machines that fail."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from nymproxy.address import NymAddress, SenderTag
from nymproxy.channel import ChannelCodec, ChannelId, Segment, SegmentKind
from nymproxy.channel.failures import ChannelFault
from nymproxy.channel.limits import TableLimits
from nymproxy.channel.link import Admission, ChannelLink, Linker, Stray
from nymproxy.channel.orphans import OrphanLimits
from nymproxy.channel.segment import ChannelKey
from nymproxy.channel.table import ChannelTable
from nymproxy.errors import ResetCode, StreamReset
from nymproxy.stream.codec import StreamCodec
from nymproxy.stream.protocol import StreamProtocol
from tests.channel.builders import ADDRESS, ID, OTHER_TAG, TAG, data, fin, open_segment

if TYPE_CHECKING:
    from nymproxy.channel.link import LinkContext
    from nymproxy.channel.listening import Listener
    from nymproxy.channel.machine import ChannelMachine

CODEC = StreamCodec()
KEY = ChannelKey("stream", TAG, ID)


class Link(ChannelLink):
    """A link that is acceptable only when the peer has sent a second message, and may fail."""

    is_confirmed = False

    @property
    def is_acceptable(self) -> bool:
        return self.is_confirmed

    def segment_received(self, segment: Segment, now: float) -> None:
        if segment.payload == b"fail":
            raise ZeroDivisionError
        self.is_confirmed = True
        super().segment_received(segment, now)


class Decisions(Linker):
    """Links that wait to be confirmed; whom it admits, and how it refuses, says the test."""

    admission = Admission.TAKE
    words: list[bytes] | None = None

    def __init__(self, codec: ChannelCodec) -> None:
        super().__init__(codec)
        self.accepted: list[Segment] = []
        self.asked: list[Stray] = []

    def admit(self, segment: Segment, tag: SenderTag, now: float) -> Admission:
        return self.admission

    def accept(
        self, machine: ChannelMachine, segment: Segment, tag: SenderTag, now: float
    ) -> ChannelLink:
        if segment.payload == b"fail":
            raise ZeroDivisionError
        self.accepted.append(segment)
        machine.opened_by(segment, now)
        return Link(machine, self._codec)

    def peer_segment_received(
        self, segment: Segment, tag: SenderTag | None, given_to: NymAddress | None, now: float
    ) -> None:
        assert tag is not None
        self.asked.append(Stray(tag, segment.payload))

    def take_strays(self, now: float) -> list[Stray]:
        taken, self.asked = self.asked, []
        return taken

    def refuse(self, segment: Segment, tag: SenderTag) -> list[bytes] | None:
        return self.words


@dataclass(frozen=True, slots=True)
class Protocol(StreamProtocol):
    """Streams with the links of :class:`Decisions`, or plain ones."""

    decisions: Decisions | None = None

    def linker(self, context: LinkContext | None) -> Linker:
        return self.decisions or Linker(self.codec)


class _Implicit(Protocol):
    """Every numbered message may be the first."""

    opens_explicitly: ClassVar[bool] = False

    def opens(self, segment: Segment) -> bool:
        return segment.is_numbered


class Desk:
    """A table with a clock of zero, and a listener unless the test makes its own."""

    def __init__(self, *, is_plain: bool = False, listens: bool = True, **limits: Any) -> None:
        self.decisions = Decisions(CODEC)
        self.protocol = Protocol(decisions=None if is_plain else self.decisions)
        self.drawn = random.Random(1).randbytes
        self.table = ChannelTable(
            [self.protocol], random_bytes=lambda n: self.drawn(n), limits=TableLimits(**limits)
        )
        self.listener: Listener | None = None
        if listens:
            self.listener = self.table.listen(self.protocol, 8, 0.0)

    def receive(self, segment: Segment, tag: SenderTag | None = TAG, now: float = 0.0) -> object:
        return self.table.message_received(CODEC.encode(segment), tag, now)

    def accept(self) -> ChannelKey | None:
        assert self.listener is not None
        return self.table.accept(self.listener)

    def resets(self) -> list[ResetCode]:
        taken = [CODEC.decode(stray.payload).reset_code for stray in self.table.strays]
        self.table.strays.clear()
        return taken


class TestConfirming:
    def test_a_channel_is_shown_when_its_link_says_so_and_once(self) -> None:
        desk = Desk()
        desk.receive(open_segment())
        assert desk.accept() is None
        desk.receive(data(0))
        desk.receive(data(1))
        assert [desk.accept(), desk.accept()] == [KEY, None]

    def test_what_is_not_confirmed_when_the_listener_is_closed_is_refused(self) -> None:
        """A stranger's opening without the rest let a server that was stopped wait for 5 s."""
        desk = Desk()
        assert desk.listener is not None
        desk.receive(open_segment(shows=True))
        assert desk.table.close_listener(desk.listener, 0.0) == [KEY]
        desk.receive(data(0, shows=True))
        outgoing = desk.table.channels[KEY].next_outgoing(0.0)
        assert outgoing is not None
        assert outgoing.segment.reset_code is ResetCode.REFUSED
        assert not desk.listener.waiting

    def test_of_channels_that_are_not_confirmed_the_oldest_goes_for_one_too_many(self) -> None:
        """They counted for the backlog, so that anybody could have all others refused."""
        desk = Desk(listens=False, channels=4)
        desk.listener = desk.table.listen(desk.protocol, 1, 0.0)
        others = [OTHER_TAG, SenderTag(bytes(16))]
        for tag in (TAG, *others):
            assert desk.receive(open_segment(shows=True), tag) is not None
        assert desk.table.counters["unconfirmed"] == 2
        assert desk.table.take_changed() == [
            desk.table.links[KEY],
            desk.table.links[KEY._replace(tag=OTHER_TAG)],
        ]
        outgoing = desk.table.channels[KEY].next_outgoing(0.0)
        assert outgoing is not None
        assert outgoing.segment.reset_code is ResetCode.REFUSED
        desk.receive(data(0, shows=True))
        assert desk.accept() is None
        desk.receive(data(0, shows=True), others[1])
        assert desk.accept() == KEY._replace(tag=others[1])

    def test_what_is_confirmed_when_no_more_may_wait_is_refused(self) -> None:
        desk = Desk(listens=False)
        desk.listener = desk.table.listen(desk.protocol, 1, 0.0)
        for tag in (TAG, OTHER_TAG):
            desk.receive(open_segment(shows=True), tag)
        for tag in (TAG, OTHER_TAG):
            desk.receive(data(0, shows=True), tag)
        assert desk.receive(open_segment(shows=True), SenderTag(bytes(16))) is None
        assert desk.table.counters["refused-backlog-full"] == 1
        error = desk.table.channels[KEY._replace(tag=OTHER_TAG)].error
        assert isinstance(error, StreamReset)
        assert error.reset_code is ResetCode.REFUSED
        desk.table.remove(KEY, TAG, 0.0)
        assert desk.accept() is None


class TestAdmission:
    def test_what_is_refused_is_answered_as_the_protocol_says(self) -> None:
        desk = Desk()
        desk.decisions.admission = Admission.REFUSE
        desk.receive(open_segment(shows=True))
        assert desk.resets() == [ResetCode.REFUSED]
        desk.decisions.words = [b"one", b"two"]
        desk.receive(replace(open_segment(shows=True), channel_id=ChannelId(5)))
        assert [(each.to, each.payload) for each in desk.table.strays] == [
            (TAG, b"one"),
            (TAG, b"two"),
        ]
        assert desk.table.counters["refused-stale"] == 2
        assert desk.table.channels == {}

    def test_what_is_dropped_leaves_no_trace_and_may_come_again(self) -> None:
        desk = Desk()
        desk.decisions.admission = Admission.DROP
        desk.receive(open_segment(shows=True))
        assert desk.table.counters["unverified"] == 1
        assert desk.resets() == []
        desk.decisions.admission = Admission.TAKE
        assert desk.receive(open_segment(shows=True)) == KEY


class TestFaults:
    """A fault of one machine names its channel, so that it alone is ended."""

    def test_of_a_channel_that_is_there(self) -> None:
        desk = Desk()
        desk.receive(open_segment())
        with pytest.raises(ChannelFault) as caught:
            desk.receive(data(0, b"fail"))
        assert caught.value.key == KEY
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert desk.receive(open_segment(), OTHER_TAG) is not None

    def test_of_one_that_an_early_message_breaks_while_it_is_opened(self) -> None:
        desk = Desk()
        desk.receive(data(0, b"fail"))
        with pytest.raises(ChannelFault) as caught:
            desk.receive(open_segment())
        assert caught.value.key == KEY
        assert not desk.table.channels
        assert not desk.table.links
        assert desk.receive(open_segment(), OTHER_TAG) is not None

    def test_of_one_that_its_opening_breaks(self) -> None:
        desk = Desk()
        with pytest.raises(ChannelFault):
            desk.receive(open_segment(payload=b"fail"))
        assert not desk.table.channels
        assert desk.receive(open_segment(), OTHER_TAG) is not None

    def test_of_one_that_waited_for_a_listener(self, caplog: pytest.LogCaptureFixture) -> None:
        """The listener that comes is made all the same, and has all others."""
        desk = Desk(listens=False)
        desk.receive(open_segment(payload=b"fail"))
        desk.receive(open_segment(), OTHER_TAG)
        desk.listener = desk.table.listen(desk.protocol, 8, 1.0)
        assert list(desk.table.channels) == [KEY._replace(tag=OTHER_TAG)]
        assert desk.table.counters == {"refused-fault": 1}
        assert "ZeroDivisionError" in caplog.text


class TestWithoutListener:
    def test_what_waited_too_long_is_refused_by_the_listener_that_comes(self) -> None:
        """The deadline was missed: the process was busy, or asleep."""
        desk = Desk(is_plain=True, listens=False)
        desk.receive(open_segment(shows=True))
        desk.receive(replace(open_segment(shows=True), channel_id=ChannelId(5)), now=3.0)
        desk.listener = desk.table.listen(desk.protocol, 8, 5.0)
        assert desk.resets() == [ResetCode.REFUSED]
        assert desk.table.counters["refused-unclaimed"] == 1
        assert [desk.accept(), desk.accept()] == [KEY._replace(channel_id=ChannelId(5)), None]

    def test_an_offer_opens_in_place_of_the_open_that_came_first(self) -> None:
        """It says more; how long it has waited counts from the first."""
        desk = Desk(listens=False)
        desk.receive(open_segment())
        offer = Segment(SegmentKind.OFFER, ID, payload=bytes(40))
        desk.table._segment_received(KEY, desk.protocol, offer, 3.0)
        assert desk.table.next_deadline(3.0) == 5.0
        desk.listener = desk.table.listen(desk.protocol, 8, 4.0)
        assert desk.decisions.accepted == [offer]

    def test_where_anything_opens_what_follows_is_an_orphan_as_far_as_there_is_room(self) -> None:
        desk = Desk(is_plain=True, listens=False, orphans=OrphanLimits(frames_per_id=1))
        for number in range(3):
            desk.table._segment_received(KEY, _Implicit(), data(number, b"abc"), 0.0)
        assert desk.table.orphans.total_bytes == 3
        assert desk.table.counters == {"orphan": 1}


class TestIds:
    def test_an_id_that_is_or_was_in_use_is_drawn_again(self) -> None:
        desk = Desk(is_plain=True)
        values = iter([1, 1, 2, 1, 2, 3])
        desk.drawn = lambda n: next(values).to_bytes(n, "big")
        keys = [desk.table.open(desk.protocol, ADDRESS, 0.0)[0] for _ in range(2)]
        desk.table.remove(keys[0], ADDRESS, 0.0)
        keys.append(desk.table.open(desk.protocol, ADDRESS, 0.0)[0])
        assert [key.channel_id for key in keys] == [1, 2, 3]


class TestRemoving:
    def test_twice_is_once(self) -> None:
        desk = Desk(is_plain=True)
        desk.receive(open_segment(shows=True))
        desk.table.remove(KEY, TAG, 0.0)
        desk.receive(data(0, shows=True), now=1.0)
        assert desk.resets() == [ResetCode.UNKNOWN_STREAM]
        desk.table.remove(KEY, TAG, 2.0)
        desk.table.release(KEY, 2.0)  # nobody held it
        desk.receive(data(1, shows=True), now=3.0)
        assert desk.resets() == []  # a minute has not passed since the answer

    @pytest.mark.parametrize("has_ended", [True, False])
    def test_data_that_was_dropped_is_answered_unless_its_sender_has_ended(
        self, has_ended: bool
    ) -> None:
        desk = Desk(is_plain=True)
        desk.receive(open_segment(shows=True))
        desk.table.channels[KEY].app_closed()
        desk.receive(data(0, shows=True))
        if has_ended:
            desk.receive(fin(1))
        desk.table.remove(KEY, TAG, 0.0)
        assert desk.resets() == ([] if has_ended else [ResetCode.UNKNOWN_STREAM])

    def test_a_channel_that_its_application_holds_answers_until_it_is_let_go_and_ten_minutes(
        self,
    ) -> None:
        desk = Desk(is_plain=True)
        desk.receive(open_segment(shows=True))
        desk.table.remove(KEY, TAG, 0.0, is_held=True)
        answered = []
        for now in (5000.0, 5599.0, 5700.0):
            assert desk.receive(data(0, shows=True), now=now) is None
            answered.append(len(desk.resets()))
            desk.table.release(KEY, 5000.0)
        assert answered == [1, 1, 0]


class TestPeers:
    def test_what_belongs_to_a_peer_reaches_no_channel_and_is_answered_outside_of_any(self) -> None:
        desk = Desk()
        desk.receive(open_segment())
        question = Segment(SegmentKind.LIVENESS, ID, payload=b"are you there")
        assert desk.table._segment_received(KEY, desk.protocol, question, 1.0) is None
        assert [(each.to, each.payload) for each in desk.table.strays] == [(TAG, question.payload)]
        assert desk.accept() is None  # it confirms no channel

    def test_an_offer_for_a_channel_that_is_over_is_refused_at_most_once_a_second(self) -> None:
        desk = Desk()
        desk.receive(open_segment())
        desk.table.remove(KEY, TAG, 0.0)
        desk.decisions.words = [b"no"]
        offer = Segment(SegmentKind.OFFER, ID, payload=bytes(40))
        answered = []
        for now in (1.0, 1.5, 2.0):
            assert desk.table._segment_received(KEY, desk.protocol, offer, now) is None
            answered.append([stray.payload for stray in desk.table.strays])
            desk.table.strays.clear()
        assert answered == [[b"no"], [], [b"no"]]


def test_what_only_a_sealed_link_can_read_means_nothing_to_a_plain_one() -> None:
    desk = Desk(is_plain=True)
    assert desk.receive(open_segment(shows=True)) == KEY
    machine = desk.table.channels[KEY]
    before = machine.first_received_at, machine.inbound.dropped
    for kind in (SegmentKind.PROTECTED, SegmentKind.OFFER):
        desk.table.links[KEY].segment_received(Segment(kind, ID, payload=b"sealed"), 1.0)
    assert (machine.first_received_at, machine.inbound.dropped) == before
    assert machine.error is None


def test_what_resumes_a_channel_is_unknown_to_a_plain_protocol() -> None:
    desk = Desk(is_plain=True)
    assert desk.receive(open_segment(shows=True)) == KEY
    resume = Segment(SegmentKind.RESUME, ID, payload=b"resume")
    assert desk.table._segment_received(KEY, desk.protocol, resume, 1.0) is None
    assert desk.table.counters["unknown-channel"] == 1
    assert not desk.table.links[KEY].can_move


def test_a_reply_is_of_who_has_the_surbs_that_it_came_through() -> None:
    desk = Desk(is_plain=True)
    key, machine = desk.table.open(desk.protocol, ADDRESS, 0.0)
    other = replace(ADDRESS, encryption=bytes([7] * 32))

    def reply(sequence: int, given_to: NymAddress | None) -> ChannelKey | None:
        payload = CODEC.encode(replace(data(sequence, b"x"), channel_id=key.channel_id))
        return desk.table.message_received(payload, None, 1.0, given_to=given_to)

    assert reply(0, other) is None
    assert machine.inbound.buffered_bytes == 0
    assert reply(0, ADDRESS) == reply(1, None) == key
    assert machine.inbound.read(10) == b"xx"
    desk.table.remove(key, ADDRESS, 1.0)
    assert [reply(2, given_to) for given_to in (other, ADDRESS)] == [None, None]
    assert desk.table.counters["another-peers-surb"] == 2
    assert desk.table.counters["after-end"] == 1
