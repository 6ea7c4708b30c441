"""nymproxy._printable: what is shown of names and contents."""

from __future__ import annotations

import pytest

from nymproxy._printable import printable, printable_lines


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a b/c\xe9", "a b/c\xe9"),
        ("\x1b[2J\x9b1m", "?[2J?1m"),
        ("a\nb\r\t", "a?b??"),
        ("\u202egnp.exe", "?gnp.exe"),
        ("\udce9", "\\udce9"),
    ],
)
def test_nothing_steers_a_terminal(text: str, seen: str) -> None:
    assert printable(text) == seen


def test_lines_stay_lines() -> None:
    assert printable_lines(b"a\tb\n\x1b[2J\xff\n") == b"a\tb\n?[2J\\xff\n"
