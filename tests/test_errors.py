"""The exception tree and its page in the docs."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from nymproxy import errors
from nymproxy.errors import NymError, ResetCode, StreamRefused, StreamReset

PAGE = Path(__file__).resolve().parent.parent / "docs" / "errors.md"


def _classes() -> list[type[NymError]]:
    return [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, NymError)
    ]


def test_codes_are_unique_and_stable_words() -> None:
    codes = [cls.code for cls in _classes()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z][a-z-]*", code) for code in codes)


def test_the_page_lists_every_class_as_it_is() -> None:
    rows = [
        tuple(cell.strip(" `") for cell in line.split("|")[1:-1])
        for line in PAGE.read_text().splitlines()
        if line.startswith("| `")
    ]
    expected = [
        (
            cls.code,
            cls.__name__,
            "" if cls is NymError else cls.__mro__[1].__name__,
            cls.retry.value,
            (inspect.getdoc(cls) or "").splitlines()[0],
        )
        for cls in _classes()
    ]
    assert rows == expected


def test_the_tree_in_the_docstring_names_every_class() -> None:
    assert errors.__doc__ is not None
    named = set(re.findall(r"\b[A-Z][A-Za-z]+\b", errors.__doc__))
    assert {cls.__name__ for cls in _classes()} <= named


def test_resets_carry_their_code() -> None:
    assert StreamReset("x", ResetCode.DATA_LOST).reset_code is ResetCode.DATA_LOST
    assert StreamRefused("x").reset_code is ResetCode.REFUSED
