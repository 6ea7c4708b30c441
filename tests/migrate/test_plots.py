"""What the report's plots show: places on the axes, steps, rates, and the same as figures."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy_migrate.parity.model import GoodputSeries, MixDelays, PacketsSeries, Side
from nymproxy_migrate.report import axes, plots
from nymproxy_migrate.report.figures import figure

SIZES = st.floats(1e-9, 1e12)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.0, "0"),
        (12345, "12,345"),
        (12345.678, "12,346"),
        (98.2134, "98.21"),
        (466.02, "466"),
        (100.0, "100"),
        (0.03217, "0.03217"),
        (-2.5, "\N{MINUS SIGN}2.5"),
        (3.2e-7, "3.200e\N{MINUS SIGN}07"),
        (True, "yes"),
        (False, "no"),
        ("as it is", "as it is"),
        ("", "\N{EN DASH}"),
        (None, "\N{EN DASH}"),
    ],
)
def test_figures_for_people(value: float | str | None, shown: str) -> None:
    assert figure(value) == shown


class TestAxes:
    @given(SIZES)
    def test_from_zero_holds_the_largest_with_few_round_ticks(self, largest: float) -> None:
        axis = axes.from_zero("x", largest)
        assert largest <= axis.high * (1 + 1e-6) <= 2.6 * largest
        assert 2 <= len(axis.ticks) <= 6
        assert (axis.ticks[0].percent, axis.ticks[-1].percent) == (0, 100)
        assert axis.percent(0) == 0
        assert axis.percent(axis.high) == 100

    def test_ticks_are_at_their_values(self) -> None:
        axis = axes.from_zero("x", 10.6)
        assert [tick.label for tick in axis.ticks] == ["0", "2.5", "5", "7.5", "10", "12.5"]
        assert [axis.percent(float(tick.label)) for tick in axis.ticks] == [
            tick.percent for tick in axis.ticks
        ]

    @pytest.mark.parametrize("largest", [0.0, -1.0, math.inf, math.nan])
    def test_no_extent_is_still_an_axis(self, largest: float) -> None:
        assert axes.from_zero("x", largest).high == 1

    def test_what_is_outside_goes_to_the_end(self) -> None:
        axis = axes.from_zero("x", 10)
        assert (axis.percent(-5), axis.percent(99)) == (0, 100)

    def test_near_ratios_start_at_zero(self) -> None:
        axis = axes.for_ratios("x", [2.1, 3.4])
        assert (axis.low, axis.logarithmic) == (0, False)

    def test_a_zero_keeps_the_axis_linear(self) -> None:
        assert not axes.for_ratios("x", [0, 1, 1000]).logarithmic

    @given(SIZES, st.floats(25, 1e9))
    def test_far_ratios_are_logarithmic(self, smallest: float, factor: float) -> None:
        axis = axes.for_ratios("x", [smallest, smallest * factor])
        assert axis.logarithmic
        assert axis.title == "x, logarithmic"
        assert axis.low <= smallest * (1 + 1e-9)
        assert axis.high >= smallest * factor * (1 - 1e-9)
        assert len(axis.ticks) <= 7

    def test_a_decade_is_as_long_as_another(self) -> None:
        axis = axes.for_ratios("x", [1, 100])
        assert [(tick.label, tick.percent) for tick in axis.ticks] == [
            ("1", 0),
            ("10", 50),
            ("100", 100),
        ]
        assert axis.percent(10) == 50


def echo(**samples: tuple[float, ...]) -> plots.Plot:
    delays = MixDelays(hops_each_way=3, mean_seconds=0.015)
    return plots.echo_plot({Side(name): values for name, values in samples.items()}, delays)


class TestEchoes:
    def test_each_echo_is_a_step_up(self) -> None:
        plot = echo(legacy=(0.25, 0.125), stream=(0.05,))
        assert plot.x.high == 250
        assert plot.curves[0].path == "M0 100.0H50.0V50.0H100.0V0.0H100"
        assert [curve.style for curve in plot.curves] == ["legacy", "stream", "theory"]

    def test_very_many_echoes_keep_the_page_small(self) -> None:
        many = tuple(0.1 + number / 100_000 for number in range(10_000))
        path = echo(legacy=many).curves[0].path
        assert path.count("V") == 400
        assert path.endswith("V0.0H100")

    def test_the_theoretical_curve_is_half_up_at_its_median(self) -> None:
        plot = echo(legacy=(0.1,))
        points = [tuple(map(float, point.split())) for point in plot.curves[-1].path[1:].split("L")]
        # The median of Erlang with k = 6 is 5.670 means.
        place = plot.x.percent(5.670 * 15)
        nearest = min(points, key=lambda point: abs(point[0] - place))
        assert nearest[1] == pytest.approx(50, abs=2)

    def test_the_table_holds_the_quantiles(self) -> None:
        rows = echo(legacy=tuple(number / 1000 for number in range(1, 101))).table.rows
        assert ("50 %", "50", "\N{EN DASH}", "85.05") in rows
        assert ("95 %", "95", "\N{EN DASH}", "157.7") in rows
        assert rows[-1] == ("100 %", "100", "\N{EN DASH}", "\N{EN DASH}")

    def test_a_stall_does_not_hide_the_others_and_is_said(self) -> None:
        plot = echo(legacy=(*(0.1,) * 99, 7.0), stream=(0.1,))
        assert plot.x.high <= 500
        assert "1 took longer than the" in plot.summary
        assert "7,000" in plot.table.rows[-1]

    def test_without_mix_delays_there_is_no_curve_of_theirs(self) -> None:
        plot = plots.echo_plot({Side.LEGACY: (0.1,)}, MixDelays(hops_each_way=3, mean_seconds=0))
        assert [curve.style for curve in plot.curves] == ["legacy"]
        assert "The mix nodes add no delay here" in plot.summary
        assert {row[-1] for row in plot.table.rows} == {"\N{EN DASH}"}

    def test_no_echoes_draw_nothing(self) -> None:
        plot = echo(legacy=())
        assert (plot.curves, plot.table.rows) == ((), ())


class TestGoodput:
    def test_steady_bytes_are_a_level_line(self) -> None:
        seconds = tuple(number / 10 for number in range(1, 101))
        received = tuple(1000 * number for number in range(1, 101))
        plot = plots.goodput_plot("g", "x", [GoodputSeries("x", Side.LEGACY, seconds, received)])
        assert "legacy 10 kB/s (100,000 bytes in 10 s)" in plot.summary
        rates = [float(row[2]) for row in plot.table.rows]
        assert sum(rates) / len(rates) == pytest.approx(10, abs=0.01)

    @given(
        st.lists(st.tuples(st.floats(0.001, 100), st.integers(1, 10**6)), min_size=1, max_size=50),
        st.floats(0.1, 40),
    )
    def test_the_intervals_add_up_to_all_bytes(
        self, points: list[tuple[float, int]], pieces: float
    ) -> None:
        seconds = tuple(sorted(second for second, _ in points))
        received = tuple(sorted(count for _, count in points))
        series = GoodputSeries("x", Side.STREAM, seconds, received)
        rates = plots.interval_rates(series, seconds[-1] / pieces)
        starts = [0.0, *(end for end, _ in rates)]
        carried = sum(
            1000 * rate * (end - start) for start, (end, rate) in zip(starts, rates, strict=False)
        )
        assert carried == pytest.approx(received[-1], rel=1e-6)
        assert rates[-1][0] == seconds[-1]

    def test_few_arrivals_are_cut_into_few_intervals(self) -> None:
        seconds = tuple(float(number) for number in range(1, 17))
        series = GoodputSeries("x", Side.LEGACY, seconds, tuple(range(16)))
        assert len(plots.goodput_plot("g", "x", [series]).table.rows) == 8

    def test_a_pause_is_seen_as_zero(self) -> None:
        series = GoodputSeries("x", Side.STREAM, (1.0, 9.0), (1024, 2048))
        rates = [rate for _, rate in plots.interval_rates(series, 0.5)]
        assert min(rates) == 0
        assert sum(rate > 0 for rate in rates) == 2


def test_costs_are_relative_to_the_payload() -> None:
    series = (
        PacketsSeries("a", Side.LEGACY, 10, 20_000, 10_000),
        PacketsSeries("a", Side.STREAM, 5, 10_000, 10_000),
        PacketsSeries("idle", Side.STREAM, 5, 10_000, 0),
    )
    plot = plots.packets_plot("p", "t", "unit", series, plots.packets_per_kb)
    assert [row.label for row in plot.dot_rows] == ["A"]
    assert [dot.text for dot in plot.dot_rows[0].dots] == ["1", "0.5"]
    assert [dot.percent for dot in plot.dot_rows[0].dots] == [100, 50]
    assert "Idle (stream)" in plot.summary
    assert plot.table.rows[2][2] == "\N{EN DASH}"
    assert plots.wire_bytes_per_byte(series[0]) == pytest.approx(2)
    assert re.match("Further left is cheaper", plot.summary)
