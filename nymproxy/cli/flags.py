"""How a flag is described. A process that runs for months keeps the descriptions, for its
configuration file; the parser that is made of them, and what that loads, it does not."""

from __future__ import annotations

from typing import NamedTuple


class Flag(NamedTuple):
    """Of a field of the settings.

    Attributes:
        help: what it means.
        names: the flags that set it, the long one first; none: made of the field's name.
        metavar: what its value is called in the help.
        panel: the title under which the help shows it.
        variable: of the environment, beside the one that is made of the field's name.
        minimum: of a number.
        maximum: of a number.
    """

    help: str
    names: tuple[str, ...] = ()
    metavar: str | None = None
    panel: str | None = None
    variable: str | None = None
    minimum: float | None = None
    maximum: float | None = None
