"""The stock of one sender's SURBs across rotations, and the spending rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.sphinx import KeyRotation
from nymproxy.mixnet.traffic import SpendingRate, SurbStock
from nymproxy.mixnet.traffic.surbs import FRAGMENT_BYTES, SURB_BYTES
from tests.traffic.helpers import EVEN_ID, make_surbs


def _stock(*, maximum: int = 100) -> SurbStock:
    return SurbStock(EVEN_ID, maximum)


def test_surbs_are_used_oldest_first_and_once() -> None:
    stock = _stock()
    surbs = make_surbs(3)
    stock.add(surbs[:2], 0.0)
    stock.add(surbs[2:], 1.0)
    assert [stock.take() for _ in range(4)] == [*surbs, None]


def test_fresh_ones_go_before_stale_ones_of_which_the_last_works_longest() -> None:
    stock = _stock()
    stale = make_surbs(2, KeyRotation.ODD)
    fresh = make_surbs(2)
    stock.add(stale, 0.0)
    stock.add(fresh, 1.0)
    assert stock.fresh == 2
    assert len(stock) == 4
    assert [stock.take() for _ in range(4)] == [*fresh, *reversed(stale)]


def test_of_those_of_a_sleeper_the_last_to_come_goes_first() -> None:
    stock = _stock()
    assert stock.take(newest=True) is None
    surbs = make_surbs(4)
    odd = make_surbs(3, KeyRotation.ODD)
    stock.add([odd[0]], 0.0)
    stock.add(surbs[:2], 1.0)
    stock.add([odd[1]], 2.0)
    stock.add([surbs[2]], 2.0)
    order = [stock.take(newest=True) for _ in range(5)]
    assert order == [surbs[2], odd[1], surbs[1], surbs[0], odd[0]]


def test_unknown_rotations_are_always_fresh() -> None:
    stock = _stock()
    stock.add(make_surbs(1, KeyRotation.UNKNOWN), 0.0)
    assert stock.fresh == 1
    stock.rotate(EVEN_ID + 1, keep_since=0.0)
    assert stock.fresh == 1
    ageless = SurbStock(0, 10)
    ageless.add(make_surbs(1, KeyRotation.ODD), 0.0)
    assert ageless.fresh == 1


def test_a_rotation_makes_them_stale_and_age_drops_them() -> None:
    stock = _stock()
    stock.add(make_surbs(3), 0.0)
    stock.rotate(EVEN_ID + 1, keep_since=-10.0)
    assert (stock.fresh, len(stock)) == (0, 3)
    stock.drop_stale(received_before=0.0)
    assert len(stock) == 3
    stock.drop_stale(received_before=0.1)
    assert len(stock) == 0


def test_surbs_of_a_sender_who_rotated_first_turn_fresh() -> None:
    stock = _stock()
    early = make_surbs(2, KeyRotation.ODD)
    stock.add(early, 99.0)
    stock.rotate(EVEN_ID + 1, keep_since=50.0)
    assert stock.fresh == 2


def test_leftovers_of_the_rotation_before_the_last_are_dropped() -> None:
    stock = _stock()
    stock.add(make_surbs(2), 0.0)
    stock.rotate(EVEN_ID + 1, keep_since=-10.0)
    stock.rotate(EVEN_ID + 2, keep_since=1.0)  # same parity, but two rotations old
    assert len(stock) == 0


def test_several_rotations_at_once_leave_what_came_lately_the_last_first() -> None:
    """After a sleep: SURBs with the marker of today were made two rotations ago, or four."""
    for jump in (2, 3, 4):
        stock = _stock()
        old = make_surbs(2)
        young = [*make_surbs(1), *make_surbs(1, KeyRotation.ODD)]
        stock.add(old, 0.0)
        stock.add(young, 99.0)
        stock.rotate(EVEN_ID + jump, keep_since=50.0)
        new = make_surbs(1, KeyRotation.from_rotation_id(EVEN_ID + jump))
        stock.add(new, 100.0)
        assert (stock.fresh, len(stock)) == (1, 3)
        order = [surb.encryption_key for surb in (stock.take() for _ in range(3)) if surb]
        assert order == [each.encryption_key for each in (*new, *reversed(young))]


def test_what_came_while_we_slept_and_may_be_of_today_outlives_the_keys_before() -> None:
    stock = _stock()
    even, odd = make_surbs(2), make_surbs(2, KeyRotation.ODD)
    stock.add([*even, *odd], 99.0)
    stock.rotate(EVEN_ID + 4, keep_since=50.0)
    assert (stock.fresh, len(stock)) == (0, 4)
    stock.drop_stale(received_before=110.0)
    assert [stock.take() for _ in range(3)] == [*reversed(even), None]


def test_what_was_made_in_a_known_rotation_outlives_one_change_whatever_its_age() -> None:
    stock = _stock()
    stock.add(make_surbs(2), 0.0)
    stock.rotate(EVEN_ID + 1, keep_since=1000.0)
    assert (stock.fresh, len(stock)) == (0, 2)
    stock.rotate(EVEN_ID + 2, keep_since=1000.0)
    assert len(stock) == 0


def test_the_bound_drops_stale_ones_and_then_the_oldest() -> None:
    stock = _stock(maximum=4)
    stock.add(make_surbs(2, KeyRotation.ODD), 0.0)
    surbs = make_surbs(5)
    stock.add(surbs, 1.0)
    assert len(stock) == 4
    assert [stock.take() for _ in range(4)] == surbs[1:]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(0, 8), st.sampled_from(KeyRotation)),
            st.tuples(st.just("take"), st.integers(1, 5), st.none()),
            st.tuples(st.just("rotate"), st.integers(0, 5), st.integers(1, 3)),
        ),
        max_size=40,
    )
)
def test_no_surb_is_handed_out_twice_and_the_bound_holds(
    steps: list[tuple[str, int, KeyRotation | int | None]],
) -> None:
    stock, rotation_id = _stock(maximum=12), EVEN_ID
    added: set[bytes] = set()
    taken: set[bytes] = set()
    for now, (action, amount, rotation) in enumerate(steps):
        if isinstance(rotation, KeyRotation):
            surbs = make_surbs(amount, rotation)
            added.update(surb.encryption_key for surb in surbs)
            stock.add(surbs, float(now))
        elif action == "rotate":
            rotation_id += rotation or 0
            stock.rotate(rotation_id, keep_since=now - amount)
        else:
            for _ in range(amount):
                had_fresh = stock.fresh > 0
                surb = stock.take()
                if surb is None:
                    assert len(stock) == 0
                    break
                assert surb.encryption_key in added - taken
                taken.add(surb.encryption_key)
                current = KeyRotation.from_rotation_id(rotation_id)
                is_fresh = surb.rotation in (current, KeyRotation.UNKNOWN)
                assert is_fresh or not had_fresh
        assert 0 <= stock.fresh <= len(stock) <= 12


class TestCharging:
    def test_what_is_held_is_charged_to_its_sender(self) -> None:
        account = MemoryAccount()
        stock = SurbStock(EVEN_ID, 30, account.share("sender"))

        def is_charged(count: int) -> bool:
            return account.held_by("sender") == len(stock) * SURB_BYTES == count * SURB_BYTES

        stock.add(make_surbs(40), 0.0)
        assert is_charged(30)
        stock.take()
        stock.charge()
        assert is_charged(29)
        stock.rotate(EVEN_ID + 1, 0.0)
        stock.rotate(EVEN_ID + 2, 0.0)
        assert is_charged(29)
        stock.rotate(EVEN_ID + 1, 0.0)
        stock.drop_stale(1.0)
        assert is_charged(0)
        stock.add(make_surbs(5), 2.0)
        stock.clear()
        assert is_charged(0)
        stock.waiting_fragments = 3
        stock.charge()
        assert account.held_by("sender") == 3 * FRAGMENT_BYTES
        stock.add(make_surbs(5), 2.0)
        stock.close()
        assert account.used_bytes == 0


class TestSpendingRate:
    def test_it_tends_to_what_two_seconds_take(self) -> None:
        rate = SpendingRate(0.0)
        now = 0.0
        for _ in range(1000):
            now += 0.02
            rate.spent(1, now)
        assert rate.expected(now) == pytest.approx(100, abs=2)

    def test_it_fades_when_nothing_is_spent(self) -> None:
        rate = SpendingRate(0.0)
        rate.spent(100, 0.0)
        assert rate.expected(0.0) == 100
        assert rate.expected(2.0) == 36
        assert rate.expected(20.0) == 0

    def test_it_starts_at_nothing(self) -> None:
        assert SpendingRate(5.0).expected(9.0) == 0
