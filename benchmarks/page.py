"""The figures as one HTML page that opens offline: pictures, then the tables."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from benchmarks.bounds import echo_seconds, packets_for
from benchmarks.figures import Figure, figures
from benchmarks.picture import Series, bars, lines
from benchmarks.records import ENVIRONMENT, Record
from benchmarks.stage import PARTIES
from benchmarks.statistics import Summary, percentile
from benchmarks.table import (
    BESIDE_HEADINGS,
    MAIN_HEADINGS,
    beside_rows,
    conditions,
    main_rows,
    targets_rows,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLORS = (
    *(
        ("#1b6ca8", "#6cb6ea"),
        ("#c2410c", "#fb923c"),
        ("#15803d", "#4ade80"),
        ("#7e22ce", "#c4a1f7"),
    ),
    *(
        ("#a16207", "#facc15"),
        ("#be185d", "#f472b6"),
        ("#0f766e", "#2dd4bf"),
        ("#475569", "#a8b3c4"),
    ),
    *(
        ("#7f1d1d", "#fca5a5"),
        ("#3f6212", "#bef264"),
        ("#6b7280", "#9ca3af"),
        ("#312e81", "#a5b4fc"),
    ),
)
"""Of the series, for light and for dark."""
_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;
color:#111;background:#fff}
figure{margin:1.5rem 0;max-width:46rem}figure>svg{width:100%;font-size:13px}
text{fill:currentColor}.grid{stroke:#ddd;fill:none}.line{fill:none;stroke-width:2}
.bound{stroke:currentColor;stroke-dasharray:5 4}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1rem;padding:0;margin:.3rem 0;
font-size:13px}.key{width:14px;height:10px;margin-right:.4rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13px}
td,th{border-bottom:1px solid #ddd;padding:.2rem .5rem;text-align:left;white-space:nowrap}
@media(max-width:500px){figure>svg{font-size:20px}}
@media(prefers-color-scheme:dark){body{color:#eee;background:#16181c}.grid{stroke:#333}
td,th{border-color:#333}}
"""
_POINTS = 200
"""Of a curve: more are not seen."""
ECHO_PROFILE, ECHO_SIZE = "default", 64


def _ecdf(samples: Sequence[float]) -> list[tuple[float, float]]:
    """Return (milliseconds, share of samples at most so long)."""
    ordered = sorted(samples)
    steps = min(len(ordered), _POINTS)
    return [
        (percentile(ordered, 100 * step / steps) * 1000, step / steps) for step in range(steps + 1)
    ]


def echo_picture(listed: Sequence[Figure]) -> str:
    """Return the echo's distribution beside that of the delays alone, or nothing."""
    series = []
    for figure in listed:
        group = figure.group
        if (group.workload, group.profile, group.metric) != ("W1", ECHO_PROFILE, "rtt"):
            continue
        if group.param("size") == ECHO_SIZE and figure.samples:
            series.append(Series(group.ends, _ecdf(figure.samples)))
    if not series:
        return ""
    up = packets_for(ECHO_SIZE, "stream")
    down = packets_for(ECHO_SIZE, "stream", reply=True)
    bound = Series("delays alone", _ecdf(echo_seconds(ECHO_PROFILE, up, down)), is_bound=True)
    title = f"Echo of {ECHO_SIZE} bytes, profile {ECHO_PROFILE}"
    return _figure(title, lines(title, [*series, bound], "ms", "share of the requests"))


def loss_pictures(listed: Sequence[Figure]) -> str:
    """Return goodput against loss, one picture for each profile and length."""
    pictures: dict[tuple[str, int], dict[str, list[tuple[float, float]]]] = {}
    for figure in listed:
        group = figure.group
        if group.workload != "W9" or not group.metric.startswith("goodput"):
            continue
        if figure.samples and group.param("burst") is False:
            name = f"{group.ends} {group.metric.removeprefix('goodput_')}"
            loss = 100 * float(str(group.param("loss")))
            rate = Summary.of(figure.samples).p50 * 1000
            series = pictures.setdefault((group.profile, group.integer("bytes")), {})
            series.setdefault(name, []).append((loss, rate))
    drawn = []
    for (profile, length), series in sorted(pictures.items()):
        title = f"Goodput of {length / 1e6:g} MB against loss at one hop, profile {profile}"
        sorted_series = [Series(name, sorted(points)) for name, points in series.items()]
        drawn.append(_figure(title, lines(title, sorted_series, "% lost", "kB/s")))
    return "".join(drawn)


def area_pictures(listed: Sequence[Figure]) -> str:
    """Return CPU per packet by party and area, one picture for each profile."""
    pictures: dict[str, dict[str, dict[str, float]]] = {}
    for figure in listed:
        group = figure.group
        kind, _, party = group.metric.partition("_")
        if group.workload == "W7" and kind == "area" and party in PARTIES and figure.samples:
            rows = pictures.setdefault(group.profile, {})
            parts = rows.setdefault(f"{party}, {group.ends}", {})
            parts[str(group.param("area"))] = Summary.of(figure.samples).p50
    drawn = []
    for profile, rows in sorted(pictures.items()):
        title = f"CPU of a packet by area, profile {profile}"
        ordered = [
            (name, dict(sorted(parts.items(), key=lambda part: -part[1])))
            for name, parts in sorted(rows.items())
        ]
        drawn.append(_figure(title, bars(title, ordered, "ms")))
    return "".join(drawn)


def _figure(title: str, drawing: str) -> str:
    return f"<h2>{escape(title)}</h2><figure>{drawing}</figure>"


def _style() -> str:
    def rules(scheme: int) -> str:
        return "".join(
            f"rect.c{number}{{fill:{pair[scheme]}}}path.c{number}{{stroke:{pair[scheme]}}}"
            for number, pair in enumerate(_COLORS)
        )

    return f"{_STYLE}{rules(0)}@media(prefers-color-scheme:dark){{{rules(1)}}}"


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<h2>{escape(title)}</h2><div class="scroll">{table}</div>'


def page(records: Sequence[Record]) -> str:
    """Return the whole page."""
    listed = figures(records)
    stated = [conditions(record) for record in records if record.workload == ENVIRONMENT]
    parts = [
        *(f"<p>{escape(text)}</p>" for text in stated),
        _table("Promises", ("target", "limit", "measured", ""), targets_rows(listed)),
        _table("Beside the Rust programs", BESIDE_HEADINGS, beside_rows(listed)),
        echo_picture(listed),
        loss_pictures(listed),
        area_pictures(listed),
        _table("All figures", MAIN_HEADINGS, main_rows(listed)),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>nymproxy benchmarks</title>'
        f"<style>{_style()}</style></head><body><h1>nymproxy benchmarks</h1>"
        f"{''.join(parts)}</body></html>\n"
    )
