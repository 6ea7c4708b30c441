"""Lines that end where a terminal does."""

from __future__ import annotations

import textwrap

PAGE_COLUMNS = 80
"""How wide prose is where no terminal says so."""
_FEWEST_COLUMNS = 40
_MOST_COLUMNS = 120


def wrapped(text: str, columns: int | None, first: str = "", then: str = "") -> str:
    """Return a text in lines, with a line end.

    Args:
        text: without line ends that count.
        columns: of the terminal; None for one line, whatever its length.
        first: what stands in front of the first line.
        then: what stands in front of the others.
    """
    if columns is None:
        return f"{first}{text}\n"
    lines = textwrap.wrap(
        text,
        within(columns),
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines or [first]) + "\n"


def within(columns: int) -> int:
    """Return how wide lines are on a terminal: longer ones than this are hard to read."""
    return min(max(columns, _FEWEST_COLUMNS), _MOST_COLUMNS)


def paragraphs(text: str, columns: int) -> str:
    """Return prose in lines; what is indented is an example and stays as it is."""
    parts = []
    for line in text.split("\n"):
        is_prose = bool(line) and not line.startswith(" ")
        parts.append(wrapped(line, columns) if is_prose else line + "\n")
    return "".join(parts)[:-1]
