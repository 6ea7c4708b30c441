"""MemoryAccount: its maximum holds, and who loses is as it says."""

from __future__ import annotations

import weakref

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nymproxy.errors import ConfigurationError
from nymproxy.memory_account import MINIMUM_BYTES, MemoryAccount, MemoryShare
from nymproxy.mixnet.machine.inbox import Inbox
from nymproxy.mixnet.messages import Reassembler, ReplyKeyStore
from nymproxy.mixnet.traffic import SurbStock

MIB = 1 << 20


class Holder:
    """Something that holds bytes for somebody, and gives all of them back."""

    def __init__(self, account: MemoryAccount, owner: str | None, total: int = 0) -> None:
        self.times = 0
        self.share: MemoryShare = account.share(owner, self.reclaim)
        self.share.hold(total)

    def reclaim(self) -> None:
        self.times += 1
        self.share.hold(0)


def test_nothing_is_taken_while_the_maximum_is_kept() -> None:
    account = MemoryAccount(4 * MIB)
    holder = Holder(account, "alice", 4 * MIB)
    account.settle()
    assert holder.times == 0
    holder.share.hold(4 * MIB + 1)
    assert holder.times == 0
    account.settle()
    assert holder.times == 1
    assert (account.used_bytes, account.reclaimed_bytes) == (0, 4 * MIB + 1)


def test_the_peer_that_holds_most_in_all_loses_first_and_no_more_than_needed() -> None:
    account = MemoryAccount(8 * MIB)
    one_large = Holder(account, "honest", 3 * MIB)
    several = [Holder(account, "greedy", 2 * MIB) for _ in range(3)]
    assert account.held_by("greedy") == 6 * MIB
    account.settle()
    assert one_large.times == 0
    assert [holder.times for holder in several] == [1, 1, 0]  # three quarters are reached
    assert account.held_by("nobody") == 0


def test_of_equal_ones_the_first_loses() -> None:
    account = MemoryAccount(3 * MIB)
    holders = [Holder(account, name, MIB) for name in "abcd"]
    account.settle()
    assert [holder.times for holder in holders] == [1, 1, 0, 0]


def test_who_has_come_below_an_equal_part_keeps_the_rest() -> None:
    """An honest peer's many SURBs went, and then its channel, which held next to nothing."""
    account = MemoryAccount(8 * MIB)
    surbs, channel = (Holder(account, "honest", size) for size in (4 * MIB, 100))
    others = [Holder(account, name, 5 * MIB // 2) for name in "abc"]
    account.settle()
    assert (surbs.times, channel.times) == (1, 0)
    assert [holder.times for holder in others] == [1, 0, 0]  # that was not enough yet


def test_what_belongs_to_nobody_is_touched_last_and_the_largest_first() -> None:
    account = MemoryAccount(4 * MIB)
    small, large = Holder(account, None, MIB), Holder(account, None, 4 * MIB)
    peer = Holder(account, "peer", 3 * MIB + 1)
    fixed = account.share(None)
    fixed.hold(1000)
    account.settle()
    assert (peer.times, large.times, small.times) == (1, 1, 0)
    assert fixed.held_bytes == 1000


def test_a_holder_that_holds_on_does_not_stop_the_others() -> None:
    account = MemoryAccount(4 * MIB)
    stubborn = account.share("stubborn", lambda: None)
    stubborn.hold(4 * MIB)
    other = Holder(account, "other", 2 * MIB)
    account.settle()
    assert other.times == 1
    assert account.used_bytes == 4 * MIB


def test_who_has_no_more_than_an_equal_part_never_loses_it() -> None:
    """Channels that were aborted counted on: one that held nothing to speak of was cut as well."""
    account = MemoryAccount(4 * MIB)
    honest = Holder(account, "honest", 1000)
    for number in range(7):
        account.share(f"stubborn {number}", lambda: None).hold(MIB)
    common = Holder(account, None, 1000)
    account.settle()
    assert (honest.times, common.times) == (0, 1)


@given(st.lists(st.integers(0, 3 * MIB), min_size=1, max_size=20))
def test_what_those_above_an_equal_part_have_is_always_enough(held: list[int]) -> None:
    account = MemoryAccount(4 * MIB)
    for number, each in enumerate(held):
        Holder(account, str(number), each)
    account.settle()
    assert account.used_bytes <= (3 * MIB if sum(held) > 4 * MIB else sum(held))


def test_what_cannot_be_reclaimed_counts_and_others_pay_for_it() -> None:
    account = MemoryAccount(4 * MIB)
    fixed = account.share("largest")
    fixed.hold(3 * MIB)
    other = Holder(account, "other", 2 * MIB)
    account.settle()
    assert (fixed.held_bytes, other.times) == (3 * MIB, 1)
    assert account.used_bytes == account.held_by("largest") == 3 * MIB


def test_giving_back_may_lead_to_another_call() -> None:
    account = MemoryAccount(4 * MIB)

    def reclaim() -> None:
        share.hold(0)
        account.settle()

    share = account.share("peer", reclaim)
    share.hold(5 * MIB)
    account.settle()
    assert account.used_bytes == 0


def test_a_closed_share_leaves_no_trace() -> None:
    account = MemoryAccount(4 * MIB)
    for owner in ("peer", None):
        holder = Holder(account, owner, MIB)
        holder.share.close()
        holder.share.close()
        holder.share.hold(MIB)
    assert account.used_bytes == account.held_by("peer") == 0
    assert not account._owners
    assert not account._common


def test_stores_without_an_account_can_be_closed_as_well() -> None:
    stock = SurbStock(1, 10)
    for store in (Inbox(), Reassembler(), ReplyKeyStore(), stock):
        store.close()


def test_an_owner_stays_as_long_as_it_has_shares() -> None:
    account = MemoryAccount(4 * MIB)
    first, second = (Holder(account, "peer", MIB) for _ in range(2))
    first.share.close()
    assert account.held_by("peer") == MIB
    second.share.hold(5 * MIB)
    account.settle()
    assert (first.times, second.times) == (0, 1)


def test_the_default_is_a_share_of_what_there_is() -> None:
    assert 16 * MIB <= MemoryAccount().maximum_bytes <= 1024 * MIB
    with pytest.raises(ConfigurationError):
        MemoryAccount(MINIMUM_BYTES - 1)


@example(steps=[("a", 0, 1), ("a", 1, MIB), (None, 0, MIB)])
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(0, 2), st.integers(0, MIB)),
        max_size=60,
    )
)
def test_the_maximum_holds_after_each_event(
    steps: list[tuple[str | None, int, int]],
) -> None:
    account = MemoryAccount(2 * MIB)
    holders: dict[tuple[str | None, int], Holder] = {}
    for owner, number, total in steps:
        holder = holders.get((owner, number))
        if holder is None:
            holder = holders[owner, number] = Holder(account, owner)
        holder.share.hold(total)
        before = {key: each.share.held_bytes for key, each in holders.items()}
        account.settle()
        assert account.used_bytes == sum(each.share.held_bytes for each in holders.values())
        assert account.used_bytes <= account.maximum_bytes
        sums = {name: sum(v for (o, _), v in before.items() if o == name) for name in "abc"}
        lost = {key[0] for key, each in holders.items() if each.share.held_bytes < before[key]}
        kept = {name for name in "abc" if sums[name] and name not in lost}
        part = 0.75 * account.maximum_bytes / max(1, len({name for name, _ in holders if name}))
        if None in lost:  # who has no more than an equal part is never touched
            assert not {name for name in kept if sums[name] > part}
        for name in lost - {None}:
            assert all(sums[name] >= sums[other] for other in kept)  # type: ignore[index]


def test_above_the_low_water_mark_those_with_more_than_their_part_get_no_more() -> None:
    account = MemoryAccount(4 * MIB)
    small, large = Holder(account, "small", MIB // 2), Holder(account, "large", 2 * MIB)
    assert not account.is_over_share("large")  # there is enough
    large.share.hold(3 * MIB)
    assert account.is_over_share("large")
    assert not account.is_over_share("small")
    assert not account.is_over_share("nobody")
    small.share.close()
    assert not account.is_over_share("large")


def test_a_closed_share_lets_its_holder_go() -> None:
    holder = Holder(MemoryAccount(MINIMUM_BYTES), "peer")
    held = weakref.ref(holder)
    holder.share.close()
    del holder
    assert held() is None  # at once: its memory would wait for the garbage collector
