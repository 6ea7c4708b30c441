"""Names and contents of files of others, fit for a terminal: they must not steer it."""

from __future__ import annotations


def shown(text: str) -> str:
    """Return a text for one line: what is not printable is a question mark."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return "".join(each if each.isprintable() else "?" for each in text)
