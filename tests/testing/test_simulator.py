"""The simulator: some hundred seeds of every pairing, and proof that it notices what is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from nymproxy.channel import Segment, SegmentKind
from nymproxy.errors import ClientDisconnected, StreamDataLost, StreamIdleTimeout, StreamReset
from nymproxy.legacy.protocol import LegacyProtocol
from nymproxy.legacy.traits import ClientTraits, LegacySettings, ServerTraits
from nymproxy.mixnet.traffic import ReplyController
from nymproxy.stream.codec import StreamCodec
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import STREAM_RULES, StreamOptions
from nymproxy.testing.simulator import (
    SimulatedFaults,
    SimulationFailure,
    SimulationPlan,
    Workload,
    harsh_plan,
    random_plan,
    simulate,
    simulate_many,
)
from tests.channel.builders import changed_rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.channel import ChannelId, ChannelProtocol
    from nymproxy.channel.rules import ChannelRules
    from nymproxy.mixnet.traffic import ReplyActions

RUST = StreamOptions(extensions=False)
PAIRINGS: dict[str, Callable[[], tuple[ChannelProtocol, ChannelProtocol]]] = {
    "nx1": lambda: (StreamProtocol(), StreamProtocol()),
    "to a plain acceptor": lambda: (StreamProtocol(), StreamProtocol(RUST)),
    "from a plain dialer": lambda: (StreamProtocol(RUST), StreamProtocol()),
    "legacy": lambda: (LegacyProtocol(), LegacyProtocol()),
    "legacy, old client": lambda: (
        LegacyProtocol(LegacySettings(session_id_version=4)),
        LegacyProtocol(LegacySettings(close_to_legacy_clients=True)),
    ),
}


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_every_byte_and_both_ends_arrive(pairing: str) -> None:
    for seed in range(30):  # a thousand are exhaustive
        dialer, acceptor = PAIRINGS[pairing]()
        result = simulate(seed, dialer=dialer, acceptor=acceptor)
        for side, peer in (
            (result.dialer, result.acceptor),
            (result.acceptor, result.dialer),
        ):
            assert side.error is None, f"seed {seed}"
            assert side.received == peer.written, f"seed {seed}"
            assert side.saw_end, f"seed {seed}"


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_whatever_breaks_is_seen_and_no_byte_is_wrong(pairing: str) -> None:
    for seed in range(60):
        dialer, acceptor = PAIRINGS[pairing]()
        simulate(seed, harsh_plan(seed), dialer=dialer, acceptor=acceptor)


def test_a_run_is_a_function_of_its_seed() -> None:
    for seed in range(5):
        first, second = simulate(seed), simulate(seed)
        assert first == second
    assert random_plan(1) != random_plan(2)
    assert simulate_many(range(3)) == 3


class _LateSession(LegacyProtocol):
    """Sessions that are old already: both directions are at 65500."""

    def dial(self, channel_id: ChannelId, to: NymAddress) -> ServerTraits:
        traits = super().dial(channel_id, to)
        traits.is_modern = True
        traits.pacing = None
        traits.rules = self._aged(traits.rules)
        return traits

    def answer(self, segment: Segment) -> ClientTraits:
        traits = super().answer(segment)
        traits.rules = self._aged(traits.rules)
        return traits

    def _aged(self, rules: ChannelRules) -> ChannelRules:
        return changed_rules(rules, first_send_sequence=65500, first_receive_sequence=65500)


def test_numbers_wrap_within_a_legacy_session() -> None:
    """Between Python peers, behind the 65536th message, with faults."""
    plan = SimulationPlan(
        dialer=Workload(total=20_000, write_size=200, write_pause=0.05),
        acceptor=Workload(total=20_000, write_size=200, write_pause=0.05),
        up=SimulatedFaults(delay=(0.05, 1.0), loss=0.05, duplication=0.1),
        down=SimulatedFaults(delay=(0.05, 1.0), loss=0.05, duplication=0.1),
    )
    result = simulate(1, plan, dialer=_LateSession(), acceptor=_LateSession())
    assert result.dialer.messages > 40
    assert result.acceptor.received == result.dialer.received == 20_000
    assert result.acceptor.saw_end
    assert result.dialer.saw_end


def test_a_dead_peer_is_noticed_when_nothing_was_to_be_sent() -> None:
    plan = SimulationPlan(dialer=Workload(total=400_000, dies_at=0.3), acceptor=Workload(total=0))
    result = simulate(1, plan)
    assert isinstance(result.dialer.error, ClientDisconnected)
    assert isinstance(result.acceptor.error, StreamIdleTimeout)
    assert result.acceptor.ended_at == pytest.approx(1800, rel=0.1)


def test_a_dead_peer_is_noticed_when_it_sends_no_more_surbs() -> None:
    plan = SimulationPlan(dialer=Workload(total=400_000, dies_at=0.3), acceptor=Workload())
    result = simulate(1, plan)
    assert isinstance(result.acceptor.error, StreamDataLost)
    assert 60 < result.acceptor.ended_at < 120  # five repeated requests, ten seconds each


def _serve_below_the_reserve(
    self: ReplyController, tag: SenderTag, correspondent: Any, now: float, actions: ReplyActions
) -> None:
    """As ``ReplyController._serve``, but for the reserve."""
    while len(correspondent.stock):
        following = correspondent.next_waiting(actions.dropped)
        if following is None:
            break
        lane, fragment = following
        fragment.surb = correspondent.stock.take()
        actions.ready.append((lane, fragment))
    self._requests.by_need(tag, correspondent, now, actions)


def test_a_reserve_that_is_not_kept_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replies that use up the SURBs of the requests for more wait in vain."""
    monkeypatch.setattr(ReplyController, "_serve", _serve_below_the_reserve)
    failed = [seed for seed in range(60) if simulate(seed).acceptor.error is not None]
    assert len(failed) > 3


@pytest.mark.exhaustive
def test_a_thousand_conversations() -> None:
    assert simulate_many(range(1000)) == 1000


def test_a_message_given_up_fails_both_sides() -> None:
    plan = SimulationPlan(dialer=Workload(total=400_000), up=SimulatedFaults(loss=0.3, attempts=2))
    result = simulate(3, plan)
    assert isinstance(result.dialer.error, StreamDataLost)
    assert isinstance(result.acceptor.error, StreamReset | StreamDataLost | type(None))
    assert result.acceptor.received < 400_000


def test_time_passes_only_inside() -> None:
    plan = replace(random_plan(1), accept_after=7200.0)
    result = simulate(1, plan)
    assert result.acceptor.ended_at > 1800


class _SkippingCodec(StreamCodec):
    """A peer that loses every tenth frame and says nothing: what Rust does on overflow."""

    def decode(self, payload: bytes) -> Segment:
        segment = super().decode(payload)
        if segment.kind is SegmentKind.DATA and segment.sequence >= 3:
            return replace(segment, sequence=segment.sequence - 1)
        return segment


class _DamagingCodec(StreamCodec):
    def decode(self, payload: bytes) -> Segment:
        segment = super().decode(payload)
        if segment.payload and segment.sequence == 2:
            return replace(segment, payload=bytes(len(segment.payload)))
        return segment


class _ForgetfulCodec(StreamCodec):
    """Never lets the end of a direction through."""

    def decode(self, payload: bytes) -> Segment:
        segment = super().decode(payload)
        if segment.kind is SegmentKind.FIN:
            return replace(segment, kind=SegmentKind.HELLO)
        return segment


@pytest.mark.parametrize(
    ("codec", "complaint"),
    [
        (_SkippingCodec(), "wrong bytes|an end after"),
        (_DamagingCodec(), "wrong bytes"),
        (_ForgetfulCodec(), "neither an end nor an error"),
    ],
    ids=["skips", "damages", "forgets the end"],
)
def test_it_notices_a_broken_peer_and_names_the_seed(codec: StreamCodec, complaint: str) -> None:
    rules = changed_rules(STREAM_RULES, idle_timeout_seconds=float("inf"))

    class Broken(StreamProtocol):
        pass

    Broken.codec = codec
    plan = SimulationPlan(
        dialer=Workload(total=100_000, write_size=5_000, write_pause=0.2), until=600.0
    )
    with pytest.raises(SimulationFailure, match=f"^seed 11: .*({complaint})"):
        simulate(11, plan, acceptor=Broken(StreamOptions(rules=rules)))
