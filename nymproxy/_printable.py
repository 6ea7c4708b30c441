"""Names and contents of files of others, fit for a terminal: they must not steer it."""

from __future__ import annotations

_KEPT_IN_LINES = "\n\t"


def printable(text: str, *, keep: str = "") -> str:
    """Return a text in which a question mark stands for what is not printable.

    That is control characters, those that change the direction of writing, and halves of
    characters; bytes of a name that are no UTF-8 are written with a backslash.

    Args:
        text: whatever it is.
        keep: characters that stay as they are.
    """
    text = text.encode("utf-8", "backslashreplace").decode()
    return "".join(each if each.isprintable() or each in keep else "?" for each in text)


def printable_lines(data: bytes) -> bytes:
    """Return what a terminal may get of a text of lines."""
    text = data.decode("utf-8", "backslashreplace")
    return printable(text, keep=_KEPT_IN_LINES).encode()
