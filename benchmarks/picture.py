"""Pictures as SVG text: lines over two axes, and stacked bars. No library, no script, no font.

The legend is text beside the SVG, so that it wraps where there is little room."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 34, 40, 60
COLORS = 12
"""Classes ``c0`` to ``c11``, which the page gives colours for light and for dark."""
BAR_HEIGHT, BAR_LABEL = 22, 32


@dataclass(frozen=True, slots=True)
class Series:
    """One line.

    Attributes:
        name: for the legend.
        points: (x, y), by x.
        is_bound: drawn dashed, for what physics allows.
    """

    name: str
    points: Sequence[tuple[float, float]]
    is_bound: bool = False


def _nice_end(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten."""
    step = 1.0
    while step > value:
        step /= 10
    while step * 10 <= value:
        step *= 10
    return next(step * factor for factor in (1, 2, 5, 10) if step * factor >= value)


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _picture(title: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _legend(names: Sequence[tuple[str, str]]) -> str:
    entries = "".join(
        f'<li><svg class="key" viewBox="0 0 14 10"><path class="{kind}" d="M0 5h14"/></svg>'
        f"{escape(name)}</li>"
        for name, kind in names
    )
    return f'<ul class="legend">{entries}</ul>'


def lines(title: str, series: Sequence[Series], x_label: str, y_label: str) -> str:
    """Return a picture of lines; both axes begin at 0."""
    x_end = _nice_end(max(x for one in series for x, _ in one.points) or 1.0)
    y_end = _nice_end(max(y for one in series for _, y in one.points) or 1.0)
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + across * x / x_end, TOP + down * (1 - y / y_end)

    parts = []
    for tick in range(6):
        share = tick / 5
        x, floor = at(x_end * share, 0)
        _, y = at(0, y_end * share)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}h{across}M{x:.1f} {TOP}v{down}"/>')
        parts.append(_text(x, floor + 20, f"{x_end * share:g}", "middle"))
        parts.append(_text(LEFT - 6, y + 4, f"{y_end * share:g}", "end"))
    kinds = [_kind(number, one.is_bound) for number, one in enumerate(series)]
    for one, kind in zip(series, kinds, strict=True):
        path = "L".join("{:.1f} {:.1f}".format(*at(x, y)) for x, y in one.points)
        parts.append(f'<path class="{kind}" d="M{path}"/>')
    parts.append(_text(LEFT + across / 2, HEIGHT - 8, x_label, "middle"))
    parts.append(_text(0, 16, y_label))
    names = [(one.name, kind) for one, kind in zip(series, kinds, strict=True)]
    return _picture(title, HEIGHT, parts) + _legend(names)


def _kind(number: int, is_bound: bool = False) -> str:
    return "line bound" if is_bound else f"line c{number % COLORS}"


def bars(title: str, rows: Sequence[tuple[str, dict[str, float]]], x_label: str) -> str:
    """Return a picture of stacked bars: of each row its name and its parts."""
    names = list(dict.fromkeys(name for _, parts in rows for name in parts))
    number_of = {name: number for number, name in enumerate(names)}
    end = _nice_end(max(sum(parts.values()) for _, parts in rows) or 1.0)
    across = WIDTH - 2 * RIGHT
    height = TOP + len(rows) * (BAR_HEIGHT + BAR_LABEL) + BOTTOM
    drawn = []
    for index, (row, parts) in enumerate(rows):
        x, y = float(RIGHT), TOP - 12 + index * (BAR_HEIGHT + BAR_LABEL)
        drawn.append(_text(RIGHT, y - 6, f"{row}: {sum(parts.values()):.2f} {x_label}"))
        for name, value in parts.items():
            width = across * value / end
            drawn.append(
                f'<rect class="c{number_of[name] % COLORS}" x="{x:.1f}" y="{y}"'
                f' width="{width:.1f}" height="{BAR_HEIGHT}">'
                f"<title>{escape(name)} {value:.3f}</title></rect>"
            )
            x += width
    floor = height - BOTTOM + 8
    drawn += [
        _text(RIGHT + across * tick / 5, floor, f"{end * tick / 5:g}", "middle")
        for tick in range(6)
    ]
    drawn.append(_text(RIGHT + across / 2, height - 8, x_label, "middle"))
    return _picture(title, height, drawn) + _legend(
        [(name, _kind(number)) for name, number in number_of.items()]
    )
