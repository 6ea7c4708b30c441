"""What is taken for granted of a peer of which nothing is known, and what is remembered of one."""

from __future__ import annotations

import pytest

from nymproxy.address import NymAddress
from nymproxy.channel import Capability, ChannelRules, PeerMemory, PeerTraits, SegmentKind
from nymproxy.channel.machine import ChannelMachine
from nymproxy.errors import ResetCode, StreamError, StreamIdleTimeout
from tests.channel.builders import ADDRESS, ID, changed_rules, data

PLAIN = ChannelRules(has_open=False)


def machine(rules: ChannelRules = PLAIN, traits: PeerTraits | None = None) -> ChannelMachine:
    return ChannelMachine(ID, traits or PeerTraits(rules), is_dialer=False, now=0.0)


class TestUnknownPeer:
    def test_it_gets_bare_data_of_32_kib_and_is_told_no_end(self) -> None:
        channel = machine()
        channel.app_wrote(bytes(40 * 1024))
        channel.app_finished()
        sent = []
        while (outgoing := channel.next_outgoing(0.0)) is not None:
            assert outgoing.index is not None
            channel.outbound.acknowledged(outgoing.index, 0.0)
            sent.append(outgoing)
        assert [len(outgoing.segment.payload) for outgoing in sent] == [32 * 1024, 8 * 1024]
        assert {(each.segment.kind, each.segment.capabilities, each.surbs) for each in sent} == {
            (SegmentKind.DATA, None, 0)
        }
        assert channel.outbound.is_drained
        assert channel.outbound.settled_at == 0.0

    def test_it_is_not_told_of_an_abort(self) -> None:
        channel = machine()
        channel.app_wrote(b"x")
        assert channel.next_outgoing(0.0) is not None
        channel.abort(ResetCode.CANCELLED, "")
        assert channel.next_outgoing(0.0) is None
        assert channel.is_over

    @pytest.mark.parametrize("has_answered", [True, False])
    def test_only_after_an_answer_its_silence_is_its_end(self, has_answered: bool) -> None:
        channel = machine(changed_rules(PLAIN, answer_timeout_seconds=10.0))
        if has_answered:
            channel.segment_received(data(0, b"answer"), 0.0)
        channel.app_finished()
        assert channel.next_outgoing(0.0) is None
        channel.tick(channel.next_deadline(0.0))
        assert channel.inbound.has_ended == has_answered
        assert isinstance(channel.error, StreamIdleTimeout) != has_answered

    def test_it_has_no_ability(self) -> None:
        traits = PeerTraits(PLAIN)
        assert all(traits.is_known_without(each) for each in Capability)
        assert not any(traits.may_send(kind) for kind in SegmentKind)


class _Counted(PeerTraits):
    """A peer with three message numbers."""

    @property
    def last_send_index(self) -> int:
        return 2


def test_a_channel_with_more_to_say_than_there_are_numbers_fails() -> None:
    channel = machine(traits=_Counted(changed_rules(PLAIN, merge_delay_seconds=0.0)))
    for payload in (b"a", b"b"):
        channel.app_wrote(payload)
        assert channel.next_outgoing(0.0) is not None
        channel.app_flushed()
    assert not channel.is_over
    channel.app_wrote(b"c")
    assert channel.next_outgoing(0.0) is None
    assert isinstance(channel.error, StreamError)
    assert "numbers are used up" in str(channel.error)


class TestMemory:
    def test_the_address_that_was_shown_longest_ago_is_forgotten(self) -> None:
        memory = PeerMemory(limit=2)
        first, second, third = (
            NymAddress(ADDRESS.identity, bytes([number]) * 32, ADDRESS.gateway)
            for number in range(3)
        )
        for address in (first, second, first, third):
            memory.remember_sealed(address)
        assert [memory.was_sealed(each) for each in (first, second, third)] == [True, False, True]
        assert memory.recall(first) is None  # what it has shown besides is another matter
