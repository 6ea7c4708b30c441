"""What each side concludes from what it sees of the other."""

from __future__ import annotations

import logging
import math
import uuid
from dataclasses import replace

import pytest

from nymproxy.address import SenderTag
from nymproxy.channel import (
    AbortSignal,
    Capability,
    ChannelId,
    EndSignal,
    PeerMemory,
    Segment,
    SegmentKind,
)
from nymproxy.channel.link import Admission, LinkContext
from nymproxy.channel.machine import ChannelMachine
from nymproxy.errors import ConfigurationError, ResetCode
from nymproxy.legacy.codec import LegacyCodec
from nymproxy.legacy.message import Close, Data, ProxiedMessage
from nymproxy.legacy.protocol import LegacyProtocol
from nymproxy.legacy.quirks import OldClientQuirks
from nymproxy.legacy.traits import ClientTraits, LegacySettings, ServerTraits
from tests.legacy.addresses import some_address

SERVER = some_address()
V8 = ChannelId(uuid.UUID("2489e9ad-2ee2-8e00-8ec9-32d5f69181c0").int)
V4 = ChannelId(uuid.UUID("00112233-4455-4677-8899-aabbccddeeff").int)
GREETING = Segment(SegmentKind.DATA, V8, 0, b"", Capability.SINGLE_CLOSE)
DATA = Segment(SegmentKind.DATA, V8, 0, b"x")


def dial(settings: LegacySettings | None = None, memory: PeerMemory | None = None) -> ServerTraits:
    protocol = LegacyProtocol(settings, packet_rate=50.0, memory=memory)
    return protocol.dial(protocol.new_channel_id(lambda count: bytes(count)), SERVER)


def dial_modern() -> ServerTraits:
    """A dialer's traits after the server has shown itself."""
    traits = dial()
    traits.segment_received(GREETING)
    return traits


def answer(channel_id: ChannelId, settings: LegacySettings | None = None) -> ClientTraits:
    return LegacyProtocol(settings).answer(Segment(SegmentKind.DATA, channel_id, 0))


def test_r1_our_session_ids_are_version_8_and_ids_start_at_zero() -> None:
    protocol = LegacyProtocol()
    session_id = uuid.UUID(int=protocol.new_channel_id(lambda count: b"\xff" * count))
    assert (session_id.version, session_id.variant) == (8, uuid.RFC_4122)
    assert dial().rules.order.first_send_sequence == 0


def test_r2_what_a_server_expects_first() -> None:
    modern, old = answer(V8), answer(V4)
    assert modern.rules.order.first_receive_sequence == 0
    assert old.rules.order.first_receive_sequence == 1
    zero = Segment(SegmentKind.DATA, V4, 0, b"x")
    assert not modern.quirks(5.0).admits(zero)
    assert old.quirks(5.0).admits(zero)
    assert old.quirks(5.0).holds_until == -math.inf
    grace = LegacySettings(zero_grace_seconds=0.5)
    assert answer(V4, grace).quirks(5.0).holds_until == 5.5
    assert answer(V8, grace).quirks(5.0).holds_until == -math.inf


def test_r3_a_client_expects_zero_first() -> None:
    assert dial().rules.order.first_receive_sequence == 0


def test_r4_ids_are_16_bits_and_wrap_only_between_ours() -> None:
    for traits in (dial(), answer(V8), answer(V4)):
        assert traits.rules.order.sequence_modulus == 65536
        assert traits.rules.order.gap_timeout_seconds == 120
        assert traits.rules.order.reorder_limit_frames == 4096
        assert traits.rules.order.reorder_limit_bytes == 64 * 1024 * 1024
    assert answer(V8).last_send_index is None
    assert answer(V4).last_send_index == 65534
    assert dial().last_send_index == 65534
    assert dial_modern().last_send_index is None


@pytest.mark.parametrize(
    ("channel_id", "kind", "number", "opens"),
    [
        (V8, SegmentKind.DATA, 0, True),
        (V8, SegmentKind.FIN, 0, True),
        (V8, SegmentKind.DATA, 1, False),
        (V8, SegmentKind.RESET, 0, False),
        (V4, SegmentKind.DATA, 0, True),
        (V4, SegmentKind.DATA, 1, True),
        (V4, SegmentKind.FIN, 1, True),
        (V4, SegmentKind.DATA, 2, False),
    ],
)
def test_only_the_first_message_opens_a_session(
    channel_id: ChannelId, kind: SegmentKind, number: int, opens: bool
) -> None:
    assert LegacyProtocol().opens(Segment(kind, channel_id, number)) is opens


def test_questions_are_empty_messages_of_sessions_of_ours_that_are_not_the_first() -> None:
    protocol = LegacyProtocol()
    assert protocol.asks(Segment(SegmentKind.DATA, V8, 1))
    for other in (
        Segment(SegmentKind.DATA, V8, 0),
        Segment(SegmentKind.DATA, V8, 1, b"x"),
        Segment(SegmentKind.FIN, V8, 1),
        Segment(SegmentKind.DATA, V4, 2),
    ):
        assert not protocol.asks(other)


def test_a_client_is_expected_to_go_on_asking_once_it_has_asked() -> None:
    modern, old = answer(V8), answer(V4)
    for traits, channel_id in ((modern, V8), (old, V4)):
        traits.segment_received(Segment(SegmentKind.DATA, channel_id, 0))
        assert traits.rules.quiet.dead_seconds is None
        for number in (2, 3):
            traits.segment_received(Segment(SegmentKind.DATA, channel_id, number))
    assert modern.rules.quiet.dead_seconds == 100
    assert old.rules.quiet.dead_seconds is None


def test_a_client_says_with_its_first_message_that_it_will_ask() -> None:
    first = dial().stamp(Segment(SegmentKind.DATA, V8, 0, b"request"))
    second = dial().stamp(Segment(SegmentKind.DATA, V8, 1, b"more"))
    close = dial().stamp(Segment(SegmentKind.FIN, V8, 0))
    like_an_old_one = dial(LegacySettings(session_id_version=4))
    for segment in (second, close, like_an_old_one.stamp(Segment(SegmentKind.DATA, V4, 1))):
        assert segment.capabilities is None
    codec = LegacyProtocol().codec
    read = codec.decode(codec.encode(first))
    assert read.capabilities == Capability.ASKS
    server = answer(V8)
    server.segment_received(read)
    assert server.rules.quiet.dead_seconds == 100
    of_an_old_one = answer(V4)
    of_an_old_one.segment_received(replace(read, channel_id=V4))
    assert of_an_old_one.rules.quiet.dead_seconds is None


def test_questions_bring_surbs_and_wait_for_a_server_of_ours() -> None:
    client = dial(LegacySettings(surbs_per_message=1))
    wake_up = client.quirks(0.0)
    wake_up.numbered(b"request")
    wake_up.all_acknowledged(1.0)
    assert wake_up.empty_at == math.inf
    client.segment_received(GREETING)
    assert wake_up.empty_at == 21.0
    question = Segment(SegmentKind.DATA, V8, 1)
    assert client.surbs(question, first=False) == 3
    assert client.surbs(question, first=True) == 100
    assert client.surbs(replace(question, payload=b"x"), first=False) == 1


def test_r5_the_second_close_is_for_old_servers() -> None:
    client = dial()
    assert client.end_signal is EndSignal.FIN
    client.segment_received(DATA)
    assert client.repeat_end_after_seconds == 3.0
    assert dial_modern().repeat_end_after_seconds is None
    assert answer(V8).repeat_end_after_seconds is None


def test_r6_close_goes_to_clients_that_understand_it() -> None:
    assert answer(V8).end_signal is EndSignal.FIN
    assert answer(V8).abort_signal is AbortSignal.RESET
    assert answer(V4).end_signal is EndSignal.NONE
    assert answer(V4).abort_signal is AbortSignal.NONE
    assert not answer(V4).may_send(SegmentKind.FIN)
    asked_for = LegacySettings(close_to_legacy_clients=True)
    assert answer(V4, asked_for).end_signal is EndSignal.FIN


def test_d7_an_old_client_that_has_ended_gets_few_messages_and_is_nudged() -> None:
    fin = Segment(SegmentKind.FIN, V4, 1)
    old, modern = answer(V4), answer(V8)
    before = old.max_payload_bytes
    for traits in (old, modern):
        traits.segment_received(fin)
    assert old.max_unsent_messages == 1
    assert isinstance(old.quirks(0.0), OldClientQuirks)
    assert old.max_payload_bytes > before == modern.max_payload_bytes
    assert modern.max_unsent_messages > 1
    assert not isinstance(modern.quirks(0.0), OldClientQuirks)


def test_r7_limits() -> None:
    client = dial(LegacySettings(close_timeout_seconds=30)).rules.quiet
    assert client.answer_timeout_seconds == 30
    assert client.idle_timeout_seconds == 30 * 60
    server = answer(V8).rules.quiet
    assert server.idle_timeout_seconds == 30 * 60
    assert server.half_closed_timeout_seconds == 10 * 60
    assert server.answer_timeout_seconds is None


def test_r7_silence_after_the_end_is_an_end_only_where_no_close_can_come() -> None:
    client = dial()
    assert not client.peer_signals_end
    client.segment_received(GREETING)
    assert client.peer_signals_end


def test_r9_old_servers_are_paced_and_get_larger_messages() -> None:
    client = dial()
    assert client.pacing is not None
    assert client.max_payload_bytes == 64 * 1024
    assert client.max_unsent_messages == 1
    modern = dial_modern()
    assert modern.pacing is None
    assert modern.max_payload_bytes == 32 * 1024
    assert modern.max_unsent_messages > 1


def test_r10_surbs() -> None:
    client = dial()
    assert client.surbs(DATA, first=True) == 100
    assert client.surbs(DATA, first=False) == 0
    parity = dial(LegacySettings(surbs_per_message=100))
    assert parity.surbs(DATA, first=False) == 100
    with pytest.raises(ConfigurationError):
        LegacySettings(surbs_initial=19)


def test_r11_wake_up() -> None:
    assert dial().quirks(5.0).empty_at == 6.0
    assert answer(V8).quirks(5.0).empty_at == math.inf


def test_r13_windows() -> None:
    rules = dial(LegacySettings(reorder_limit_bytes=1000)).rules
    assert rules.sending.send_window_bytes == 256 * 1024
    assert rules.flow.unread_limit_bytes == 1000


def test_r14_a_server_shows_itself_in_sessions_of_version_8_only() -> None:
    modern, old = answer(V8), answer(V4)
    assert modern.stamp(DATA).capabilities == Capability.SINGLE_CLOSE
    assert old.stamp(DATA).capabilities is None
    assert modern.greets_with_data
    assert not old.greets_with_data
    assert Capability.SINGLE_CLOSE not in (dial().stamp(DATA).capabilities or Capability.NONE)


def test_a_server_shows_that_it_accepts_streams_and_that_is_remembered() -> None:
    memory = PeerMemory()
    for accepts in (True, False):
        protocol = LegacyProtocol(accepts_streams=accepts)
        shown = protocol.answer(Segment(SegmentKind.DATA, V8, 0)).stamp(DATA)
        assert shown.capabilities is not None
        dial(memory=memory).segment_received(shown)
        known = memory.recall(SERVER)
        assert known == shown.capabilities
        assert (Capability.STREAMS in known) is accepts
        old = protocol.answer(Segment(SegmentKind.DATA, V4, 1)).stamp(DATA)
        assert old.capabilities is None


def test_a_server_for_streams_alone_is_no_server_that_honours_a_single_close() -> None:
    client = dial()
    client.segment_received(replace(DATA, capabilities=Capability.STREAMS))
    assert not client.is_modern
    assert client.pacing is not None


def test_r14_a_flag_that_is_not_set_teaches_nothing() -> None:
    client = dial()
    client.segment_received(Segment(SegmentKind.DATA, V8, 0, b"", Capability.NONE))
    assert not client.is_modern


def test_r14_what_was_learned_holds_for_later_sessions_with_the_same_server() -> None:
    memory = PeerMemory()
    assert not dial(memory=memory).is_modern
    dial(memory=memory).segment_received(GREETING)
    again = dial(memory=memory)
    assert again.is_modern
    assert again.pacing is None
    other = LegacyProtocol(memory=memory).dial(V8, some_address("another"))
    assert not other.is_modern


def test_version_4_looks_like_an_old_client() -> None:
    settings = LegacySettings(session_id_version=4)
    client = dial(settings)
    assert client.rules.order.first_send_sequence == 1
    assert client.quirks(0.0).empty_at == math.inf
    assert client.last_send_index == 65533  # id 65534
    session_id = LegacyProtocol(settings).new_channel_id(lambda count: bytes(count))
    assert uuid.UUID(int=session_id).version == 4


@pytest.mark.parametrize(
    "settings",
    [
        {"close_timeout_seconds": -1.0},
        {"close_timeout_seconds": math.nan},
        {"pacing_seconds": -0.1},
        {"surbs_per_message": -1},
        {"session_id_version": 7},
    ],
)
def test_settings_that_cannot_work(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        LegacySettings(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("traits", [dial(), answer(V8)], ids=["client", "server"])
def test_sent_messages_are_logged_as_the_old_programs_log_them(
    traits: ServerTraits | ClientTraits, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "nymproxy"):
        traits.stamp(Segment(SegmentKind.DATA, V8, 7, b"secret"))
    (line,) = caplog.messages
    assert line.startswith(("Sent message with id 7 ", "Sent reply with id 7 "))
    assert "6 bytes" in line
    assert "secret" not in line


def test_both_sides_know_ends() -> None:
    assert dial().abort_signal is AbortSignal.FIN
    assert dial().may_send(SegmentKind.FIN)
    assert dial().may_send(SegmentKind.RESET)  # it may be ours and not have shown itself yet
    assert not dial(LegacySettings(session_id_version=4)).may_send(SegmentKind.RESET)
    assert answer(V4).peer_signals_end
    assert answer(V8).may_send(SegmentKind.RESET)
    assert not answer(V4).may_send(SegmentKind.RESET)  # it may write data again, without end


def test_sessions_are_never_sealed() -> None:
    """The format has no room for it: the links are plain ones, whatever the client can."""
    protocol = LegacyProtocol()
    able = LinkContext(
        (SERVER,),
        lambda _: SERVER,
        lambda _: SenderTag(bytes(16)),
        lambda _: 0,
        bytes,
        lambda: 0.0,
        lambda: True,
        lambda _: 0.0,
        is_restored=False,
    )
    for context in (None, able):
        linker = protocol.linker(context)
        assert linker.admit(DATA, SenderTag(bytes(16)), 0.0) is Admission.TAKE
        machine = ChannelMachine(V8, dial(), is_dialer=True, now=0.0)
        machine.app_wrote(b"x")
        message = linker.dial(machine, SERVER, 0.0).next_message(0.0)
        assert message is not None
        assert ProxiedMessage.decode(message.payload).message == Data(b"x")


def test_a_trailer_with_other_abilities_makes_no_server_modern() -> None:
    traits = dial()
    traits.segment_received(replace(GREETING, capabilities=Capability.FLOW_CONTROL))
    assert not traits.is_modern


def test_an_abort_says_so_before_the_server_has_shown_itself() -> None:
    """What breaks off within the first round trip must not look like a whole upload."""
    machine = ChannelMachine(V8, dial(), is_dialer=True, now=0.0)
    machine.app_wrote(b"half an upload")
    first = machine.next_outgoing(0.0)
    assert first is not None
    machine.abort(ResetCode.CANCELLED, "")
    end = machine.next_outgoing(0.0)
    assert end is not None
    assert (end.segment.kind, end.segment.sequence) == (SegmentKind.RESET, 1)
    encoded = LegacyCodec().encode(end.segment)
    assert isinstance(ProxiedMessage.decode(encoded).message, Close)  # all that an old server sees
    assert LegacyCodec().decode(encoded).kind is SegmentKind.RESET


def test_each_message_of_a_server_shows_it_again() -> None:
    memory = PeerMemory()
    traits = dial(memory=memory)
    for _ in range(2):
        traits.segment_received(GREETING)
        assert memory.recall(SERVER) == GREETING.capabilities
    assert traits.is_modern
