from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import TopologyUnavailable, UsageError
from nymproxy.mixnet.sphinx import HeaderPool, PreparedHeader
from tests.sphinx.routes import four_hops

PREPARED = PreparedHeader.from_material(four_hops().material())


class Builder:
    """Counts what it built; each header is an object of its own."""

    def __init__(self) -> None:
        self.built: list[PreparedHeader] = []
        self.fails = False

    def __call__(self) -> PreparedHeader:
        if self.fails:
            raise TopologyUnavailable("no route to the gateway: wait for the next topology")
        self.built.append(PreparedHeader(PREPARED.material, PREPARED.keys))
        return self.built[-1]


def make_pool() -> HeaderPool[PreparedHeader]:
    return HeaderPool()


def is_draining(pool: HeaderPool[PreparedHeader]) -> bool:
    return pool.draining


def fill(pool: HeaderPool[PreparedHeader], limit: int = 1000) -> int:
    for count in range(limit):
        if not pool.fill_one():
            return count
    raise AssertionError("the pool never gets full")


def test_each_entry_is_handed_out_once_oldest_first() -> None:
    pool, build = make_pool(), Builder()
    pool.register("ack", build, target=3)
    assert pool.take("ack") is None
    assert fill(pool) == 3
    taken = [pool.take("ack") for _ in range(3)]
    assert all(got is made for got, made in zip(taken, build.built, strict=True))
    assert pool.take("ack") is None
    assert len(pool) == 0


def test_unknown_purposes_have_nothing() -> None:
    assert HeaderPool().take("nothing") is None
    HeaderPool().forget("nothing")
    assert HeaderPool().fill_one() is False


def test_the_purpose_that_lacks_most_is_filled_first() -> None:
    pool, small, large = make_pool(), Builder(), Builder()
    pool.register("small", small, target=2)
    pool.register("large", large, target=8)
    for _ in range(5):
        assert pool.fill_one()
    assert len(small.built) == 1
    assert len(large.built) == 4
    fill(pool)
    assert len(pool) == 10


def test_clear_drops_entries_and_keeps_purposes() -> None:
    pool, build = make_pool(), Builder()
    pool.register("ack", build, target=2)
    fill(pool)
    pool.clear()
    assert len(pool) == 0
    assert pool.take("ack") is None
    assert fill(pool) == 2
    assert pool.take("ack") is build.built[2]


def test_forget_drops_a_purpose() -> None:
    pool, build = make_pool(), Builder()
    pool.register("ack", build, target=2)
    fill(pool)
    pool.forget("ack")
    assert pool.take("ack") is None
    assert pool.fill_one() is False


def test_a_failing_builder_rests_and_does_not_stop_the_others() -> None:
    pool, bad, good = make_pool(), Builder(), Builder()
    bad.fails = True
    pool.register("bad", bad, target=5)
    pool.register("good", good, target=2)
    assert fill(pool) == 3
    assert len(good.built) == 2
    bad.fails = False
    assert pool.fill_one() is False
    pool.clear()
    fill(pool)
    assert len(bad.built) == 5


def test_registering_again_replaces_the_builder_and_keeps_the_entries() -> None:
    pool, first, second = make_pool(), Builder(), Builder()
    pool.register("ack", first, target=1)
    fill(pool)
    pool.register("ack", second, target=2)
    fill(pool)
    assert pool.take("ack") is first.built[0]
    assert pool.take("ack") is second.built[0]


def test_errors_of_other_kinds_are_not_swallowed() -> None:
    def broken() -> PreparedHeader:
        raise ZeroDivisionError

    pool: HeaderPool[PreparedHeader] = HeaderPool()
    pool.register("ack", broken, target=1)
    with pytest.raises(ZeroDivisionError):
        pool.fill_one()


@pytest.mark.parametrize("bounds", [(0, 1), (1, 0)])
def test_a_pool_has_room(bounds: tuple[int, int]) -> None:
    with pytest.raises(UsageError):
        HeaderPool(max_purposes=bounds[0], max_entries_per_purpose=bounds[1])
    with pytest.raises(UsageError):
        make_pool().register("ack", Builder(), target=0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["register", "take", "fill", "clear", "forget"]),
            st.integers(0, 5),
            st.integers(1, 6),
        ),
        max_size=60,
    )
)
def test_against_a_model(actions: list[tuple[str, int, int]]) -> None:
    """Entries come back in order and once; both bounds hold after every action."""
    pool: HeaderPool[PreparedHeader] = HeaderPool(max_purposes=3, max_entries_per_purpose=4)
    model: dict[int, deque[PreparedHeader]] = {}

    def builder(purpose: int) -> PreparedHeader:
        header = PreparedHeader(PREPARED.material, PREPARED.keys)
        model[purpose].append(header)
        return header

    for action, purpose, target in actions:
        if action == "register":
            if purpose not in model and len(model) == 3:
                del model[next(iter(model))]
            model[purpose] = model.pop(purpose, deque())
            pool.register(purpose, lambda key=purpose: builder(key), target=target)  # type: ignore[misc]
        elif action == "take":
            expected = model[purpose].popleft() if model.get(purpose) else None
            if purpose in model:
                model[purpose] = model.pop(purpose)
            assert pool.take(purpose) is expected
        elif action == "fill":
            pool.fill_one()
        elif action == "clear":
            pool.clear()
            for entries in model.values():
                entries.clear()
        else:
            pool.forget(purpose)
            model.pop(purpose, None)
        assert len(pool) == sum(len(entries) for entries in model.values())
        assert all(len(entries) <= 4 for entries in model.values())


def test_the_purpose_registered_longest_ago_makes_room() -> None:
    pool: HeaderPool[PreparedHeader] = HeaderPool(max_purposes=2)
    for purpose in ("first", "second", "third"):
        pool.register(purpose, Builder(), target=1)
    while pool.fill_one():
        pass
    assert pool.take("first") is None
    assert pool.take("second") is not None
    assert pool.take("third") is not None


def test_it_is_filled_when_half_is_gone_and_then_wholly() -> None:
    pool, build = make_pool(), Builder()
    assert not is_draining(pool)
    pool.register("ack", build, target=8)
    assert is_draining(pool)
    assert fill(pool) == 8
    assert not is_draining(pool)
    for _ in range(4):
        pool.take("ack")
    assert not is_draining(pool)
    pool.take("ack")
    assert is_draining(pool)
    assert fill(pool) == 5
    assert not is_draining(pool)


def test_a_purpose_that_rests_does_not_ask_to_be_filled() -> None:
    pool, bad = make_pool(), Builder()
    bad.fails = True
    pool.register("bad", bad, target=2)
    fill(pool)
    pool.take("bad")
    assert not is_draining(pool)
