"""What the plots of a parity report show: curves and dots in percent of the plot, and their tables.

Nothing here is markup: the template draws it, with lines as SVG and all text as HTML, so that the
text keeps its size however narrow the page is.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate.parity.model import Side, title_of
from nymproxy_migrate.report import axes, erlang
from nymproxy_migrate.report.figures import NO_VALUE, figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nymproxy_migrate.parity.model import (
        GoodputSeries,
        MixDelays,
        PacketsSeries,
        ParityReport,
    )

_MOST_POINTS = 400
_THEORY_POINTS = 120
_FEWEST_INTERVALS, _MOST_INTERVALS, _ARRIVALS_EACH = 6, 24, 2
# Bytes that were all there at once have no rate.
_SHORTEST_SECONDS = 1e-6
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
# An echo far beyond the others would press all of them against the left edge.
_FAR_BEYOND = 2.0
_TYPICAL = 0.95


@dataclass(frozen=True, slots=True)
class Curve:
    """A line: ``style`` is ``legacy``, ``stream`` or ``theory``; ``path`` is SVG path data."""

    style: str
    label: str
    path: str


@dataclass(frozen=True, slots=True)
class Dot:
    """One value on a row of dots."""

    style: str
    label: str
    percent: float
    text: str


@dataclass(frozen=True, slots=True)
class DotRow:
    """The values of one workload."""

    label: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The figures of a plot, for who cannot or would rather not look at it.

    Attributes:
        caption: what it is about.
        head: titles of its columns.
        rows: their cells.
        words: how many columns, from the left, hold no figures.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


@dataclass(frozen=True, slots=True)
class Plot:
    """One figure of the report: curves, or rows of dots; neither where nothing was measured.

    Attributes:
        key: unique in the page; part of element ids.
        title: its heading.
        summary: what can be seen, in a sentence or two; the text alternative.
        x: the horizontal axis.
        y: the vertical axis; ``None`` with rows of dots.
        curves: drawn in this order.
        dot_rows: top to bottom.
        table: the same as figures.
    """

    key: str
    title: str
    summary: str
    x: axes.Axis
    y: axes.Axis | None
    curves: tuple[Curve, ...]
    dot_rows: tuple[DotRow, ...]
    table: Table

    @property
    def legend(self) -> tuple[tuple[str, str], ...]:
        """The (style, label) of everything that is drawn, once each."""
        pairs = [(curve.style, curve.label) for curve in self.curves]
        pairs += [(dot.style, dot.label) for row in self.dot_rows for dot in row.dots]
        return tuple(dict.fromkeys(pairs))


def all_plots(report: ParityReport) -> tuple[Plot, ...]:
    """Return the plots of a report, in the order of the page."""
    names = dict.fromkeys(series.name for series in report.goodput)
    goodput = (
        goodput_plot(f"goodput-{index}", name, [s for s in report.goodput if s.name == name])
        for index, name in enumerate(names, 1)
    )
    return (
        echo_plot(report.echo_round_trips_seconds, report.mix_delays),
        *(goodput if names else (goodput_plot("goodput-1", "", ()),)),
        packets_plot(
            "packets",
            "Packets per kB",
            "Packets per kB of payload",
            report.packets,
            packets_per_kb,
        ),
        packets_plot(
            "wire-bytes",
            "Bytes on the wire per byte",
            "Bytes on the wire per byte of payload",
            report.packets,
            wire_bytes_per_byte,
        ),
    )


def echo_plot(round_trips: dict[Side, tuple[float, ...]], delays: MixDelays | None) -> Plot:
    """Return the shares of echoes that were back by then, with the least that mixing costs."""
    samples = {
        side: sorted(1000 * s for s in round_trips.get(side, ()) if 0 <= s < math.inf)
        for side in Side
    }
    shape = 2 * delays.hops_each_way if delays and delays.mean_seconds else 0
    mean = 1000 * delays.mean_seconds if delays else 0.0
    x = axes.from_zero("Round trip time (ms)", _echo_limit(samples, shape, mean))
    y = axes.fractions("Share of echoes that were back by then (%)")
    curves = [
        Curve(side, f"{side}, {len(values):,} echoes", _steps(values, x, y))
        for side, values in samples.items()
        if values
    ]
    measured = bool(curves)
    if measured and shape:
        label = f"mix delays alone: {shape} hops of {figure(mean)} ms on average"
        curves.append(Curve("theory", label, _theory(shape, mean, x, y)))
    said = _echo_summary(samples, shape, mean, x) if measured else "No echo was measured."
    if measured and delays and not shape:
        said += " The mix nodes add no delay here, so there is no curve of theirs."
    return Plot(
        "echo",
        "Echo round trips",
        said,
        x,
        y,
        tuple(curves),
        (),
        _echo_table(samples, shape, mean),
    )


def _echo_limit(samples: dict[Side, list[float]], shape: int, mean: float) -> float:
    theory = erlang.quantile(shape, mean, 0.995)
    ends = [values[-1] for values in samples.values() if values]
    typical = [_quantile(values, _TYPICAL) for values in samples.values() if values]
    return min(max([theory, *ends]), _FAR_BEYOND * max([theory, *typical]))


def _echo_summary(samples: dict[Side, list[float]], shape: int, mean: float, x: axes.Axis) -> str:
    halves = [
        f"{figure(_quantile(values, 0.5))} ms {side}" for side, values in samples.items() if values
    ]
    if shape:
        halves.append(f"{figure(erlang.quantile(shape, mean, 0.5))} ms from the mix delays alone")
    said = f"Half of the echoes were back after: {'; '.join(halves)}."
    beyond = sum(value > x.high for values in samples.values() for value in values)
    if beyond:
        said += f" {beyond:,} took longer than the {figure(x.high)} ms that are shown."
    missing = [side for side, values in samples.items() if not values]
    if missing:
        said += f" No echoes were measured on this side: {', '.join(missing)}."
    return said


def _echo_table(samples: dict[Side, list[float]], shape: int, mean: float) -> Table:
    head = ("Share back", *(f"{side} (ms)" for side in samples), "mix delays alone (ms)")
    rows = []
    if any(samples.values()):
        for share in (*_QUANTILES, 1.0):
            cells = [
                figure(_quantile(values, share)) if values else NO_VALUE
                for values in samples.values()
            ]
            bounded = shape and share < 1
            theory = figure(erlang.quantile(shape, mean, share)) if bounded else NO_VALUE
            rows.append((f"{100 * share:.0f} %", *cells, theory))
    return Table("Round trip time by share of echoes", head, tuple(rows))


def goodput_plot(key: str, name: str, series: Sequence[GoodputSeries]) -> Plot:
    """Return the rate at which the payload of one transfer arrived, over time."""
    usable = [
        one for one in series if one.seconds and _SHORTEST_SECONDS <= one.seconds[-1] < math.inf
    ]
    longest = max((one.seconds[-1] for one in usable), default=0.0)
    width = longest / _intervals(usable)
    rates = [(one, interval_rates(one, width)) for one in usable]
    x = axes.from_zero("Time since the connection's start (s)", longest)
    top = max((rate for _, found in rates for _, rate in found), default=0.0)
    y = axes.from_zero("Goodput (kB/s)", top, ticks=4)
    curves = tuple(Curve(one.side, one.side, _bars(found, x, y)) for one, found in rates)
    totals = [
        f"{one.side} {figure(_mean_rate(one))} kB/s ({one.payload_bytes[-1]:,} bytes in "
        f"{figure(one.seconds[-1])} s)"
        for one in usable
    ]
    said = f"On average: {'; '.join(totals)}." if totals else "No goodput was measured."
    missing = [side for side in Side if side not in {one.side for one in usable}]
    if totals and missing:
        said += f" Nothing was measured on this side: {', '.join(missing)}."
    title = f"{title_of(name)}: goodput over time" if name else "Goodput over time"
    return Plot(key, title, said, x, y, curves, (), _goodput_table(name, rates))


def _intervals(series: Sequence[GoodputSeries]) -> int:
    """Return into how many to cut the longest transfer: each should see more than one arrival."""
    arrivals = max((len(one.seconds) for one in series), default=0)
    return min(max(arrivals // _ARRIVALS_EACH, _FEWEST_INTERVALS), _MOST_INTERVALS)


def interval_rates(series: GoodputSeries, width: float) -> list[tuple[float, float]]:
    """Return the rate of each interval of a transfer.

    Args:
        series: of the transfer; it lasts a microsecond or longer.
        width: of an interval, in seconds; a little more or less, so that all have the same.

    Returns:
        The interval's end in seconds, and the kB/s that arrived in it.
    """
    duration = series.seconds[-1]
    count = max(1, round(duration / width))
    width = duration / count
    rates = []
    before = 0
    for index in range(1, count + 1):
        end = duration if index == count else index * width
        known = bisect_right(series.seconds, end)
        until = series.payload_bytes[known - 1] if known else 0
        rates.append((end, (until - before) / 1000 / width))
        before = until
    return rates


def _goodput_table(
    name: str, rates: Sequence[tuple[GoodputSeries, list[tuple[float, float]]]]
) -> Table:
    rows = tuple(
        (one.side, figure(end), figure(rate)) for one, found in rates for end, rate in found
    )
    caption = f"{title_of(name)}: goodput by interval" if name else "Goodput by interval"
    return Table(caption, ("Side", "Interval's end (s)", "Goodput (kB/s)"), rows)


def packets_plot(
    key: str,
    title: str,
    axis_title: str,
    series: Sequence[PacketsSeries],
    value: Callable[[PacketsSeries], float | None],
) -> Plot:
    """Return what each workload cost, as one row of dots for each."""
    measured = [(one, ratio) for one in series if (ratio := value(one)) is not None]
    x = axes.for_ratios(axis_title, [ratio for _, ratio in measured])
    rows = []
    for name in dict.fromkeys(one.name for one, _ in measured):
        dots = tuple(
            Dot(one.side, one.side, x.percent(ratio), figure(ratio))
            for one, ratio in measured
            if one.name == name
        )
        rows.append(DotRow(title_of(name), dots))
    head = ("Workload", "Side", axis_title, "Packets", "Bytes on the wire", "Bytes of payload")
    cells = tuple(
        (
            title_of(one.name),
            one.side,
            figure(value(one)),
            f"{one.packets:,}",
            f"{one.wire_bytes:,}",
            f"{one.payload_bytes:,}",
        )
        for one in series
    )
    said = "Further left is cheaper." if rows else "No packets were counted."
    idle = [f"{title_of(one.name)} ({one.side})" for one in series if value(one) is None]
    if idle:
        said += f" No payload, so no figure here: {', '.join(idle)}."
    return Plot(key, title, said, x, None, (), tuple(rows), Table(title, head, cells, 2))


def packets_per_kb(series: PacketsSeries) -> float | None:
    """Return how many packets 1000 bytes of payload took; ``None`` without payload."""
    return 1000 * series.packets / series.payload_bytes if series.payload_bytes > 0 else None


def wire_bytes_per_byte(series: PacketsSeries) -> float | None:
    """Return how many bytes on the wire a byte of payload took; ``None`` without payload."""
    return series.wire_bytes / series.payload_bytes if series.payload_bytes > 0 else None


def _quantile(ascending: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of all does not exceed."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]


def _mean_rate(series: GoodputSeries) -> float:
    return series.payload_bytes[-1] / 1000 / series.seconds[-1]


def _steps(ascending: Sequence[float], x: axes.Axis, y: axes.Axis) -> str:
    """Return the path of an ECDF; of very many values, as many as can be told apart."""
    count = len(ascending)
    points = min(count, _MOST_POINTS)
    path = [f"M0 {_down(0.0, y)}"]
    for number in range(1, points + 1):
        rank = math.ceil(number * count / points)
        if ascending[rank - 1] > x.high:
            break
        path.append(f"H{x.percent(ascending[rank - 1])}V{_down(rank / count, y)}")
    return "".join([*path, "H100"])


def _theory(shape: int, mean: float, x: axes.Axis, y: axes.Axis) -> str:
    points = []
    for index in range(_THEORY_POINTS + 1):
        value = x.high * index / _THEORY_POINTS
        points.append(f"{x.percent(value)} {_down(erlang.cumulative(shape, mean, value), y)}")
    return "M" + "L".join(points)


def _bars(rates: Sequence[tuple[float, float]], x: axes.Axis, y: axes.Axis) -> str:
    path = f"M0 {_down(rates[0][1], y)}"
    for end, rate in rates:
        path += f"V{_down(rate, y)}H{x.percent(end)}"
    return path


def _down(value: float, y: axes.Axis) -> float:
    """Return the SVG's y, which grows downwards."""
    return round(100 - y.percent(value), 3)
