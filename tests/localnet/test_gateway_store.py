"""What a gateway keeps: against a model, and across a restart that closes nothing."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from nymproxy.errors import StorageError
from nymproxy.localnet import gateway_store
from nymproxy.localnet.gateway_bandwidth import FREE_BANDWIDTH_BYTES, BandwidthMeter
from nymproxy.localnet.gateway_store import Allowance, GatewayStore, Registration

if TYPE_CHECKING:
    from collections.abc import Iterator

ALICE, BOB = b"a" * 32, b"b" * 32
DAY = 86400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[GatewayStore]:
    store = GatewayStore(path)
    yield store
    store.close()


def test_a_killed_gateway_forgets_nothing(path: Path, store: GatewayStore) -> None:
    store.register(ALICE, b"k" * 32)
    store.record_authentication(ALICE, 1234)
    store.save_allowances([(ALICE, Allowance(77, 5))])
    assert store.store([(ALICE, b"one"), (BOB, b"for bob"), (ALICE, b"two")], 10.0) == [True] * 3
    again = GatewayStore(path)  # The first one is never closed, as when its process is killed.
    assert again.registration(ALICE) == Registration(b"k" * 32, 1234)
    assert again.allowance(ALICE) == Allowance(77, 5)
    assert [message.content for message in again.waiting(ALICE)] == [b"one", b"two"]
    assert [message.content for message in again.waiting(BOB)] == [b"for bob"]
    again.close()
    assert path.stat().st_mode & 0o077 == 0


def test_registering_again_changes_the_key_only(store: GatewayStore) -> None:
    store.register(ALICE, b"1" * 32)
    store.record_authentication(ALICE, 50)
    store.save_allowances([(ALICE, Allowance(9, 9))])
    store.register(ALICE, b"2" * 32)
    assert store.registration(ALICE) == Registration(b"2" * 32, 50)
    assert store.allowance(ALICE) == Allowance(9, 9)


def test_forgetting_a_client(store: GatewayStore) -> None:
    store.register(ALICE, b"1" * 32)
    store.store([(ALICE, b"x"), (BOB, b"y")], 0.0)
    store.forget(ALICE)
    assert store.registration(ALICE) is None
    assert store.waiting(ALICE) == []
    assert len(store.waiting(BOB)) == 1
    store.save_allowances([(ALICE, Allowance(5, 5))])
    assert store.allowance(ALICE) == Allowance(0, 0)


def test_the_store_is_bounded(store: GatewayStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_store, "MESSAGES_PER_CLIENT", 2)
    monkeypatch.setattr(gateway_store, "MESSAGES_IN_ALL", 3)
    assert store.store([(ALICE, b"1"), (ALICE, b"2"), (ALICE, b"3")], 0.0) == [True, True, False]
    assert store.store([(BOB, b"1"), (BOB, b"2")], 0.0) == [True, False]
    store.delete(ALICE, store.waiting(ALICE, limit=1))
    assert store.store([(ALICE, b"4")], 0.0) == [True]


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"not a database, and longer than a header of one hundred bytes" * 4)
    with pytest.raises(StorageError, match="gateway state"):
        GatewayStore(path)


class MessagesMachine(RuleBasedStateMachine):
    """Messages of two clients against lists."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "gateway.sqlite"
        self.store = GatewayStore(self.path)
        self.model: defaultdict[bytes, list[tuple[float, bytes]]] = defaultdict(list)
        self.now = 0.0

    clients = st.sampled_from([ALICE, BOB])

    @rule(batch=st.lists(st.tuples(clients, st.binary(max_size=4)), max_size=4))
    def keep(self, batch: list[tuple[bytes, bytes]]) -> None:
        assert self.store.store(batch, self.now) == [True] * len(batch)
        for client, content in batch:
            self.model[client].append((self.now, content))

    @rule(client=clients, limit=st.integers(1, 3))
    def deliver(self, client: bytes, limit: int) -> None:
        waiting = self.store.waiting(client, limit)
        assert [item.content for item in waiting] == [
            content for _, content in self.model[client][:limit]
        ]
        self.store.delete(client, waiting)
        del self.model[client][:limit]

    @rule(hours=st.sampled_from([1, 10, 25]))
    def pass_time(self, hours: int) -> None:
        self.now += hours * 3600.0
        expired = self.store.expire(self.now)
        before = sum(map(len, self.model.values()))
        for client, messages in self.model.items():
            self.model[client] = [item for item in messages if item[0] >= self.now - DAY]
        assert expired == before - sum(map(len, self.model.values()))

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = GatewayStore(self.path)

    @invariant()
    def same_messages(self) -> None:
        for client in (ALICE, BOB):
            assert [item.content for item in self.store.waiting(client, 1000)] == [
                content for _, content in self.model[client]
            ]

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()


MessagesMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
TestMessages = MessagesMachine.TestCase


class TestBandwidth:
    def test_nothing_before_the_claim(self, store: GatewayStore) -> None:
        store.register(ALICE, b"k" * 32)
        meter = BandwidthMeter(store)
        assert meter.available(ALICE, 0.0) == 0
        assert meter.charge(ALICE, 1, 0.0) is None

    def test_claims_add_up_within_a_day(self, store: GatewayStore) -> None:
        store.register(ALICE, b"k" * 32)
        meter = BandwidthMeter(store)
        assert meter.claim(ALICE, 5.0) == FREE_BANDWIDTH_BYTES
        assert meter.charge(ALICE, 2413, 6.0) == FREE_BANDWIDTH_BYTES - 2413
        assert meter.claim(ALICE, 7.0) == 2 * FREE_BANDWIDTH_BYTES - 2413

    def test_midnight_utc_voids_the_allowance(self, store: GatewayStore) -> None:
        store.register(ALICE, b"k" * 32)
        meter = BandwidthMeter(store)
        meter.claim(ALICE, DAY - 1)
        assert meter.charge(ALICE, 100, DAY - 0.001) is not None
        assert meter.available(ALICE, DAY) == 0
        assert meter.charge(ALICE, 100, DAY) is None
        assert meter.claim(ALICE, DAY + 1) == FREE_BANDWIDTH_BYTES

    def test_not_enough_is_not_charged(self, store: GatewayStore) -> None:
        store.register(ALICE, b"k" * 32)
        store.save_allowances([(ALICE, Allowance(2413, 0))])
        meter = BandwidthMeter(store)
        assert meter.charge(ALICE, 2414, 1.0) is None
        assert meter.charge(ALICE, 2413, 1.0) == 0

    def test_what_was_spent_is_saved(self, store: GatewayStore) -> None:
        store.register(ALICE, b"k" * 32)
        meter = BandwidthMeter(store)
        meter.claim(ALICE, 0.0)
        meter.charge(ALICE, 1000, 0.0)
        assert BandwidthMeter(store).available(ALICE, 0.0) == FREE_BANDWIDTH_BYTES
        meter.save()
        assert BandwidthMeter(store).available(ALICE, 0.0) == FREE_BANDWIDTH_BYTES - 1000
        meter.forget(ALICE)
        store.forget(ALICE)
        assert meter.available(ALICE, 0.0) == 0
