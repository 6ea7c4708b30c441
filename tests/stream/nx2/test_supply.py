"""How many reply SURBs go along."""

from __future__ import annotations

import pytest

from nymproxy.stream.nx2.supply import CONTROL_SURBS, SurbSupply


@pytest.mark.parametrize(
    ("wanted", "held", "given"),
    [
        (20, 0, 17),
        (20, 39, 17),
        (20, 40, 3),
        (100, 199, 97),
        (100, 200, 3),
        (2, 1000, 2),
        (6, 0, 6),
    ],
)
def test_of_an_opening(wanted: int, held: int, given: int) -> None:
    """Who asks for more wants more to be there; who asks for few gets no more."""
    supply = SurbSupply()
    supply.held = lambda: held
    assert supply.for_opening(wanted) == given
    owed = 3 if given == wanted - 3 else 0
    assert [supply.for_data(1), supply.for_data(1)] == [max(1, owed), 1]


def test_a_link_that_knows_nothing_gives_all() -> None:
    supply = SurbSupply()
    assert supply.for_opening(20) + supply.for_data(0) == 20
    assert supply.for_control() == CONTROL_SURBS
