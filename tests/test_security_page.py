"""docs/security.md can be checked: every line of "who sees what" names tests, and they exist."""

from __future__ import annotations

import re
from pathlib import Path

from nymproxy.stream.traits import StreamOptions

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "docs/security.md", "docs/commands.md", "docs/wire.md")
NAMED_TEST = re.compile(r"`(tests/[\w/]+(?:\.py)?/?)(?:::(\w+))?`")


def rows(page: str, heading: str) -> list[str]:
    """The rows of the first table below a heading."""
    table = page.split(f"## {heading}\n")[1].split("\n|---", 1)[1].split("\n\n")[0]
    return table.split("\n")[1:]


def test_every_test_that_a_page_names_is_there() -> None:
    named = 0
    for page in PAGES:
        for path, function in NAMED_TEST.findall((ROOT / page).read_text()):
            assert (ROOT / path).exists(), f"{page} names {path}"
            if function:
                assert f"def {function}(" in (ROOT / path).read_text(), f"{path} has no {function}"
                named += 1
    assert named > 15


def test_every_line_of_who_sees_what_names_a_test() -> None:
    lines = rows((ROOT / "docs" / "security.md").read_text(), "Who sees what")
    assert len(lines) >= 9
    for line in lines:
        assert NAMED_TEST.search(line), f"nothing shows: {line}"


def test_the_page_says_whether_streams_are_sealed() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    assert ("It is off unless" in page) is not StreamOptions().seals
