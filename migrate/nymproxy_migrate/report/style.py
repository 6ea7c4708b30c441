"""A little colour for terminals, and when there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Tone = Literal["code", "good", "warning", "bad", "aside"]

_SEQUENCES: dict[Tone, str] = {
    "code": "1",
    "good": "32",
    "warning": "33",
    "bad": "31",
    "aside": "2",
}


@dataclass(frozen=True, slots=True)
class Style:
    """Text in tones, or plain text where colour is off.

    Attributes:
        colour: whether there are tones.
        columns: how wide the terminal is; None where nobody watches.
    """

    colour: bool
    columns: int | None = None

    def __call__(self, text: str, tone: Tone) -> str:
        """Return ``text`` in this tone."""
        return f"\x1b[{_SEQUENCES[tone]}m{text}\x1b[0m" if self.colour else text


PLAIN = Style(colour=False)


def style_for(
    *, is_terminal: bool, environ: Mapping[str, str], no_color: bool, columns: int | None = None
) -> Style:
    """Return the style of a stream.

    ``--no-color`` and ``NO_COLOR`` turn colour off, whatever else is set; ``FORCE_COLOR`` turns it
    on; otherwise a terminal that is not ``TERM=dumb`` has it.

    Args:
        is_terminal: whether somebody watches the stream.
        environ: the environment.
        no_color: whether ``--no-color`` is given.
        columns: how wide the terminal is, if somebody watches.
    """
    if no_color or environ.get("NO_COLOR"):
        return Style(False, columns)
    if environ.get("FORCE_COLOR"):
        return Style(True, columns)
    return Style(is_terminal and environ.get("TERM") != "dumb", columns)
