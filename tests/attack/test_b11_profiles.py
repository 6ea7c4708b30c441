"""B11: a profile that hides less than the default one says so, unless the network is a localnet."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path

import pytest

from nymproxy.mixnet.client import connecting
from nymproxy.mixnet.client.connecting import warn_of_weak_profile
from nymproxy.mixnet.directory import ApiUrl, NetworkDetails
from nymproxy.mixnet.traffic import PROFILES

ROOT = Path(__file__).resolve().parents[2]
LOCALNET = NetworkDetails("localnet", (ApiUrl("http://127.0.0.1:1/api/"),), "")
PUBLIC = NetworkDetails.mainnet()
PRETENDED = replace(LOCALNET, nym_api_urls=PUBLIC.nym_api_urls)


@pytest.mark.parametrize("network", [LOCALNET, PUBLIC, PRETENDED], ids=["local", "public", "liar"])
@pytest.mark.parametrize("profile", PROFILES)
def test_weak_profiles_are_warned_about_once(
    network: NetworkDetails,
    profile: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connecting, "_warned_of", set())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            warn_of_weak_profile(network, PROFILES[profile])
    is_warned = profile != "default" and network is not LOCALNET
    assert len(caplog.records) == is_warned
    assert (repr(profile) in caplog.text) is is_warned


def test_the_examples_of_the_readme_say_why_they_hide_nothing() -> None:
    """They are read as advice: a profile for local networks stands there with its reason only."""
    lines = (ROOT / "README.md").read_text().splitlines()
    weak = [
        index for index, line in enumerate(lines) if re.search(r"profile[ =]+\W?(bare|fast)", line)
    ]
    assert weak
    for index in weak:
        assert lines[index - 1].strip().startswith("#")
        assert "for local networks" in lines[index - 1]
