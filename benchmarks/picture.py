"""Pictures as SVG text: lines over two axes, and stacked bars. No library, no script, no font."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 150, 16, 44
COLORS = ("#1b6ca8", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#be185d", "#0f766e", "#475569")
BAR_LEFT, BAR_HEIGHT = 130, 26


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


def _legend(names: Sequence[tuple[str, str]]) -> list[str]:
    parts = []
    for row, (name, color) in enumerate(names):
        y = TOP + 10 + row * 18
        x = WIDTH - RIGHT + 12
        parts.append(f'<rect x="{x}" y="{y - 8}" width="10" height="10" fill="{color}"/>')
        parts.append(_text(x + 16, y + 1, name))
    return parts


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
        parts.append(_text(x, floor + 16, f"{x_end * share:g}", "middle"))
        parts.append(_text(LEFT - 6, y + 4, f"{y_end * share:g}", "end"))
    for one, color in zip(series, COLORS, strict=False):
        path = "L".join("{:.1f} {:.1f}".format(*at(x, y)) for x, y in one.points)
        dash = ' stroke-dasharray="5 4"' if one.is_bound else ""
        parts.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="2"{dash}/>')
    parts += _legend([(one.name, color) for one, color in zip(series, COLORS, strict=False)])
    parts.append(_text(LEFT + across / 2, HEIGHT - 6, x_label, "middle"))
    parts.append(_text(6, TOP - 4, y_label))
    return _picture(title, HEIGHT, parts)


def bars(title: str, rows: Sequence[tuple[str, dict[str, float]]], x_label: str) -> str:
    """Return a picture of stacked bars: of each row its name and its parts."""
    names = list(dict.fromkeys(name for _, parts in rows for name in parts))[: len(COLORS)]
    color_of = dict(zip(names, COLORS, strict=False))
    end = _nice_end(max(sum(parts.values()) for _, parts in rows) or 1.0)
    across = WIDTH - BAR_LEFT - RIGHT
    height = TOP + max(len(rows) * (BAR_HEIGHT + 12), len(names) * 18) + BOTTOM
    drawn = []
    for index, (row, parts) in enumerate(rows):
        x, y = float(BAR_LEFT), TOP + index * (BAR_HEIGHT + 12)
        drawn.append(_text(BAR_LEFT - 6, y + BAR_HEIGHT / 2 + 4, row, "end"))
        for name, value in parts.items():
            width = across * value / end
            drawn.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR_HEIGHT}"'
                f' fill="{color_of.get(name, "#94a3b8")}">'
                f"<title>{escape(name)} {value:.3f}</title></rect>"
            )
            x += width
    floor = height - BOTTOM + 14
    drawn += [
        _text(BAR_LEFT + across * tick / 5, floor, f"{end * tick / 5:g}", "middle")
        for tick in range(6)
    ]
    drawn.append(_text(BAR_LEFT + across / 2, height - 8, x_label, "middle"))
    return _picture(title, height, drawn + _legend(list(color_of.items())))
