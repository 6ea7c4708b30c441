"""Learning from acks which mixes lose packets: how soon, how rarely wrongly, how much at most."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from nymproxy.mixnet.sphinx import NodeAddress
from nymproxy.mixnet.traffic import Mix, MixTrials
from nymproxy.mixnet.traffic.mix_trials import ERROR_RATE, LEFT_OUT_SECONDS, tail

if TYPE_CHECKING:
    from collections.abc import Callable


def layers_of(size: int) -> list[list[NodeAddress]]:
    return [
        [NodeAddress.parse("192.0.2.1", 1000 * layer + number) for number in range(1, size + 1)]
        for layer in range(1, 4)
    ]


class Network:
    """Mixes, and packets through them that are acknowledged after 0.1 s, or not."""

    def __init__(self, size: int = 5, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.layers = layers_of(size)
        self.trials = MixTrials()
        self.trials.use_layers(self.layers)
        self.now = 0.0
        self.number = 0

    def way(self) -> list[Mix]:
        avoided = self.trials.left_out
        return [
            Mix(layer, self.random.choice([each for each in mixes if each not in avoided]))
            for layer, mixes in enumerate(self.layers)
        ]

    def send(self, is_lost: Callable[[list[Mix]], bool], *, is_reply: bool = False) -> None:
        """Send one packet; its ack, if any, comes before the next."""
        self.number += 1
        identifier = self.number.to_bytes(5, "big")
        mixes = self.way() if is_reply else self.way() + self.way()
        self.trials.left(identifier, mixes, self.now + 0.1, self.now + 0.6)
        if not is_lost(mixes):
            self.trials.acknowledged(identifier, self.now + 0.11)
        self.now += 0.2
        self.trials.look(self.now)

    def send_until_left_out(self, is_lost: Callable[[list[Mix]], bool], limit: int = 500) -> int:
        for count in range(limit):
            if self.trials.left_out:
                return count
            self.send(is_lost)
        raise AssertionError("nothing was learned")

    def loses(self, share: float, address: NodeAddress) -> Callable[[list[Mix]], bool]:
        """One mix loses so many of the packets and acks that pass it."""

        def is_lost(mixes: list[Mix]) -> bool:
            return any(mix.address == address and self.random.random() < share for mix in mixes)

        return is_lost


@pytest.mark.parametrize(("size", "packets"), [(5, 60), (40, 400)])
def test_a_dead_mix_is_left_out(size: int, packets: int) -> None:
    network = Network(size)
    dead = network.layers[1][2]
    assert network.send_until_left_out(network.loses(1.0, dead)) <= packets
    assert network.trials.left_out == {dead}


def test_a_lossy_one_too() -> None:
    network = Network(5)
    lossy = network.layers[0][0]
    assert network.send_until_left_out(network.loses(0.3, lossy)) <= 300
    assert network.trials.left_out == {lossy}


def test_replies_tell_of_the_ways_of_their_acks() -> None:
    network = Network(5)
    dead = network.layers[2][4]
    for _ in range(150):
        network.send(network.loses(1.0, dead), is_reply=True)
    assert network.trials.left_out == {dead}


@pytest.mark.parametrize("size", [5, 10])
@pytest.mark.parametrize("burst", [1, 20])
def test_losses_that_are_nobodys_fault_leave_nothing_out(size: int, burst: int) -> None:
    """Of 5,000 packets one in ten is lost, alone or with 19 others: some 3,000 looks."""
    network = Network(size)
    remaining = 0

    def is_lost(_mixes: list[Mix]) -> bool:
        nonlocal remaining
        if not remaining and network.random.random() < 0.1 / burst:
            remaining = burst
        remaining = max(0, remaining - 1)
        return remaining > 0 or (burst == 1 and network.random.random() < 0.1)

    for _ in range(5_000):
        network.send(is_lost)
        assert not network.trials.left_out


def test_the_stated_chance_is_the_exact_one() -> None:
    """By drawing without looking."""
    source, trials, lost, passed = random.Random(3), 30, 9, 10
    drawn = [
        sum(number < lost for number in source.sample(range(trials), passed)) for _ in range(20_000)
    ]
    for there in range(3, 7):
        assert tail(trials, lost, passed, there) == pytest.approx(
            sum(count >= there for count in drawn) / len(drawn), abs=0.01
        )
    assert tail(trials, lost, passed, 0) == 1
    assert ERROR_RATE <= 1e-6


def test_after_ten_minutes_it_gets_another_chance() -> None:
    network = Network(5)
    network.send_until_left_out(network.loses(1.0, network.layers[0][1]))
    network.now += LEFT_OUT_SECONDS - 1
    assert not network.trials.look(network.now)
    assert network.trials.left_out
    assert network.trials.look(network.now + 2)
    assert not network.trials.left_out
    assert not network.trials.look(network.now + 3)


class TestBounds:
    def test_whoever_drops_on_purpose_has_a_fifth_of_a_layer_left_out(self) -> None:
        """Our gateway drops most of what goes to a mix that is not its own first."""
        network = Network(10)
        honest = frozenset(network.layers[0][1:])
        for _ in range(3_000):
            network.send(lambda mixes: mixes[0].address in honest and network.random.random() < 0.7)
            left_out = network.trials.left_out
            assert len(left_out) <= 2

    @pytest.mark.parametrize("size", [1, 2, 4])
    def test_of_few_none_is_left_out(self, size: int) -> None:
        network = Network(size)
        dead = network.layers[0][0]
        for _ in range(300):
            network.send(network.loses(1.0, dead))
        assert not network.trials.left_out

    def test_more_packets_than_anybody_has_under_way_are_not_looked_at(self) -> None:
        network = Network()
        for number in range(5_000):
            network.trials.left(number.to_bytes(5, "big"), network.way(), 1.0, 2.0)
        assert len(network.trials._waiting) == 2_000

    def test_what_is_known_is_of_the_last_two_minutes_and_thousand_packets(self) -> None:
        network = Network()
        for _ in range(1_500):
            network.send(lambda _mixes: False)
        [ledger] = network.trials._ledgers.values()
        assert len(ledger) == 601  # five a second for two minutes
        for _ in range(2_000):
            network.send(lambda _mixes: False)
            network.now -= 0.199
        assert len(ledger) == 1_000


class TestWhatProvesNothing:
    def test_packets_whose_mixes_nobody_knows(self) -> None:
        trials = MixTrials()
        trials.left(b"12345", (), 1.0, 2.0)
        assert not trials.look(3.0)
        assert not trials._ledgers

    def test_a_time_in_which_no_ack_could_come(self) -> None:
        network = Network()
        for number in range(100):
            network.trials.left(number.to_bytes(5, "big"), network.way(), 1.0, 2.0)
        network.trials.interrupted()
        network.trials.acknowledged(bytes(5), 1.5)
        assert not network.trials.look(3.0)
        assert not network.trials._ledgers

    def test_an_ack_that_comes_before_it_can(self) -> None:
        network = Network()
        network.trials.left(b"12345", network.way(), 1.0, 2.0)
        network.trials.acknowledged(b"12345", 0.5)
        assert not network.trials._ledgers


def test_of_two_copies_the_one_that_was_due_last_before_it_has_come() -> None:
    network = Network()
    first, second = network.way(), network.way()
    network.trials.left(b"12345", first, 1.0, 3.0)
    network.trials.left(b"12345", second, 2.0, 3.0)
    network.trials.acknowledged(b"12345", 1.2)
    network.trials.look(4.0)
    [ledger] = network.trials._ledgers.values()
    assert (len(ledger), ledger.lost) == (2, 1)
    assert all(ledger.lost_through[mix] == (mix in second) for mix in first + second)


def test_with_other_mixes_all_begins_anew_but_who_still_stands_there_stays_left_out() -> None:
    network = Network(5)
    dead = network.layers[0][1]
    network.send_until_left_out(network.loses(1.0, dead))
    moved = [network.layers[0], network.layers[2], network.layers[1]]
    network.trials.use_layers(moved)
    assert network.trials.left_out == {dead}
    network.trials.use_layers(moved)
    assert not network.trials._ledgers
    network.trials.use_layers([moved[1], moved[0], moved[2]])
    assert network.trials.left_out == frozenset()
    network.trials.use_layers([])
