"""The table of reply keys, against a dict in the order of addition."""

from __future__ import annotations

from sys import getsizeof
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from nymproxy.mixnet.messages.key_table import KeyTable
from nymproxy.mixnet.messages.payload import reply_key_digest

if TYPE_CHECKING:
    import random

MAX_BYTES = 170


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def digest(number: int) -> bytes:
    return reply_key_digest(key(number))


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 400), st.sampled_from([0.2, 0.5, 0.8]))
def test_as_a_dict(source: random.Random, steps: int, taken: float) -> None:
    table, model = KeyTable(), dict[int, tuple[float, int, int]]()
    for step in range(steps):
        number = source.randrange(300)
        if source.random() < taken:
            record = table.take(digest(number))
            expected = model.pop(number, None)
            assert (record is None) == (expected is None)
            if record is not None:
                assert record.key == key(number)
                assert (record.added, record.holder, record.rotation_id) == expected
        elif number not in model:
            model[number] = (step / 7, step % 5, step % 3)
            table.add(digest(number), key(number), *model[number])
        oldest = table.oldest()
        assert (oldest is None) == (not model)
        assert oldest is None or oldest.key == key(next(iter(model)))
        assert table.count == len(model)
    while (oldest := table.oldest()) is not None:
        assert oldest.key == key(next(iter(model)))
        assert table.take(reply_key_digest(oldest.key)) is not None
        del model[next(iter(model))]
    assert not model


def test_a_digest_that_only_begins_alike_finds_nothing() -> None:
    table = KeyTable()
    table.add(digest(1), key(1), 0.0, 0, 0)
    assert table.take(digest(1)[:16] + bytes(16)) is None
    assert table.count == 1


def test_some_that_stay_do_not_keep_those_that_went() -> None:
    """Of a hundred replies one is lost: its key is all that is kept of them."""
    table = KeyTable()
    for number in range(8_000):
        table.add(digest(number), key(number), 0.0, 0, 0)
        if number % 100:
            assert table.take(digest(number)) is not None
    assert table.count == 80
    held = sum(getsizeof(getattr(table, name)) for name in KeyTable.__slots__)
    assert held < 80 * MAX_BYTES
