"""Griffe extension: roles and literal blocks of our docstrings become Markdown for the site."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from griffe import Extension

if TYPE_CHECKING:
    from griffe import Object

ROLE = re.compile(r":(?:class|func|meth|attr|data|mod|exc):`~?([^`]+)`")


def as_markdown(text: str) -> str:
    """Return a docstring in Markdown."""
    text = ROLE.sub(r"`\1`", text).replace("``", "`")
    return re.sub(r"^::$\n?", "", text, flags=re.MULTILINE).replace("::\n", ":\n")


class MarkdownDocstrings(Extension):
    """Rewrites every docstring before it is parsed."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:  # noqa: ANN401  (griffe's)
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
