"""Which message belongs to which channel, what opens one, and what is dropped."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.channel import (
    Capability,
    ChannelCodec,
    ChannelId,
    ChannelRules,
    OrderRules,
    PeerTraits,
    Segment,
    SegmentKind,
)
from nymproxy.channel.limits import TableLimits
from nymproxy.channel.orphans import OrphanLimits
from nymproxy.channel.segment import ChannelKey
from nymproxy.channel.table import ChannelTable
from nymproxy.errors import ListenerAlreadyTaken, ResetCode, StreamReset
from nymproxy.stream.codec import StreamCodec
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import STREAM_RULES, StreamOptions
from tests.channel.builders import (
    ADDRESS,
    FULL_SUPPORT,
    ID,
    OTHER_TAG,
    TAG,
    changed_rules,
    control,
    data,
    fin,
    open_segment,
)

if TYPE_CHECKING:
    from nymproxy.address import SenderTag
    from nymproxy.channel.listening import Listener
    from nymproxy.channel.machine import ChannelMachine

CODEC = StreamCodec()
KEY = ChannelKey("stream", TAG, ID)


class Desk:
    """A table with a clock, and a listener unless the test makes its own."""

    def __init__(self, *, listens: bool = True, backlog: int = 128, **limits: object) -> None:
        self.protocol = StreamProtocol()
        self.table = ChannelTable(
            [self.protocol],
            random_bytes=random.Random(1).randbytes,
            limits=TableLimits(**limits),  # type: ignore[arg-type]
        )
        self.now = 0.0
        self.listener: Listener | None = None
        if listens:
            self.listener = self.table.listen(self.protocol, backlog, 0.0)

    def receive(self, segment: Segment, tag: SenderTag | None = TAG) -> ChannelKey | None:
        return self.table.message_received(CODEC.encode(segment), tag, self.now)

    def accept(self) -> ChannelMachine | None:
        assert self.listener is not None
        key = self.table.accept(self.listener)
        return None if key is None else self.table.channels[key]

    def strays(self) -> list[Segment]:
        taken = [CODEC.decode(stray.payload) for stray in self.table.strays]
        self.table.strays.clear()
        return taken


def read(machine: ChannelMachine) -> bytes:
    parts = []
    while machine.is_readable:
        parts.append(machine.inbound.read(65536))
    return b"".join(parts)


def test_an_open_makes_a_channel_at_once() -> None:
    desk = Desk()
    assert desk.receive(open_segment()) == KEY
    assert desk.receive(data(0, b"hello")) == KEY  # before anyone has accepted
    machine = desk.accept()
    assert machine is not None
    assert read(machine) == b"hello"
    assert desk.accept() is None


def test_a_duplicate_open_leaves_the_channel_undisturbed() -> None:
    desk = Desk()
    desk.receive(open_segment())
    desk.receive(data(0, b"a"))
    desk.receive(open_segment(payload=b"again"))
    desk.receive(data(1, b"b"))
    machine = desk.accept()
    assert machine is not None
    assert read(machine) == b"ab"
    assert desk.accept() is None
    assert desk.table.counters["duplicate-open"] == 1


def test_an_open_without_a_tag_cannot_be_answered_and_is_dropped() -> None:
    desk = Desk()
    assert desk.receive(open_segment(), tag=None) is None
    assert desk.table.channels == {}
    assert desk.table.counters["unknown-channel"] == 1


def test_two_dialers_may_use_the_same_id() -> None:
    desk = Desk()
    desk.receive(open_segment(), TAG)
    desk.receive(open_segment(), OTHER_TAG)
    desk.receive(data(0, b"one"), TAG)
    desk.receive(data(0, b"two"), OTHER_TAG)
    machines = [desk.accept(), desk.accept()]
    assert [read(machine) for machine in machines if machine] == [b"one", b"two"]


def test_nobody_else_can_speak_on_a_channel_that_we_opened() -> None:
    desk = Desk()
    key, machine = desk.table.open(desk.protocol, ADDRESS, 0.0)
    segment = replace(data(0, b"forged"), channel_id=key.channel_id)
    assert desk.receive(segment, TAG) is None
    assert not machine.is_readable
    assert desk.receive(segment, None) == key
    assert read(machine) == b"forged"


def test_data_before_its_open_is_kept() -> None:
    desk = Desk()
    assert desk.receive(data(1, b"b")) is None
    assert desk.receive(fin(2)) is None
    assert desk.receive(data(0, b"a")) is None
    desk.receive(open_segment())
    machine = desk.accept()
    assert machine is not None
    assert read(machine) == b"ab"
    assert machine.is_at_end


def test_orphans_of_another_peer_are_not_taken() -> None:
    desk = Desk()
    desk.receive(data(0, b"x"), OTHER_TAG)
    desk.receive(open_segment(), TAG)
    machine = desk.accept()
    assert machine is not None
    assert not machine.is_readable


@pytest.mark.parametrize(
    "kind",
    [SegmentKind.WINDOW, SegmentKind.PROBE, SegmentKind.PING, SegmentKind.HELLO],
)
def test_control_frames_without_a_channel_leave_no_trace(kind: SegmentKind) -> None:
    desk = Desk()
    desk.receive(control(kind))
    assert desk.table.counters["control-without-channel"] == 1
    assert desk.strays() == []
    desk.receive(open_segment())
    machine = desk.accept()
    assert machine is not None
    assert machine.error is None


def test_a_reset_that_has_overtaken_its_open_holds() -> None:
    """Else a session would be left behind for a dialer that has gone."""
    desk = Desk()
    desk.receive(control(SegmentKind.RESET))
    desk.receive(open_segment())
    assert desk.accept() is None
    assert desk.table.counters["after-end"] == 1


def test_a_dialer_that_has_said_all_and_gone_is_accepted_and_heard_to_the_end() -> None:
    """Left without a wait for the acceptor, whose application comes to it later."""
    desk = Desk()
    for segment in (open_segment(shows=True), data(0, b"all", shows=True), fin(1)):
        desk.receive(segment)
    gone = replace(control(SegmentKind.RESET), reset_code=ResetCode.UNKNOWN_STREAM)
    desk.receive(gone)
    machine = desk.accept()
    assert machine is not None
    assert isinstance(machine.error, StreamReset), "whoever writes is told"
    assert read(machine) == b"all"
    assert machine.is_at_end
    assert not machine.is_cut_short


def test_the_capability_byte_of_an_orphan_counts() -> None:
    desk = Desk()
    desk.receive(data(0, shows=True))
    desk.receive(open_segment(shows=False))
    machine = desk.accept()
    assert machine is not None
    assert machine.traits.flow_control is True


class TestBacklog:
    def test_beyond_it_extension_peers_are_refused(self) -> None:
        desk = Desk(backlog=2)
        for number in range(3):
            desk.receive(replace(open_segment(shows=True), channel_id=ChannelId(number)))
        (reset,) = desk.strays()
        assert (reset.kind, reset.channel_id) == (SegmentKind.RESET, 2)
        assert reset.reset_code is ResetCode.REFUSED
        assert desk.table.counters["refused-backlog-full"] == 1

    def test_plain_peers_are_dropped_in_silence(self) -> None:
        desk = Desk(backlog=0)
        desk.receive(open_segment())
        assert desk.strays() == []
        assert desk.table.channels == {}

    def test_data_of_a_refused_channel_makes_no_orphans(self) -> None:
        desk = Desk(backlog=0)
        desk.receive(open_segment(shows=True))
        desk.receive(data(0, shows=True))
        assert desk.table.counters["after-end"] == 1
        assert len(desk.strays()) == 1  # the refusal itself

    def test_accepting_makes_room(self) -> None:
        desk = Desk(backlog=1)
        desk.receive(open_segment())
        assert desk.accept() is not None
        desk.receive(replace(open_segment(), channel_id=ChannelId(5)))
        assert desk.accept() is not None

    def test_a_channel_that_was_taken_back_is_passed_over(self) -> None:
        desk = Desk()
        desk.receive(open_segment(shows=True))
        desk.receive(control(SegmentKind.RESET))
        desk.receive(replace(open_segment(), channel_id=ChannelId(5)))
        machine = desk.accept()
        assert machine is not None
        assert machine.channel_id == 5

    def test_the_bytes_of_unaccepted_channels_are_bounded(self) -> None:
        desk = Desk(backlog_bytes=100_000)
        desk.receive(open_segment(shows=True))
        desk.receive(data(0, bytes(60_000), shows=True))
        desk.receive(data(1, bytes(60_000), shows=True))
        machine = desk.table.channels[KEY]
        assert isinstance(machine.error, StreamReset)
        assert machine.error.reset_code is ResetCode.REFUSED

    def test_the_number_of_channels_is_bounded(self) -> None:
        desk = Desk(channels=1)
        desk.receive(open_segment())
        assert desk.accept() is not None
        desk.receive(replace(open_segment(shows=True), channel_id=ChannelId(5)))
        assert desk.table.counters["refused-too-many-channels"] == 1
        assert len(desk.strays()) == 1


class TestListeners:
    def test_an_open_waits_five_seconds_for_a_listener(self) -> None:
        desk = Desk(listens=False)
        desk.receive(open_segment(shows=True))
        desk.receive(data(0, b"early"))
        desk.now = 4.9
        desk.listener = desk.table.listen(desk.protocol, 128, desk.now)
        machine = desk.accept()
        assert machine is not None
        assert read(machine) == b"early"
        outgoing = machine.next_outgoing(desk.now)
        assert outgoing is not None
        assert outgoing.segment.kind is SegmentKind.HELLO

    def test_then_it_is_refused(self) -> None:
        desk = Desk(listens=False)
        desk.receive(open_segment(shows=True))
        desk.receive(data(0))
        assert desk.table.next_deadline(0.0) == 5
        desk.now = 5.0
        desk.table.tick(desk.now)
        assert [each.reset_code for each in desk.strays()] == [ResetCode.REFUSED]
        desk.listener = desk.table.listen(desk.protocol, 128, desk.now)
        assert desk.accept() is None
        assert desk.table.counters["refused-unclaimed"] == 1

    def test_the_number_of_unclaimed_opens_is_bounded(self) -> None:
        desk = Desk(listens=False, unclaimed=3)
        for number in range(5):
            desk.receive(replace(open_segment(), channel_id=ChannelId(number)))
        assert desk.table.counters["refused-unclaimed"] == 2

    def test_what_came_early_is_counted_and_can_be_dropped(self) -> None:
        desk = Desk(listens=False)
        desk.receive(open_segment(payload=b"held"))
        desk.receive(replace(open_segment(payload=b"too"), channel_id=ChannelId(5)))
        desk.receive(replace(data(0, b"orphan"), channel_id=ChannelId(6)))
        assert desk.table.early_bytes == 13
        desk.now = 5.0
        desk.table.tick(desk.now)
        assert desk.table.early_bytes == 6
        desk.receive(replace(open_segment(payload=b"held"), channel_id=ChannelId(7)))
        desk.table.drop_early()
        assert desk.table.early_bytes == 0
        desk.listener = desk.table.listen(desk.protocol, 128, desk.now)
        assert desk.accept() is None

    def test_there_is_one_listener(self) -> None:
        desk = Desk()
        with pytest.raises(ListenerAlreadyTaken):
            desk.table.listen(desk.protocol, 128, 0.0)

    def test_closing_it_refuses_what_waits_and_what_comes(self) -> None:
        desk = Desk()
        assert desk.listener is not None
        desk.receive(open_segment(shows=True))
        assert desk.table.close_listener(desk.listener, 0.0) == [KEY]
        outgoing = desk.table.channels[KEY].next_outgoing(0.0)
        assert outgoing is not None
        assert outgoing.segment.reset_code is ResetCode.REFUSED
        desk.receive(replace(open_segment(shows=True), channel_id=ChannelId(5)))
        assert [each.reset_code for each in desk.strays()] == [ResetCode.REFUSED]

    def test_the_listeners_settings_apply(self) -> None:
        desk = Desk(listens=False)
        rules = changed_rules(STREAM_RULES, gap_timeout_seconds=1.0)
        special = StreamProtocol(StreamOptions(rules=rules))
        desk.listener = desk.table.listen(special, 128, 0.0)
        desk.receive(open_segment())
        machine = desk.accept()
        assert machine is not None
        assert machine.traits.rules.order.gap_timeout_seconds == 1.0


class TestTombstones:
    def over(self, *, had_ended: bool = False) -> Desk:
        desk = Desk()
        desk.receive(open_segment(shows=True))
        if had_ended:
            desk.receive(fin(0))
        desk.table.remove(KEY, TAG, 0.0)
        return desk

    def test_a_late_open_does_not_make_it_again(self) -> None:
        desk = self.over()
        assert desk.receive(open_segment()) is None
        assert desk.table.channels == {}
        assert desk.table.counters["after-end"] == 1

    def test_nor_does_one_after_hours_that_a_gateway_delivers_again(self) -> None:
        desk = self.over()
        for now in (600.0, 1e6):
            desk.now = now
            assert desk.receive(open_segment()) is None
        assert desk.table.counters["unknown-channel"] == 2
        assert desk.receive(open_segment(), OTHER_TAG) is not None

    def test_data_for_it_is_answered_once_a_minute(self) -> None:
        desk = self.over()
        answers = []
        for second in range(0, 130, 10):
            desk.now = float(second)
            desk.receive(data(0, shows=True))
            answers.append(len(desk.strays()))
        assert answers == [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]

    def test_the_answer_says_that_the_stream_is_unknown(self) -> None:
        desk = self.over()
        desk.receive(data(0, shows=True))
        (reset,) = desk.strays()
        assert (reset.kind, reset.channel_id) == (SegmentKind.RESET, ID)
        assert reset.reset_code is ResetCode.UNKNOWN_STREAM
        assert reset.capabilities == FULL_SUPPORT | Capability.NX2

    def test_plain_peers_and_peers_that_had_ended_are_not_answered(self) -> None:
        desk = self.over()
        desk.receive(data(0, shows=False))
        assert desk.strays() == []
        desk = self.over(had_ended=True)
        desk.receive(data(0, shows=True))
        assert desk.strays() == []

    def test_other_frames_are_not_answered(self) -> None:
        desk = self.over()
        for kind in (SegmentKind.RESET, SegmentKind.WINDOW, SegmentKind.HELLO, SegmentKind.FIN):
            desk.receive(control(kind))
        assert desk.strays() == []

    def test_channels_that_we_opened_have_tombstones_too(self) -> None:
        desk = Desk()
        key, _ = desk.table.open(desk.protocol, ADDRESS, 0.0)
        desk.table.remove(key, ADDRESS, 0.0)
        desk.receive(replace(data(0, shows=True), channel_id=key.channel_id), None)
        (stray,) = desk.table.strays
        assert stray.to == ADDRESS

    def test_the_answers_that_wait_are_bounded(self) -> None:
        desk = Desk(backlog=0, stray_messages=3)
        for number in range(10):
            desk.receive(replace(open_segment(shows=True), channel_id=ChannelId(number)))
        assert len(desk.strays()) == 3
        assert desk.table.counters["stray"] == 7


class _ImplicitProtocol(StreamProtocol):
    """A protocol without Open: the first numbered message opens (as legacy sessions do)."""

    codec: ClassVar[ChannelCodec] = CODEC
    opens_explicitly: ClassVar[bool] = False

    def opens(self, segment: Segment) -> bool:
        return segment.is_numbered and not segment.sequence

    def answer(self, segment: Segment) -> PeerTraits:  # type: ignore[override]
        return PeerTraits(ChannelRules(has_open=False, order=OrderRules(sequence_modulus=1 << 16)))


class _AskingProtocol(_ImplicitProtocol):
    """Its peers ask with empty messages whether their channels are known."""

    def asks(self, segment: Segment) -> bool:
        return not segment.payload and segment.sequence > 0

    def answer(self, segment: Segment) -> PeerTraits:  # type: ignore[override]
        class Traits(PeerTraits):
            def may_send(self, kind: SegmentKind) -> bool:
                return True

        return Traits(ChannelRules(has_open=False))


class TestImplicitOpening:
    def desk(self, *, listens: bool = True) -> Desk:
        desk = Desk(listens=False)
        desk.protocol = _ImplicitProtocol()
        desk.table = ChannelTable([desk.protocol], random_bytes=random.Random(1).randbytes)
        if listens:
            desk.listener = desk.table.listen(desk.protocol, 128, 0.0)
        return desk

    def test_what_overtakes_the_first_message_waits_for_it(self) -> None:
        desk = self.desk()
        assert desk.receive(data(1, b"b")) is None
        assert desk.table.channels == {}
        desk.receive(data(0, b"a"))
        desk.receive(fin(2))
        machine = desk.accept()
        assert machine is not None
        assert read(machine) == b"ab"
        assert machine.is_at_end

    def test_what_is_left_of_a_former_life_opens_nothing(self) -> None:
        desk = self.desk()
        for number in range(5, 9):
            assert desk.receive(data(number, b"stale")) is None
        desk.table.tick(3600.0)
        assert desk.accept() is None
        assert (desk.table.channels, len(desk.table.orphans)) == ({}, 0)

    def test_a_question_about_what_was_never_known_is_denied_once_a_minute(self) -> None:
        desk = self.desk()
        desk.protocol = asking = _AskingProtocol()
        desk.table = ChannelTable([asking], random_bytes=random.Random(1).randbytes)
        desk.listener = desk.table.listen(asking, 128, 0.0)
        for _ in range(3):
            assert desk.receive(data(5, b"")) is None
        (denial,) = desk.strays()
        assert (denial.kind, denial.reset_code) == (SegmentKind.RESET, ResetCode.UNKNOWN_STREAM)
        assert desk.receive(data(0, b"late")) is None
        assert desk.table.channels == {}

    def test_a_straggler_does_not_resurrect_it(self) -> None:
        desk = self.desk()
        desk.receive(data(0))
        desk.table.remove(KEY, TAG, 0.0)
        assert desk.receive(fin(1)) is None
        assert desk.table.channels == {}

    def test_without_a_listener_the_first_messages_wait(self) -> None:
        desk = self.desk(listens=False)
        desk.receive(data(1, b"b"))
        desk.receive(data(0, b"a"))
        desk.listener = desk.table.listen(desk.protocol, 128, 1.0)
        machine = desk.accept()
        assert machine is not None
        assert read(machine) == b"ab"

    def test_a_large_unclaimed_message_is_not_held(self) -> None:
        desk = self.desk(listens=False)
        desk.receive(data(0, bytes(65 * 1024)))
        assert desk.table.counters["refused-unclaimed"] == 1


def test_messages_of_no_protocol_and_malformed_ones_are_counted() -> None:
    desk = Desk()
    desk.table.message_received(b"\x00legacy", TAG, 0.0)
    desk.table.message_received(b"", TAG, 0.0)
    desk.table.message_received(b"\x03\x00short", TAG, 0.0)
    assert desk.table.counters == {"other-protocol": 2, "malformed": 1}


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=30) | st.binary(min_size=14, max_size=30).map(b"\x03\x00".__add__),
            st.sampled_from([None, TAG, OTHER_TAG]),
        ),
        max_size=30,
    )
)
def test_arbitrary_messages_never_raise(messages: list[tuple[bytes, SenderTag | None]]) -> None:
    desk = Desk(orphans=OrphanLimits(ids=2))
    for payload, tag in messages:
        desk.table.message_received(payload, tag, desk.now)
        desk.now += 1.0
        desk.table.tick(desk.now)
        for machine in desk.table.channels.values():
            machine.tick(desk.now)
            machine.next_outgoing(desk.now)
