"""Every attack leaves its figures in its report; ``python -m tests.attack`` prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.attack.figures import PROPERTY, AttackFigures

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def attack_figures(request: pytest.FixtureRequest) -> Iterator[AttackFigures]:
    """Where the attack of this test records what it did to honest peers."""
    figures = AttackFigures()
    yield figures
    request.node.user_properties.append((PROPERTY, figures.as_row()))
