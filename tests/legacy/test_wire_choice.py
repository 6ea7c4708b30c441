"""``auto``: which wire a session takes after what the server, or somebody else, has shown."""

from __future__ import annotations

import pytest

from nymproxy.channel import Capability, PeerMemory
from nymproxy.legacy.wire_choice import MAX_MISTRUSTED, MISTRUST_SECONDS, WireChooser
from tests.legacy.addresses import some_address

SERVER = some_address()
OURS = Capability.SINGLE_CLOSE | Capability.STREAMS


@pytest.fixture
def stream() -> PeerMemory:
    return PeerMemory()


@pytest.fixture
def legacy() -> PeerMemory:
    return PeerMemory()


@pytest.fixture
def chooser(legacy: PeerMemory, stream: PeerMemory) -> WireChooser:
    return WireChooser({"legacy": legacy, "stream": stream})


@pytest.mark.parametrize(
    ("shown", "wire"),
    [
        (None, "legacy"),
        (Capability.NONE, "legacy"),
        (Capability.SINGLE_CLOSE, "legacy"),
        (OURS, "stream"),
        (Capability.STREAMS, "stream"),
    ],
)
def test_streams_go_to_servers_that_have_shown_that_they_accept_them(
    chooser: WireChooser, legacy: PeerMemory, shown: Capability | None, wire: str
) -> None:
    if shown is not None:
        legacy.remember(SERVER, shown)
    assert chooser.choose(SERVER, 0.0) == wire
    assert chooser.choose(some_address("another"), 0.0) == "legacy"


def test_a_word_that_was_wrong_is_not_believed_for_a_while(
    chooser: WireChooser, legacy: PeerMemory
) -> None:
    legacy.remember(SERVER, OURS)
    chooser.misled(SERVER, 100.0)
    legacy.remember(SERVER, OURS)  # said again: whoever forged it once can do so twice
    assert chooser.choose(SERVER, 100.0 + MISTRUST_SECONDS - 1) == "legacy"
    assert chooser.choose(SERVER, 100.0 + MISTRUST_SECONDS) == "stream"


def test_a_server_that_sealed_a_stream_is_never_spoken_to_in_the_clear_again(
    chooser: WireChooser, stream: PeerMemory
) -> None:
    chooser.misled(SERVER, 100.0)
    stream.remember_sealed(SERVER)
    assert chooser.is_proven(SERVER)
    assert chooser.choose(SERVER, 101.0) == "stream"


def test_what_is_remembered_is_bounded(chooser: WireChooser, legacy: PeerMemory) -> None:
    legacy.remember(SERVER, OURS)
    chooser.misled(SERVER, 0.0)
    for number in range(MAX_MISTRUSTED):
        chooser.misled(some_address(f"{number}"), 0.0)
    assert chooser.choose(SERVER, 1.0) == "stream"


def test_a_server_that_sealed_streams_and_refuses_them_now_is_believed(
    chooser: WireChooser, stream: PeerMemory, legacy: PeerMemory
) -> None:
    """What ends a stream of a server that seals them is sealed, too."""
    stream.remember_sealed(SERVER)
    chooser.refused(SERVER, 100.0)
    assert not chooser.is_proven(SERVER)
    assert chooser.choose(SERVER, 101.0) == "legacy"
