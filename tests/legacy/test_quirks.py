"""What an old peer needs: when it is nudged, which first message is let in, when it is woken."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from nymproxy.channel.segment import ChannelId, Segment, SegmentKind
from nymproxy.errors import StreamIdleTimeout
from nymproxy.legacy.quirks import ASK_SECONDS, OldClientQuirks, WakeUp
from nymproxy.legacy.traits import LegacySettings
from tests.legacy.machines import CODEC, acceptor, dialer, send_all

if TYPE_CHECKING:
    from nymproxy.channel.machine import ChannelMachine


def nudges(count: int = 3, interval: float = 1.0) -> OldClientQuirks:
    return OldClientQuirks(0.0, nudges=count, nudge_seconds=interval)


def after_data(
    machine: OldClientQuirks, *, messages: int = 2, acknowledged_at: float = 10.0
) -> OldClientQuirks:
    for _ in range(messages):
        machine.numbered(b"data")
    machine.all_acknowledged(acknowledged_at)
    return machine


def times(machine: OldClientQuirks) -> list[float]:
    """When each is taken, if it is taken when it is due."""
    taken = []
    while machine.awaits_more:
        now = machine.empty_at
        machine.empty_sent(now)
        taken.append(now)
    assert machine.empty_at == math.inf
    return taken


def test_they_begin_after_the_acknowledgement_and_end() -> None:
    machine = nudges()
    machine.peer_ended(5.0)
    assert times(after_data(machine)) == [11.0, 12.0, 13.0]
    machine.all_acknowledged(14.0)  # of a nudge: not of data
    assert not machine.awaits_more


def test_none_is_due_while_data_is_in_flight() -> None:
    machine = nudges()
    machine.peer_ended(5.0)
    machine.numbered(b"data")
    machine.numbered(b"data")
    assert machine.awaits_more
    assert machine.empty_at == math.inf


def test_new_data_begins_them_again() -> None:
    machine = nudges(count=2)
    machine.peer_ended(5.0)
    after_data(machine)
    assert machine.empty_at == 11.0
    machine.empty_sent(11.0)
    assert times(after_data(machine, messages=1, acknowledged_at=20.0)) == [21.0, 22.0]


def test_a_peer_that_goes_on_or_got_one_message_is_left_alone() -> None:
    assert not after_data(nudges()).awaits_more
    ended = nudges()
    ended.peer_ended(5.0)
    assert not after_data(ended, messages=1).awaits_more
    other = nudges(count=0)
    other.peer_ended(5.0)
    assert not after_data(other).awaits_more


def test_an_end_soon_after_the_data_counts_and_one_long_after_it_does_not() -> None:
    machine = after_data(nudges(), acknowledged_at=10.0)
    machine.peer_ended(11.5)
    assert times(machine) == [12.5, 13.5, 14.5]
    late = after_data(nudges(), acknowledged_at=10.0)
    late.peer_ended(12.5)
    assert not late.awaits_more


def test_a_second_end_changes_nothing_and_a_stop_is_final() -> None:
    machine = after_data(nudges())
    machine.peer_ended(11.0)
    assert machine.empty_at == 12.0
    machine.empty_sent(12.0)
    machine.peer_ended(12.1)
    assert machine.empty_at == 13.0
    machine.stop()
    after_data(machine, acknowledged_at=20.0)
    assert not machine.awaits_more


def first(
    payload: bytes = b"x", sequence: int = 0, kind: SegmentKind = SegmentKind.DATA
) -> Segment:
    return Segment(kind, ChannelId(1), sequence, payload)


def test_a_zero_is_let_in_once_and_ends_the_hold() -> None:
    quirks = OldClientQuirks(5.0, zero_grace_seconds=0.5)
    assert quirks.holds_until == 5.5
    assert quirks.admits(first(b""))  # nothing to deliver: another one may still come
    assert quirks.admits(first())
    assert quirks.holds_until == -math.inf
    assert not quirks.admits(first())


@pytest.mark.parametrize("segment", [first(sequence=1), first(kind=SegmentKind.FIN)])
def test_nothing_else_is_let_in(segment: Segment) -> None:
    assert not OldClientQuirks(0.0).admits(segment)


def test_no_zero_is_let_in_after_something_was_released() -> None:
    quirks = OldClientQuirks(0.0)
    quirks.released()
    assert not quirks.admits(first())


def test_the_first_message_of_any_kind_makes_the_wake_up_needless() -> None:
    quirks = WakeUp(2.0)
    assert quirks.empty_at == 2.0
    assert not quirks.awaits_more
    quirks.numbered(b"")
    assert quirks.empty_at == math.inf


def test_empty_messages_and_what_came_before_the_end_begin_none() -> None:
    machine = nudges()
    machine.peer_ended(5.0)
    machine.numbered(b"")
    assert not machine.awaits_more


class TestQuestions:
    def test_they_begin_when_the_server_has_shown_itself_and_go_on(self) -> None:
        quirks = WakeUp(1.0)
        quirks.numbered(b"request")
        quirks.all_acknowledged(2.0)
        assert quirks.empty_at == math.inf
        for _ in range(2):
            quirks.may_ask()
        assert quirks.empty_at == 2.0 + ASK_SECONDS
        quirks.numbered(b"")
        quirks.empty_sent(22.0)
        assert quirks.empty_at == math.inf  # one at a time: the last one must have arrived
        quirks.all_acknowledged(23.0)
        assert quirks.empty_at == 23.0 + ASK_SECONDS

    def test_a_server_that_shows_itself_first_is_woken_all_the_same(
        self,
    ) -> None:
        quirks = WakeUp(1.0)
        quirks.may_ask()
        assert quirks.empty_at == 1.0

    def test_none_follows_the_end_of_the_session(self) -> None:
        quirks = WakeUp(1.0)
        quirks.may_ask()
        quirks.stop()
        quirks.all_acknowledged(2.0)
        assert quirks.empty_at == math.inf


def _run(client: ChannelMachine, server: ChannelMachine, seconds: int, *, dies_at: float) -> None:
    """Let both say all that is due each second; what the client does not say when it is dead."""
    for second in range(seconds):
        now = float(second)
        alive = now < dies_at
        if alive:
            client.tick(now)
            for outgoing in send_all(client, now):
                segment = CODEC.decode(CODEC.encode(outgoing.segment))
                server.segment_received(segment, now)
        server.tick(now)
        for outgoing in send_all(server, now):
            if alive:
                client.segment_received(CODEC.decode(CODEC.encode(outgoing.segment)), now)


def test_a_client_that_dies_at_once_leaves_its_session_for_100_seconds_at_most() -> None:
    client, server = dialer(), acceptor()
    client.app_wrote(b"request")
    _run(client, server, 109, dies_at=10.0)
    assert isinstance(server.error, StreamIdleTimeout)


@pytest.mark.parametrize("ends", [False, True], ids=["open", "half-closed"])
def test_a_client_that_is_there_keeps_its_session_however_quiet(ends: bool) -> None:
    client, server = dialer(LegacySettings(close_timeout_seconds=1000.0)), acceptor()
    client.app_wrote(b"request")
    if ends:
        client.app_finished()
    _run(client, server, 550, dies_at=math.inf)
    assert (server.error, client.error) == (None, None)
