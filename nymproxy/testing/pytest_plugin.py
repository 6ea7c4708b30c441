"""A pytest fixture for users' own tests: ``nymproxy_localnet``, a mixnet that a module shares.

Installed as a plugin of pytest; nothing is imported before the fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy.testing.localnet import BackgroundLocalnet


@pytest.fixture(scope="module")
def nymproxy_localnet() -> Iterator[BackgroundLocalnet]:
    """Three mix nodes and two gateways on loopback, in a thread; clients take its ``env_file``."""
    from nymproxy.testing.localnet import localnet_in_background

    with localnet_in_background() as localnet:
        yield localnet
