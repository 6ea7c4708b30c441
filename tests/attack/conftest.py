"""Every attack leaves its figures in its report; ``python -m tests.attack`` prints them."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from tests.attack.figures import PROPERTY, AttackFigures

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def attack_figures(request: pytest.FixtureRequest) -> Iterator[AttackFigures]:
    """Where the attack of this test records what it did to honest peers.

    What other tests have left in this process costs the attacked nothing: a collection of garbage
    that walks through all of it would be charged to whatever step it falls into.
    """
    figures = AttackFigures()
    gc.freeze()
    yield figures
    gc.unfreeze()
    request.node.user_properties.append((PROPERTY, figures.as_row()))
