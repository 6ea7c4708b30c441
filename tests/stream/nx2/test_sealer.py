"""The keys at both ends: what one seals the other opens, once, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.address import SenderTag
from nymproxy.errors import ChannelFormatError
from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.stream.nx2.envelopes import CAPABILITY_BYTE
from nymproxy.stream.nx2.frames import Accept, Ack, Seal
from nymproxy.stream.nx2.sealer import AcceptorSealer, DialerSealer, read_offer
from tests.stream.nx2.builders import ADDRESS, TAG

ID = 0x0011223344556677
SENDER = SenderTag(TAG)
OTHER = SenderTag(bytes(16))


def frame(message_type: MessageType, sequence: int = 0, payload: bytes = b"") -> bytes:
    return StreamFrame(ID, message_type, sequence, payload, CAPABILITY_BYTE).encode()


DATA = frame(MessageType.DATA, 3, b"payload")
PROBE = frame(MessageType.PROBE, 3)


def dialer(*, is_known: bool = True) -> DialerSealer:
    return DialerSealer(ID, SENDER, ADDRESS, dialer_random=b"d" * 32, is_known=is_known)


def acceptor(offer: bytes) -> AcceptorSealer:
    fields = read_offer(offer, SENDER, ADDRESS)
    return AcceptorSealer(ID, SENDER, ADDRESS, fields, Accept(b"a" * 32))


def pair() -> tuple[DialerSealer, AcceptorSealer]:
    first = dialer()
    second = acceptor(first.offer(1))
    first.open_accept(second.accept())
    return first, second


def refuses(opener: object, sealed: bytes) -> None:
    with pytest.raises(ChannelFormatError):
        opener(sealed)  # type: ignore[operator]


def test_an_offer_is_read_under_its_tag_at_its_address_alone() -> None:
    offer = dialer(is_known=False).offer(29_000_000, b"")
    fields = read_offer(offer, SENDER, ADDRESS)
    assert (fields.minutes, fields.seal_follows) == (29_000_000, True)
    with pytest.raises(ChannelFormatError):
        read_offer(offer, OTHER, ADDRESS)
    with pytest.raises(ChannelFormatError):
        read_offer(offer, SENDER, replace(ADDRESS, encryption=b"e" * 32))


@given(st.integers(0, 10_000), st.binary(max_size=20))
def test_no_flipped_bit_of_the_opening_counts(position: int, payload: bytes) -> None:
    first = dialer()
    second = acceptor(first.offer(1, payload))
    for whole, read in (
        (first.offer(1, payload), lambda each: read_offer(each, SENDER, ADDRESS)),
        (second.accept(), first.open_accept),
    ):
        altered = bytearray(whole)
        altered[position % len(whole)] ^= 1 << position % 8
        refuses(read, bytes(altered))
    assert not first.has_keys


def test_both_directions_have_keys_of_their_own() -> None:
    first, second = pair()
    assert second.open(first.seal(DATA, 7)).frame == DATA
    assert first.open(second.seal(DATA, 9)).next_expected == 9
    refuses(first.open, first.seal(DATA, 7))
    refuses(second.open, second.seal(DATA, 7))


def test_a_frame_without_a_place_is_taken_once_and_not_behind_a_later_one() -> None:
    first, second = pair()
    early, later = first.seal(PROBE, 0), first.seal(PROBE, 0)
    assert second.open(later).counter == 2
    refuses(second.open, later)
    refuses(second.open, early)
    ack = first.ack(Ack(0, 0))
    assert second.open_ack(ack).counter == 3
    refuses(second.open_ack, ack)


def test_numbered_frames_may_come_again() -> None:
    first, second = pair()
    sealed = first.seal(DATA, 0)
    assert second.open(sealed).frame == second.open(sealed).frame


def test_a_known_peer_is_sealed_early_and_confirmed_by_the_final_keys() -> None:
    first = dialer()
    second = acceptor(first.offer(1))
    assert first.can_seal
    assert not first.can_open
    second.open(first.seal(DATA, 0))
    assert not second.is_confirmed
    first.open_accept(second.accept())
    second.open(first.seal(DATA, 0))
    assert second.is_confirmed


def test_an_ack_confirms() -> None:
    first, second = pair()
    second.open_ack(first.ack(Ack(0, 0)))
    assert second.is_confirmed


def test_an_unknown_peer_is_not_sealed_before_its_accept() -> None:
    first = dialer(is_known=False)
    assert not first.can_seal
    second = acceptor(first.offer(1))
    reset = first.seal_early(frame(MessageType.RESET, 0, bytes(4)), 0)
    assert second.open(reset).message_type is MessageType.RESET
    first.open_accept(second.accept())
    sealed = first.write_seal(4, b"h" * 32, Ack(7, 0))
    seal = Seal(b"h" * 32, Ack(7, 2))
    assert second.open_seal(sealed) == (4, seal, True)
    assert second.open_seal(sealed) == (4, seal, False)
    assert second.open(first.seal_early(frame(MessageType.RESET), 0)).counter == 3


def test_another_accept_changes_no_keys() -> None:
    first, second = pair()
    other = AcceptorSealer(
        ID, SENDER, ADDRESS, read_offer(first.offer(1), SENDER, ADDRESS), Accept(b"b" * 32)
    )
    first.open_accept(other.accept())
    assert second.open(first.seal(DATA, 0)).frame == DATA


def test_a_copy_of_the_offer_is_known() -> None:
    first = dialer()
    second = acceptor(first.offer(1))
    assert second.is_same(read_offer(first.offer(1), SENDER, ADDRESS))
    other = DialerSealer(ID, SENDER, ADDRESS, dialer_random=b"o" * 32, is_known=True)
    assert not second.is_same(read_offer(other.offer(1), SENDER, ADDRESS))


def test_a_resume_holds_for_its_tag_and_address() -> None:
    first, second = pair()
    resume = first.resume(2, Ack(5, 0), OTHER, ADDRESS)
    refuses(lambda each: second.open_resume(each, SENDER, ADDRESS), resume)
    fields = second.open_resume(resume, OTHER, ADDRESS)
    assert (fields.move, fields.ack.next_expected) == (2, 5)
    assert second.open_resume(resume, OTHER, ADDRESS) == fields
    refuses(second.open_ack, resume)


def test_frames_of_another_type_are_refused_where_they_do_not_belong() -> None:
    first, second = pair()
    refuses(second.open, first.ack(Ack(0, 0)))
    refuses(second.open_ack, first.write_seal(0, bytes(32), Ack(0, 0)))
    refuses(second.open_seal, first.ack(Ack(0, 0)))
    refuses(first.open_accept, first.offer(1))
    refuses(lambda each: read_offer(each, SENDER, ADDRESS), second.accept())
    refuses(dialer().open_ack, second.ack(Ack(0, 0)))
