"""Each fuzz target takes its seeds, what is cut off of them, and what differs in some bytes.

A small part of what ``make fuzz`` does, without its engine: so no target goes stale unseen.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.targets import TARGETS

CASES = 300


@pytest.mark.parametrize("name", list(TARGETS))
def test_targets(name: str) -> None:
    target = TARGETS[name]
    seeds = target.seeds()
    assert seeds
    target.run(b"")
    for seed in seeds:
        target.run(seed)
    random = Random(name)
    for _ in range(CASES):
        data = bytearray(random.choice(seeds))
        for _ in range(random.choice((1, 1, 2, 8))):
            if data:
                data[random.randrange(len(data))] = random.choice((0, 1, 0x7F, 0xFF, 0x22, 0x5B))
        target.run(bytes(data[: random.choice((len(data), random.randrange(len(data) + 1)))]))
