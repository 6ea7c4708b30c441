"""The store of reply keys."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.messages import ReplyKeyStore
from nymproxy.mixnet.messages.payload import reply_key_digest
from tests.messages.builders import Client

if TYPE_CHECKING:
    import pytest


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_a_key_is_handed_out_once() -> None:
    store = ReplyKeyStore()
    store.add([key(1), key(2)], now=0)
    assert store.take(reply_key_digest(key(1)), now=1) == (key(1), None)
    assert store.take(reply_key_digest(key(1)), now=1) is None
    assert store.take(reply_key_digest(key(2)), now=1) == (key(2), None)
    assert len(store) == 0


def test_a_key_lives_a_day() -> None:
    store = ReplyKeyStore()
    store.add([key(1), key(2)], now=10)
    day = 24 * 3600
    assert store.take(reply_key_digest(key(1)), now=10 + day - 1) == (key(1), None)
    assert store.take(reply_key_digest(key(2)), now=10 + day) is None
    store.add([key(3)], now=10 + day)
    store.add([key(4)], now=10 + 2 * day)
    assert len(store) == 1


def test_a_recipient_surely_holds_what_has_arrived_and_was_not_used() -> None:
    store = ReplyKeyStore()
    alice = Client.create(1).address
    store.arrived(alice, 3, 0)  # all of them displaced meanwhile
    store.asked_by(alice)
    assert store.surely_held_by(alice) == 0
    store.add(map(key, range(5)), 0, alice, 7)
    assert (store.held_by(alice), store.surely_held_by(alice)) == (5, 0)
    store.take(reply_key_digest(key(0)), 0)  # a reply overtakes the ack
    store.arrived(alice, 3, 7)
    assert store.surely_held_by(alice) == 2
    store.arrived(alice, 9, 7)
    assert store.surely_held_by(alice) == store.held_by(alice) == 4
    store.asked_by(alice)
    assert store.surely_held_by(alice) == 0


def test_what_was_made_for_another_rotation_is_not_surely_held() -> None:
    store = ReplyKeyStore()
    alice = Client.create(1).address
    store.add([key(1), key(2)], 0, alice, 7)
    store.arrived(alice, 1, 7)
    store.rotated(7)
    assert store.surely_held_by(alice) == 1
    store.rotated(8)
    store.arrived(alice, 1, 7)
    assert (store.held_by(alice), store.surely_held_by(alice)) == (2, 0)


def test_keys_of_rotations_that_no_node_knows_any_more_are_forgotten() -> None:
    store = ReplyKeyStore()
    alice, bob = Client.create(1).address, Client.create(2).address
    store.add([key(1)], 0, alice, 7)
    store.add([key(2)], 0, bob, 7)
    store.add([key(3)], 0, None, 7)
    store.add([key(4)], 0, bob, 8)
    assert store.rotated(8) == []
    assert len(store) == 4
    assert store.rotated(9) == [alice]
    assert store.held_by(bob) == 1
    store.add([key(5)], 0, alice, 9)
    assert store.rotated(20) == [bob, alice]
    assert len(store) == 0


def test_a_full_store_drops_the_oldest_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    store = ReplyKeyStore(max_keys=2)
    with caplog.at_level(logging.WARNING, "nymproxy.messages"):
        store.add([key(0), key(1), key(2)], now=0)
        store.add([key(3)], now=0)
    assert store.displaced == 2
    assert len(caplog.records) == 1
    assert store.take(reply_key_digest(key(1)), now=0) is None
    assert store.take(reply_key_digest(key(3)), now=0) == (key(3), None)


def test_a_key_says_whom_it_was_given_to() -> None:
    store = ReplyKeyStore(max_keys=3)
    alice, bob = Client.create(1).address, Client.create(2).address
    store.add([key(1), key(2)], 0, alice)
    store.add([key(3)], 0, bob)
    assert store.take(reply_key_digest(key(1)), 1) == (key(1), alice)
    assert (store.used_by(alice), store.used_by(bob)) == (1, 0)
    assert store.take(reply_key_digest(key(3)), 1) == (key(3), bob)
    assert store.used_by(bob) == 0  # nothing of it is left
    store.add([key(2)], 1, bob)  # given twice: the last counts
    assert store.take(reply_key_digest(key(2)), 1) == (key(2), bob)
    assert len(store._holders) == len(store) == 0


def test_keys_are_charged_and_the_older_half_is_given_back() -> None:
    account = MemoryAccount(1 << 20)
    store = ReplyKeyStore(memory=account)
    store.add([key(number) for number in range(2000)], now=0)
    assert len(store) == (1 << 20) // 8 // 120  # an eighth
    assert account.used_bytes == len(store) * 120
    other = account.share(None)
    other.hold(1 << 20)
    account.settle()
    assert len(store) == 546
    for number in range(1999, 1999 - 17, -1):  # the account hears of each sixteenth
        assert store.take(reply_key_digest(key(number)), 1) is not None
        assert account.used_bytes - (1 << 20) - len(store) * 120 < 16 * 120
    assert account.used_bytes < (1 << 20) + 546 * 120
    store.close()
    assert account.used_bytes == 1 << 20
    assert len(store) == len(store._holders) == 0


def test_keys_are_not_shown() -> None:
    store = ReplyKeyStore()
    store.add([b"secret key bytes"], now=0)
    assert repr(store) == "ReplyKeyStore(1 keys)"


class ReplyKeyStoreMachine(RuleBasedStateMachine):
    """Against a plain list of (key, time of addition), oldest first."""

    MAX_KEYS = 6
    LIFETIME = 10.0
    numbers = st.integers(0, 12)

    def __init__(self) -> None:
        super().__init__()
        self.store = ReplyKeyStore(max_keys=self.MAX_KEYS, lifetime_seconds=self.LIFETIME)
        self.model: list[tuple[int, float]] = []
        self.now = 0.0

    def expire(self) -> None:
        self.model = [entry for entry in self.model if self.now - entry[1] < self.LIFETIME]

    @rule(seconds=st.sampled_from([0.0, 1.0, 4.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(added=st.lists(numbers, max_size=4))
    def add(self, added: list[int]) -> None:
        self.store.add([key(number) for number in added], self.now)
        self.expire()
        for number in added:
            self.model = [entry for entry in self.model if entry[0] != number]
            self.model = [*self.model, (number, self.now)][-self.MAX_KEYS :]

    @rule(number=numbers)
    def take(self, number: int) -> None:
        taken = self.store.take(reply_key_digest(key(number)), self.now)
        alive = [entry for entry in self.model if self.now - entry[1] < self.LIFETIME]
        assert (taken is not None) == (number in [entry[0] for entry in alive])
        assert taken in (None, (key(number), None))
        self.model = [entry for entry in self.model if entry[0] != number]

    @rule()
    def prune(self) -> None:
        self.store.prune(self.now)
        self.expire()

    @invariant()
    def holds_as_many_as_the_model(self) -> None:
        assert len(self.store) == len(self.model) <= self.MAX_KEYS


TestReplyKeyStoreMachine = ReplyKeyStoreMachine.TestCase
TestReplyKeyStoreMachine.settings = settings(max_examples=40, stateful_step_count=30)
