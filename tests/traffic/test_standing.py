"""Who has answered goes before strangers, and those before the silent: a model, and its rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nymproxy.mixnet.traffic.standing import Rank, Standing


def _standing(events: str) -> Standing:
    """Return the standing of a peer after events: Took, Reached, Heard."""
    standing = Standing()
    for event in events:
        {"T": standing.took, "R": standing.reached, "H": standing.heard}[event]()
    return standing


def test_a_stranger_is_new_until_something_is_sent_to_it() -> None:
    assert _standing("H").rank is Rank.NEW
    assert _standing("HT").rank is Rank.SILENT


def test_what_comes_before_anything_can_have_reached_it_proves_nothing() -> None:
    assert _standing("HTHHH").rank is Rank.SILENT
    assert _standing("HTHHHR").rank is Rank.SILENT


def test_what_comes_after_something_has_reached_it_proves_that_it_is_there() -> None:
    assert _standing("HTRH").rank is Rank.PROVEN
    assert _standing("HTTTTTRH").rank is Rank.PROVEN


def test_who_takes_much_without_a_word_is_silent_until_the_next() -> None:
    assert _standing("TRH" + "T" * 63).rank is Rank.PROVEN
    assert _standing("TRH" + "TR" * 64).rank is Rank.SILENT
    assert _standing("TRH" + "TR" * 99 + "H").rank is Rank.PROVEN
    assert _standing("TRH" + "T" * 99 + "H" + "T" * 63).rank is Rank.PROVEN


@given(st.text("TRH", max_size=200))
def test_as_the_history_says(events: str) -> None:
    reached = events.find("R")
    last_word = events.rfind("H") if 0 <= reached < events.rfind("H") else None
    taken = events[last_word or 0 :].count("T")
    if last_word is None:
        expected = Rank.SILENT if taken else Rank.NEW
    else:
        expected = Rank.PROVEN if taken < 64 else Rank.SILENT
    assert _standing(events).rank is expected
