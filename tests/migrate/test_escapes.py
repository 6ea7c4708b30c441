"""What is shown of names and contents."""

from __future__ import annotations

import pytest

from nymproxy_migrate.report.escapes import shown


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
    assert shown(text) == seen
