"""The parity report as a page: what it says, that it needs nothing else, and how a browser sees it.

The last part runs in a real headless browser, and is skipped where there is none.
"""

from __future__ import annotations

import dataclasses
import math
import os
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nymproxy_migrate.parity.model import (
    GoodputSeries,
    MixDelays,
    PacketsSeries,
    ParityReport,
    Row,
    Side,
    Verdict,
    title_of,
)
from nymproxy_migrate.report.html import headline, render
from tests.migrate.browser import Browser, find_browser
from tests.migrate.parity_reports import empty, realistic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VOID = {"meta", "link", "br", "path", "circle"}
HOSTILE = "<script>alert(1)</script>\"'&<b>"


class Page(HTMLParser):
    """The parsed page; refuses tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.rows: dict[str, list[str]] = {}
        self.text = ""
        self._open: list[str] = []
        self._row: list[str] | None = None
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append((tag, attributes))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self._row = self.rows.setdefault(attributes.get("data-name", ""), [])
        elif tag in {"td", "th"} and self._row is not None:
            self._row.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag == "tr":
            self._row = None

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.text += data
        if self._row and self._open[-1] != "tr":
            self._row[-1] += data

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def with_rows(*rows: Row) -> ParityReport:
    return dataclasses.replace(empty(), rows=rows)


def row(verdict: Verdict, title: str = "Echo", **changes: Any) -> Row:
    plain = Row("echo.digest", title, "Echo", "", True, True, verdict)
    return dataclasses.replace(plain, **changes)


class TestHeadline:
    def test_all_is_well(self) -> None:
        report = with_rows(row(Verdict.SAME), row(Verdict.BETTER))
        assert headline(report) == (
            "The stream way does at least as well as the legacy way in all 2 comparisons."
        )

    def test_worse_is_named_and_skipped_is_said(self) -> None:
        report = with_rows(row(Verdict.SAME), row(Verdict.WORSE, "EOF"), row(Verdict.SKIPPED))
        assert headline(report) == (
            "The stream way is worse than allowed in 1 of 2 comparisons (1 skipped): “EOF”."
        )

    def test_many_worse_stay_one_readable_sentence(self) -> None:
        report = with_rows(*(row(Verdict.WORSE, f"row {number}") for number in range(9)))
        assert headline(report).endswith("“row 4”, and 4 more.")

    def test_one_comparison(self) -> None:
        assert headline(with_rows(row(Verdict.SAME))).endswith("in the one comparison.")

    def test_nothing_to_judge_by_is_not_called_good(self) -> None:
        assert headline(empty()) == "Nothing was compared."
        skipped = with_rows(row(Verdict.SKIPPED), row(Verdict.SKIPPED))
        assert headline(skipped) == "Nothing could be compared: 2 comparisons skipped."


class TestPage:
    def test_every_row_is_there_with_its_words(self) -> None:
        report = realistic()
        page = Page(render(report))
        for one in report.rows:
            what, verdict, _, _, allowance, note = page.rows[one.name]
            assert what == one.title + one.name
            assert verdict[1:] == one.verdict
            assert not verdict[0].isalnum()
            assert (allowance, note) == (one.allowance, one.note)
        differ = [one for one in report.rows if one.verdict in {Verdict.WORSE, Verdict.BETTER}]
        order = sorted(report.rows, key=lambda one: (one not in differ, one.verdict != "worse"))
        headings = [title_of(one.group) for one in order]
        shown = [name for name in page.rows[""] if name in headings]
        assert set(shown) == set(headings)
        assert [name for name in page.rows if name][: len(differ)] == [
            name for name in page.rows if name in {one.name for one in differ}
        ]

    def test_what_does_not_differ_is_folded(self) -> None:
        text = render(realistic())
        folded = text[
            text.index('<details class="others">') : text.index('aria-labelledby="plots"')
        ]
        for one in realistic().rows:
            is_folded = f'data-name="{one.name}"' in folded
            assert is_folded == (one.verdict in {Verdict.SAME, Verdict.SKIPPED})
        assert "Neither side does better" in render(with_rows(row(Verdict.SAME)))

    def test_figures_stand_right_and_red_is_for_what_is_worse(self) -> None:
        page = Page(render(realistic(worse=False)))
        counts = [one["class"] for one in page.named("li") if "verdict" in one.get("class", "")]
        assert counts == ["verdict same", "verdict better", "verdict none", "verdict skipped"]
        numbers = [one for one in page.named("td") if "number" in one.get("class", "")]
        assert len(numbers) > 2 * len(realistic().rows)
        assert "is-worse" not in [one.get("class") for one in page.named("tr")]

    def test_what_is_compared_is_said(self) -> None:
        compared = {Side.LEGACY: "the old programs: /x and /y", Side.STREAM: "nymproxy"}
        page = Page(render(dataclasses.replace(realistic(), compared=compared)))
        assert all(what in page.text for what in compared.values())

    def test_values_are_readable(self) -> None:
        rows = (
            row(Verdict.SAME, name="a", unit="ms", legacy=98.2134, stream=97),
            row(Verdict.SAME, name="b", unit="ms", legacy=True, stream=None),
            row(Verdict.SAME, name="c", legacy=1234567, stream=0.0001234),
            row(Verdict.SAME, name="d", legacy=float("nan"), stream=float("-inf")),
            row(Verdict.SAME, name="e", legacy="text", stream=-1e300),
        )
        cells = {name: shown[2:4] for name, shown in Page(render(with_rows(*rows))).rows.items()}
        assert cells["a"] == ["98.21\N{NO-BREAK SPACE}ms", "97\N{NO-BREAK SPACE}ms"]
        assert cells["b"] == ["yes", "\N{EN DASH}"]
        assert cells["c"] == ["1,234,567", "0.0001234"]
        assert cells["d"] == ["not a number", "\N{MINUS SIGN}infinite"]
        assert cells["e"] == ["text", "\N{MINUS SIGN}1.000e+300"]

    def test_rows_of_one_group_stand_together(self) -> None:
        rows = [row(Verdict.SAME, name=name, group=name[0]) for name in ("a1", "b1", "a2")]
        assert [name for name in Page(render(with_rows(*rows))).rows if name] == ["a1", "a2", "b1"]

    @pytest.mark.parametrize("report", [realistic(), empty()], ids=["realistic", "empty"])
    def test_it_loads_nothing(self, report: ParityReport) -> None:
        text = render(report)
        page = Page(text)
        assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "object", "base"}
        ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
        for _, attributes in page.tags:
            assert "src" not in attributes
            assert attributes.get("href", "data:,") in {"data:,", *(f"#{one}" for one in ids)}
            assert not any(name.startswith("on") for name in attributes)
        assert "http:" not in text.replace("http-equiv", "")
        assert "https:" not in text
        assert "url(" not in text
        assert "@import" not in text

    def test_the_machine_and_the_way_to_repeat_it(self) -> None:
        report = realistic()
        text = Page(render(report)).text
        assert all(name in text and value in text for name, value in report.machine.items())
        typed = "nymproxy-migrate parity --quick -o 'a b.html'"
        assert typed in Page(render(dataclasses.replace(report, command=typed))).text
        assert "<pre>" not in render(report)

    def test_each_plot_has_titles_units_and_its_figures(self) -> None:
        page = Page(render(realistic()))
        ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
        drawings = [one for one in page.named("svg") if one.get("role") == "img"]
        assert len(drawings) == len(page.named("figure")) == 5
        assert len(page.named("details")) == 6
        for drawing in drawings:
            assert {drawing["aria-labelledby"], drawing["aria-describedby"]} <= ids
        for title in (
            "Round trip time (ms)",
            "Share of echoes that were back by then (%)",
            "Time since the connection's start (s)",
            "Goodput (kB/s)",
            "Packets per kB of payload",
            "Bytes on the wire per byte of payload",
        ):
            assert title in page.text

    def test_ids_are_unique(self) -> None:
        tags = Page(render(realistic())).tags
        ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
        assert len(ids) == len(set(ids))


class TestHostileText:
    def test_everything_is_escaped(self) -> None:
        hostile = ParityReport(
            tool_version=HOSTILE,
            started_at=HOSTILE,
            seconds=1.0,
            against=HOSTILE,
            machine={HOSTILE: HOSTILE},
            rows=(
                Row(
                    HOSTILE,
                    HOSTILE,
                    HOSTILE,
                    HOSTILE,
                    HOSTILE,
                    1.0,
                    Verdict.WORSE,
                    HOSTILE,
                    HOSTILE,
                ),
            ),
            goodput=(GoodputSeries(HOSTILE, Side.LEGACY, (1.0, 2.0), (10, 20)),),
            packets=(PacketsSeries(HOSTILE, Side.STREAM, 1, 1, 1),),
        )
        text = render(hostile)
        tame = {tag for tag, _ in Page(render(realistic())).tags}
        page = Page(text)
        assert {tag for tag, _ in page.tags} <= tame
        assert page.rows[HOSTILE][0] == HOSTILE * 2
        assert "<script" not in text

    @given(st.text(max_size=30))
    @settings(max_examples=15, deadline=None)
    def test_any_text(self, text: str) -> None:
        one = Row("name", text, text, text, text, None, Verdict.SAME, text, text)
        page = Page(render(dataclasses.replace(with_rows(one), machine={text: text})))
        assert len(page.rows["name"]) == 6


FINITE = st.floats(0, 1e6)
SERIES = st.lists(st.tuples(FINITE, st.integers(0, 10**9)), max_size=8)


def transfer(name: str, side: Side, points: list[tuple[float, int]]) -> GoodputSeries:
    seconds = tuple(sorted(second for second, _ in points))
    return GoodputSeries(name, side, seconds, tuple(sorted(count for _, count in points)))


class TestMissingData:
    @pytest.mark.parametrize("side", list(Side))
    def test_one_side_is_missing(self, side: Side) -> None:
        report = realistic()
        text = render(
            dataclasses.replace(
                report,
                echo_round_trips_seconds={side: report.echo_round_trips_seconds[side]},
                goodput=tuple(one for one in report.goodput if one.side is side),
                packets=tuple(one for one in report.packets if one.side is side),
                mix_delays=None,
            )
        )
        other = next(one for one in Side if one is not side)
        assert f"No echoes were measured on this side: {other}." in text
        assert f"Nothing was measured on this side: {other}." in text
        assert 'class="curve theory"' not in text

    def test_nothing_at_all(self) -> None:
        page = Page(render(empty()))
        assert "This run asked no question of either side." in page.text
        for said in ("No echo was", "No goodput was", "No packets were"):
            assert said in page.text

    def test_work_without_payload_is_named(self) -> None:
        idle = PacketsSeries("idle", Side.LEGACY, 12, 3456, 0)
        page = Page(render(dataclasses.replace(empty(), packets=(idle,))))
        assert "No payload, so no figure here: Idle (legacy)." in page.text

    @given(
        st.lists(st.floats(), max_size=12),
        st.lists(st.floats(), max_size=2),
        SERIES,
        st.tuples(*(st.integers(0, 10**12) for _ in range(3))),
        st.none() | st.builds(MixDelays, st.integers(0, 10), st.floats(0, 10)),
    )
    @example([], [1.797693134862316e303], [], (0, 0, 0), None)
    @example([math.inf, math.nan, -1.0, 5e-324], [], [(5e-324, 7)], (1, 1, 10**12), None)
    @example([0.0], [1e300], [(math.inf, 7)], (10**12, 0, 1), MixDelays(10, 5e-324))
    @settings(max_examples=25, deadline=None)
    def test_any_figures_make_a_page(
        self,
        legacy: list[float],
        stream: list[float],
        points: list[tuple[float, int]],
        costs: tuple[int, int, int],
        delays: MixDelays | None,
    ) -> None:
        report = dataclasses.replace(
            empty(),
            echo_round_trips_seconds={Side.LEGACY: tuple(legacy), Side.STREAM: tuple(stream)},
            goodput=(transfer("a", Side.LEGACY, points), transfer("b", Side.STREAM, [])),
            packets=(
                PacketsSeries("a", Side.LEGACY, *costs),
                PacketsSeries("a", Side.STREAM, 1, 1, 1),
            ),
            mix_delays=delays,
        )
        page = Page(render(report))
        for path in page.named("path"):
            assert set(path["d"]) <= set("MLHVZ0123456789.- ")


WINDOWS = [(width, scheme) for width in (1280, 400) for scheme in ("light", "dark")]
MEASURE = """(() => {
  const client = document.documentElement.clientWidth;  // without a scroll bar
  const box = (one) => { const r = one.getBoundingClientRect(); return [r.width, r.height]; };
  const wide = [...document.querySelectorAll('body *')].filter((one) =>
    !one.closest('.scroll, svg, thead') && one.getBoundingClientRect().right > client + 0.5);
  return {
    inner: innerWidth,
    client,
    scroll: document.documentElement.scrollWidth,
    beyond: wide.map((one) => one.tagName + '.' + one.className),
    drawings: [...document.querySelectorAll('svg.drawing')].map(box),
    curves: [...document.querySelectorAll('.area path.curve')].map(box),
    dots: [...document.querySelectorAll('.dot')].map(box),
    page: getComputedStyle(document.body).backgroundColor,
    strokes: [...document.querySelectorAll('.area path.curve')]
      .map((one) => getComputedStyle(one).stroke),
    texts: [...document.querySelectorAll('.tick, .axis-title, .legend li, td, dd')]
      .map((one) => parseFloat(getComputedStyle(one).fontSize)),
  };
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_browser()
    if program is None:
        reason = (
            "no browser: install chromium, or name a Chromium or Chrome in NYMPROXY_BROWSER, "
            "to open the HTML report for real"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}; CI must not skip this")
        pytest.skip(reason)
    with Browser(program, tmp_path_factory.mktemp("browser")) as running:
        yield running


def trouble(browser: Browser, url: str) -> list[Any]:
    """Return what the page logged, threw or asked the network for, except for itself."""
    found = []
    for event in browser.events:
        parameters = event.get("params", {})
        if event["method"] == "Network.requestWillBeSent":
            if parameters["request"]["url"] != url:
                found.append(event)
        elif event["method"] in {
            "Log.entryAdded",
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
        }:
            found.append(event)
    return found


@pytest.mark.slow
class TestBrowser:
    def test_a_full_report_at_each_width_and_scheme(self, browser: Browser, tmp_path: Path) -> None:
        file = tmp_path / "parity.html"
        file.write_text(render(realistic()), "utf-8")
        browser.open(file.as_uri())
        colours = set()
        for width, scheme in WINDOWS:
            # The page stays open: it must follow a change of the scheme and of the width.
            browser.emulate(width=width, height=900, scheme=scheme)
            seen = browser.evaluate(MEASURE)
            assert seen["inner"] == width
            assert seen["scroll"] == seen["client"]
            assert seen["beyond"] == []
            assert len(seen["drawings"]) == 5
            assert all(across > 200 and down > 80 for across, down in seen["drawings"])
            assert len(seen["curves"]) == 3 + 2 + 2
            assert all(across > 100 and down > 20 for across, down in seen["curves"])
            assert len(seen["dots"]) == 12
            assert all(across > 5 and down > 5 for across, down in seen["dots"])
            assert min(seen["texts"]) >= 11
            assert browser.screenshot().startswith(b"\x89PNG")
            colours.add((scheme, seen["page"], *seen["strokes"]))
        assert len(colours) == 2
        light, dark = sorted(colours, reverse=True)
        assert all(left != right for left, right in zip(light, dark, strict=True))
        assert trouble(browser, file.as_uri()) == []

    def test_a_report_of_nothing(self, browser: Browser, tmp_path: Path) -> None:
        file = tmp_path / "empty.html"
        file.write_text(render(empty()), "utf-8")
        browser.open(file.as_uri())
        for width in (1280, 400):
            browser.emulate(width=width, height=900, scheme="light")
            seen = browser.evaluate(MEASURE)
            assert seen["inner"] == width
            assert seen["scroll"] == seen["client"]
            assert (seen["beyond"], seen["curves"]) == ([], [])
        assert trouble(browser, file.as_uri()) == []

    def test_words_without_end_do_not_widen_the_page(
        self, browser: Browser, tmp_path: Path
    ) -> None:
        endless = "x" * 300
        one = Row(endless, endless, endless, "", endless, 1, Verdict.WORSE, endless, endless)
        report = dataclasses.replace(
            realistic(),
            rows=(one,),
            machine={endless: endless},
            goodput=(GoodputSeries(endless, Side.LEGACY, (1.0, 2.0), (10, 20)),),
            packets=(PacketsSeries(endless, Side.STREAM, 1, 1, 1),),
        )
        file = tmp_path / "endless.html"
        file.write_text(render(report), "utf-8")
        browser.open(file.as_uri())
        for width in (1280, 400):
            browser.emulate(width=width, height=900, scheme="dark")
            seen = browser.evaluate(MEASURE)
            assert seen["beyond"] == []
            assert (seen["inner"], seen["scroll"]) == (width, seen["client"])

    def test_the_tables_of_the_plots_scroll_in_their_own_box(
        self, browser: Browser, tmp_path: Path
    ) -> None:
        file = tmp_path / "open.html"
        file.write_text(render(realistic()), "utf-8")
        browser.open(file.as_uri())
        browser.emulate(width=400, height=900, scheme="light")
        browser.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
        assert browser.evaluate("document.documentElement.scrollWidth") == 400
        assert browser.evaluate(MEASURE)["beyond"] == []
