"""Streams that move, message by message: under another tag, and to another address."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nymproxy.address import NodeIdentity, NymAddress, SenderTag, ToldAddress
from nymproxy.channel import PeerMemory
from nymproxy.channel.aliases import MAX_ALIASES
from nymproxy.channel.fate import Fate
from nymproxy.channel.link import OPENINGS_SECONDS, Message
from nymproxy.errors import (
    ClientDisconnected,
    DeliveryAbandoned,
    StreamPeerLost,
    TopologyUnavailable,
    UnknownGateway,
)
from nymproxy.stream.codec import TYPE_OFFSET, MessageType, StreamFrame
from nymproxy.stream.nx2 import ended
from nymproxy.stream.nx2.accepting import AcceptorLink
from nymproxy.stream.nx2.dialing import DialerLink
from nymproxy.stream.nx2.linker import Nx2Linker
from nymproxy.stream.nx2.receipts import END_SECONDS
from tests.stream.nx2.builders import ADDRESS
from tests.stream.nx2.test_links import SENDER, End, type_of

OTHER = replace(ADDRESS, gateway=NodeIdentity(b"2" * 32))
TOLD = ToldAddress.told(OTHER, ADDRESS)


class Moving:
    """A stream of which both ends have the keys; the acceptor has two addresses."""

    def __init__(self, *, is_known: bool = True, acceptor_seed: int = 2) -> None:
        memory = PeerMemory()
        if is_known:
            memory.remember_sealed(ADDRESS)
        self.dialer = End(1, memory=memory)
        self.acceptor = End(acceptor_seed, addresses=(ADDRESS, OTHER))
        self.identity = 0
        self.gone: set[NymAddress] = set()
        self.gone_acks = False  # their gateways work, and do not reach the acceptor
        self.dialer.tag_for = self.tag_for
        self.acceptor.table.listen(self.acceptor.protocol, 8, 0.0)
        self.dialer.dial()

    @classmethod
    def established(cls, *, acceptor_seed: int = 2) -> Moving:
        pair = cls(acceptor_seed=acceptor_seed)
        pair.say("hello")
        assert pair.heard() == b"hello"
        return pair

    def tag_for(self, to: NymAddress) -> SenderTag:
        if not self.identity and to == ADDRESS:
            return SENDER
        return SenderTag(bytes([self.identity, to == TOLD, to == OTHER, 0]) * 4)

    @property
    def dialed(self) -> DialerLink:
        link = self.dialer.link
        assert isinstance(link, DialerLink)
        return link

    @property
    def accepted(self) -> AcceptorLink:
        link = self.acceptor.link
        assert isinstance(link, AcceptorLink)
        return link

    @property
    def address(self) -> NymAddress:
        moved_to = self.dialed.moved_to if self.dialer.table.links else None
        return moved_to if isinstance(moved_to, NymAddress) else ADDRESS

    def carry(self, message: Message, to: NymAddress | None = None) -> None:
        """Carry what the dialer sends to where it sends it."""
        to = to or self.address
        here = ADDRESS if to.is_where(ADDRESS) else OTHER
        if here not in self.gone:
            tag = self.tag_for(to)
            self.acceptor.written_to[tag] = here
            self.acceptor.take(message.payload, tag)

    def dialer_sends(self) -> list[Message]:
        """What leaves the dialer's link; packets to a gateway that is gone stay unanswered."""
        link, now = self.dialer.link, self.dialer.now
        messages = []
        while (message := link.next_message(now)) is not None:
            link.handed_over(message, 1, now)
            is_up = self.gone_acks or self.address not in self.gone
            link.delivery_changed(message, Fate(is_sent=True, is_acknowledged=is_up), now)
            messages.append(message)
        return messages

    def exchange(self, rounds: int = 4) -> None:
        for _ in range(rounds):
            if self.dialer.table.links:
                for message in self.dialer_sends():
                    self.carry(message)
            while self.dialer.table.strays:
                stray = self.dialer.table.strays.popleft()
                assert isinstance(stray.to, NymAddress)
                self.carry(Message(stray.payload), stray.to)
            for message in self.acceptor.send():
                self.dialer.take(message.payload, None)

    def pass_time(self, seconds: float, step: float = 0.5) -> None:
        for _ in range(int(seconds / step)):
            self.dialer.pass_time(step)
            self.acceptor.pass_time(step)
            self.exchange()

    def say(self, text: str) -> None:
        self.dialer.machine.app_wrote(text.encode())
        self.pass_time(3)

    def heard(self) -> bytes:
        inbound = self.acceptor.machine.inbound
        return inbound.read(100_000) if self.acceptor.machine.is_readable else b""

    def new_client(self) -> None:
        """The dialer's client is another one now, and nothing of the old one arrives."""
        self.identity += 1
        self.dialer.table.client_moved(self.dialer.now)


def test_a_stream_goes_on_under_the_tag_of_another_client() -> None:
    pair = Moving.established()
    pair.dialer.machine.app_wrote(b"lost with the old client, ")
    assert pair.dialer_sends()
    pair.new_client()
    assert pair.dialed.moves == 0  # messages go where they went before
    (resume,) = pair.dialer_sends()
    assert type_of(resume) is MessageType.RESUME
    assert resume.surbs == 20
    pair.carry(resume)
    pair.say("said after")
    assert not pair.dialed.is_moving
    assert pair.heard() == b"lost with the old client, said after"
    assert pair.accepted.moved_to == pair.tag_for(ADDRESS)
    pair.acceptor.machine.app_wrote(b"answer")
    pair.exchange()
    assert pair.dialer.machine.inbound.read(100) == b"answer"


def test_a_resume_is_repeated_with_the_same_number_and_few_surbs() -> None:
    pair = Moving.established()
    pair.new_client()
    (first,) = pair.dialer_sends()
    pair.dialer.pass_time(3.5)
    (again,) = pair.dialer_sends()
    assert type_of(again) is MessageType.RESUME
    assert again.surbs == 3
    for message in (again, first, again):  # out of order, and twice
        pair.carry(message)
    assert pair.accepted.moves == 1
    pair.say("on")
    assert pair.heard() == b"on"


def test_what_overtakes_the_resume_is_not_lost() -> None:
    pair = Moving.established()
    pair.dialer.machine.app_wrote(b"overtakes")
    (data,) = pair.dialer_sends()
    pair.new_client()
    pair.carry(data)
    assert pair.heard() == b""
    pair.exchange()
    assert pair.heard() == b"overtakes"


def test_old_resumes_do_not_bring_a_stream_back() -> None:
    pair = Moving.established()
    pair.new_client()
    (first,) = pair.dialer_sends()
    pair.carry(first)
    first_tag = pair.tag_for(ADDRESS)
    pair.new_client()
    pair.exchange()
    assert pair.accepted.moved_to == pair.tag_for(ADDRESS)
    pair.acceptor.take(first.payload, first_tag)
    assert pair.accepted.moved_to == pair.tag_for(ADDRESS)


def test_nobody_but_the_dialer_resumes_a_stream() -> None:
    pair = Moving.established()
    pair.new_client()
    (resume,) = pair.dialer_sends()
    altered = resume.payload[:-1] + bytes([resume.payload[-1] ^ 1])
    pair.carry(Message(altered))
    thief = SenderTag(b"t" * 16)
    pair.acceptor.take(resume.payload, thief)  # a copy under another tag
    pair.acceptor.take(resume.payload, None)
    assert pair.accepted.moves == 0
    answers = [stray.payload[TYPE_OFFSET] for stray in pair.acceptor.table.strays]
    assert answers == [MessageType.RESET] * 2
    # Such a RESET ends nothing: it makes the dialer ask.
    pair.carry(resume)
    pair.exchange()
    assert pair.dialer.machine.error is None


def test_a_restarted_acceptor_ends_what_it_is_asked_to_resume() -> None:
    pair = Moving.established()
    pair.acceptor = End(3, addresses=(ADDRESS, OTHER))
    pair.new_client()
    pair.pass_time(5)
    assert isinstance(pair.dialer.machine.error, StreamPeerLost)


def test_a_stream_that_the_acceptor_has_forgotten_since_it_is_over_ends_in_order() -> None:
    pair = Moving.established()
    pair.acceptor.machine.app_finished()
    pair.pass_time(3)
    pair.dialer.machine.app_finished()
    for message in pair.dialer_sends():
        pair.carry(message)
    pair.acceptor.pass_time(END_SECONDS)
    assert pair.acceptor.send()  # that tells that the end has come, and is lost
    (key,) = pair.acceptor.table.links
    assert pair.accepted.is_over
    pair.acceptor.table.remove(key, SENDER, pair.acceptor.now)
    pair.new_client()
    (resume,) = pair.dialer_sends()
    assert type_of(resume) is MessageType.RESUME
    pair.carry(resume)
    pair.exchange()
    assert pair.dialed.is_over
    assert pair.dialer.machine.error is None


def test_a_stream_that_is_over_answers_no_resume_of_another_one_with_its_id() -> None:
    one, other = Moving.established(), Moving.established(acceptor_seed=3)
    (key,) = one.acceptor.table.links
    one.acceptor.table.remove(key, SENDER, one.acceptor.now)
    other.new_client()
    (resume,) = other.dialer_sends()
    one.carry(resume)
    answers = [stray.payload[TYPE_OFFSET] for stray in one.acceptor.table.strays]
    assert answers == [MessageType.RESET]  # unsealed: it tells that there is no such stream


def test_few_streams_are_kept_for_dialers_that_do_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended, "MAX_ENDED", 0)
    pair = Moving.established()
    key, tag = next(iter(pair.acceptor.table.links)), SENDER
    pair.acceptor.table.remove(key, tag, pair.acceptor.now)
    pair.new_client()
    pair.pass_time(5)
    assert isinstance(pair.dialer.machine.error, StreamPeerLost)


def test_a_stream_without_keys_fails_with_its_client() -> None:
    pair = Moving(is_known=False)
    assert pair.dialer_sends()
    assert not pair.dialer.table.may_move(0.0)  # its gateway may come back
    assert pair.dialer.table.may_move(OPENINGS_SECONDS)
    pair.new_client()
    assert isinstance(pair.dialer.machine.error, ClientDisconnected)


@pytest.mark.parametrize("is_known", [True, False])
def test_a_stream_moves_as_soon_as_its_dialer_has_the_keys(is_known: bool) -> None:
    """Nothing of the dialer has come under the final keys but the RESUME itself."""
    pair = Moving(is_known=is_known)
    pair.dialer.machine.app_wrote(b"first ")
    for message in pair.dialer_sends():
        pair.carry(message)
    for message in pair.acceptor.send():
        pair.dialer.take(message.payload, None)
    assert pair.dialed.can_move
    pair.new_client()
    resume, *_ = pair.dialer_sends()
    pair.carry(resume)
    assert pair.accepted.moves == 1
    pair.say("second")
    assert pair.heard() == b"first second"
    pair.acceptor.machine.app_wrote(b"heard")
    pair.pass_time(3)
    assert pair.dialer.machine.inbound.read(100) == b"heard"


def test_a_resume_of_a_stream_whose_offer_has_not_come_moves_nothing() -> None:
    pair = Moving(is_known=False)
    opening, *_ = pair.dialer_sends()
    pair.carry(opening)
    stream_id = int(pair.accepted.machine.channel_id)
    forged = StreamFrame(stream_id, MessageType.RESUME, 0, bytes(60), 0xAF).encode()
    pair.acceptor.take(forged, SenderTag(bytes(16)))
    assert pair.accepted.moves == 0


def test_a_client_with_a_stream_that_can_move_may_move() -> None:
    pair = Moving.established()
    assert pair.dialer.table.may_move(0.0)
    assert not pair.acceptor.table.may_move(1e9)
    pair.acceptor.table.client_moved(0.0)
    assert isinstance(pair.acceptor.machine.error, ClientDisconnected)


def test_a_dialer_looks_elsewhere_when_three_questions_had_no_answer() -> None:
    pair = Moving.established()
    pair.gone.add(ADDRESS)
    pair.gone_acks = True
    pair.pass_time(40)
    assert pair.address == TOLD
    pair.say("found")
    assert pair.heard() == b"found"


def test_a_dialer_finds_the_acceptor_at_its_other_address() -> None:
    pair = Moving.established()
    pair.gone.add(ADDRESS)
    pair.say("which way?")
    assert pair.heard() == b""
    pair.pass_time(10)
    assert pair.heard() == b"which way?"
    assert pair.dialed.moved_to == TOLD
    assert pair.dialed.moves == 1
    assert pair.accepted.moved_to == pair.tag_for(TOLD)
    pair.say("this way")
    assert pair.heard() == b"this way"


def test_an_acceptor_that_answers_where_it_was_is_not_left() -> None:
    pair = Moving.established()
    pair.gone = {ADDRESS, OTHER}
    pair.say("is anybody there?")
    pair.dialer.pass_time(6)
    pair.gone = {OTHER}
    pair.exchange()
    pair.gone = set()
    pair.pass_time(10)
    assert pair.dialed.moves == 0
    assert pair.accepted.moves == 0


def test_a_gateway_that_has_left_the_network_is_silence() -> None:
    pair = Moving.established()
    pair.gone.add(ADDRESS)
    pair.dialer.machine.app_wrote(b"no way")
    link, now = pair.dialed, pair.dialer.now
    message = link.next_message(now)
    assert message is not None
    link.could_not_send(message, UnknownGateway("it is gone"), now)
    assert link.machine.error is None
    pair.pass_time(2)
    assert pair.heard() == b"no way"
    assert link.moved_to == TOLD
    link.could_not_send(message, TopologyUnavailable("nothing at all"), now)
    assert isinstance(link.machine.error, TopologyUnavailable)


def test_an_acceptor_at_one_gateway_is_not_looked_for() -> None:
    pair = Moving()
    pair.acceptor = End(2)
    pair.acceptor.table.listen(pair.acceptor.protocol, 8, 0.0)
    pair.say("hello")
    pair.gone.add(ADDRESS)
    pair.say("lost")
    pair.pass_time(10)
    assert not pair.dialed.is_moving
    message = Message(b"")
    pair.dialed.could_not_send(message, UnknownGateway("it is gone"), 0.0)
    assert isinstance(pair.dialer.machine.error, UnknownGateway)


def test_a_move_that_nobody_answers_ends_the_stream_when_that_could_have_been_heard() -> None:
    pair = Moving.established()

    def wait(seconds: int) -> type:
        for _ in range(seconds):
            pair.dialer.pass_time(1)
            pair.dialer_sends()
        return type(pair.dialer.machine.error)

    pair.new_client()
    pair.dialer.is_connected = False
    assert wait(200) is type(None)
    pair.dialer.is_connected = True
    assert wait(97) is type(None)
    assert wait(5) is StreamPeerLost


def test_what_comes_on_the_old_way_is_taken() -> None:
    pair = Moving.established()
    pair.acceptor.machine.app_wrote(b"on its way")
    on_its_way = pair.acceptor.send()
    pair.new_client()
    for message in on_its_way:
        pair.dialer.take(message.payload, None)
    assert pair.dialed.is_moving
    assert pair.dialer.machine.inbound.read(100) == b"on its way"


def test_a_stream_is_found_by_its_last_tags_only() -> None:
    pair = Moving.established()
    for _ in range(MAX_ALIASES + 2):
        pair.new_client()
        pair.exchange()
    pair.say("still here")
    assert pair.heard() == b"still here"
    pair.dialer.machine.app_finished()
    pair.acceptor.machine.app_finished()
    pair.pass_time(3)
    (key,) = pair.acceptor.table.links
    pair.acceptor.table.remove(key, pair.tag_for(ADDRESS), pair.acceptor.now)
    assert pair.dialed.is_over


def test_what_a_lane_gives_back_after_a_move_is_sent_at_once() -> None:
    pair = Moving.established()
    pair.acceptor.machine.app_wrote(b"to the old tag")
    link, now = pair.accepted, pair.acceptor.now
    message = link.next_message(now)
    assert message is not None
    link.handed_over(message, 1, now)
    pair.new_client()
    for resume in pair.dialer_sends():
        pair.carry(resume)
    lost = DeliveryAbandoned("the lane was discarded")
    link.delivery_changed(message, Fate(error=lost), now)
    pair.exchange()
    assert pair.dialer.machine.inbound.read(100) == b"to the old tag"


def test_streams_of_one_id_are_told_apart_by_their_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended, "MAX_ENDED", 0)
    one, other = Moving.established(), Moving.established(acceptor_seed=3)
    assert one.accepted.machine.channel_id == other.accepted.machine.channel_id
    linker = one.acceptor.table._linkers["stream"]
    assert isinstance(linker, Nx2Linker)
    linker._peers[other.accepted] = SENDER
    linker._moves.add_acceptor(other.accepted)
    other.new_client()
    (resume,) = other.dialer_sends()
    one.carry(resume)  # under the tag that the other one has now
    assert (one.accepted.moves, other.accepted.moves) == (0, 0)
    one.identity = other.identity
    one.carry(resume)
    assert (one.accepted.moves, other.accepted.moves) == (0, 1)
    (key,) = one.acceptor.table.links
    one.acceptor.table.remove(key, SENDER, one.acceptor.now)
    assert linker._moves._acceptors[int(key.channel_id)] == [other.accepted]
