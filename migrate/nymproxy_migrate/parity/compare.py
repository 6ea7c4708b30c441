"""From the measurements of two sides to rows with verdicts. Pure functions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from statistics import median
from typing import TYPE_CHECKING

from nymproxy_migrate.parity import verdicts
from nymproxy_migrate.parity.measure import (
    ASKED,
    Linkability,
    Measured,
    SideMeasurements,
)
from nymproxy_migrate.parity.model import FAILURES, MIXED_ECHO, WORKLOADS, Row, Verdict
from nymproxy_migrate.parity.outcomes import judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nymproxy_migrate.parity.measure import Refusal
    from nymproxy_migrate.parity.outcomes import Seen
    from nymproxy_migrate.parity.verdicts import Allowance

ECHOES = ("echo", MIXED_ECHO)
IN_ORDER = (*ECHOES, "download", "half_close", "at_once")
"""Workloads whose answer shows by its content what belongs where."""
TRANSFERS = ("download", "upload")
NOT_OURS = "the upstream is not one of this run"
NO_COUNTERS = "the network is not the localnet, so nobody counts its packets"

Figure = Callable[[Measured], float | None]


def compare(legacy: SideMeasurements, stream: SideMeasurements) -> tuple[Row, ...]:
    """Return all rows, in the order in which they are shown."""
    rows: list[Row] = []
    for name, title in WORKLOADS.items():
        pair = legacy.workloads.get(name), stream.workloads.get(name)
        if pair == (None, None) and name == MIXED_ECHO:
            continue
        if pair[0] is None or pair[1] is None:
            rows.append(_skipped(f"{name}.digest", f"{title}: bytes are right", name, NOT_OURS))
            continue
        rows += _workload(name, title, pair[0], pair[1])
    rows += _refusal(legacy.refusal, stream.refusal)
    rows += _truths(legacy.truths, stream.truths)
    rows += _linkability(legacy.linkability, stream.linkability)
    rows += _memory(legacy, stream)
    return tuple(rows)


def _workload(name: str, title: str, legacy: Measured, stream: Measured) -> Iterator[Row]:
    yield _correct(name, title, legacy, stream)
    if name in IN_ORDER:
        yield _in_order(name, title, legacy, stream)
    yield from _ends(name, title, legacy, stream)
    yield from _times(name, title, legacy, stream)
    if name in TRANSFERS or name in {"echo", "at_once"}:
        yield from _cost(name, title, legacy, stream)


def _skipped(name: str, title: str, group: str, note: str) -> Row:
    return Row(name, title, group, "", None, None, Verdict.SKIPPED, note=note)


def _problems(*pairs: tuple[str, str | None]) -> str:
    return "; ".join(f"{side}: {problem}" for side, problem in pairs if problem)


def _correct(name: str, title: str, legacy: Measured, stream: Measured) -> Row:
    old, new = legacy.result, stream.result
    return Row(
        f"{name}.digest",
        f"{title}: bytes are right",
        name,
        "",
        old.ok,
        new.ok,
        verdicts.correct(old.ok, new.ok),
        note=_problems(("legacy", old.problem), ("stream", new.problem)),
    )


def _in_order(name: str, title: str, legacy: Measured, stream: Measured) -> Row:
    wrong = legacy.result.first_wrong_byte, stream.result.first_wrong_byte
    notes = [None if each is None else f"other bytes from offset {each:,} on" for each in wrong]
    return Row(
        f"{name}.order",
        f"{title}: bytes are where they belong",
        name,
        "",
        wrong[0] is None,
        wrong[1] is None,
        verdicts.correct(wrong[0] is None, wrong[1] is None),
        note=_problems(("legacy", notes[0]), ("stream", notes[1])),
    )


def _ends(name: str, title: str, legacy: Measured, stream: Measured) -> Iterator[Row]:
    """Ends of data on both ends, and what connections arrived."""
    made = stream.result.connections
    old, new = legacy.result.ends_of_data, stream.result.ends_of_data
    yield _count(f"{name}.eof_at_app", f"{title}: app sees the end of data", name, old, new, made)
    at_upstream = f"{title}: upstream sees the end of data"
    arrived = f"{title}: connections at the upstream"
    if legacy.upstream is None or stream.upstream is None:
        note = f"{NOT_OURS}, and told nothing" if name in ASKED else f"{NOT_OURS}, nor asked here"
        yield _skipped(f"{name}.eof_at_upstream", at_upstream, name, note)
        yield _skipped(f"{name}.connections", arrived, name, note)
        return
    old, new = legacy.upstream.ends_of_data, stream.upstream.ends_of_data
    yield _count(f"{name}.eof_at_upstream", at_upstream, name, old, new, made)
    old, new = legacy.upstream.connections, stream.upstream.connections
    verdict = verdicts.correct(old == legacy.result.connections, new == made)
    yield Row(f"{name}.connections", arrived, name, "", old, new, verdict, note=f"{made} made")


def _count(name: str, title: str, group: str, old: int, new: int, made: int) -> Row:
    verdict = verdicts.higher_is_better(old, new)
    return Row(name, title, group, "", old, new, verdict, note=f"of {made}")


def _times(name: str, title: str, legacy: Measured, stream: Measured) -> Iterator[Row]:
    def row(what: str, label: str, figure: Figure, allowance: Allowance) -> Row:
        pair = figure(legacy), figure(stream)
        return _figures(f"{name}.{what}", f"{title}: {label}", name, "ms", pair, allowance)

    def first(one: Measured) -> float | None:
        seconds = one.result.first_byte_seconds
        return None if seconds is None else seconds * 1000

    if name in {"first_byte", "greeting"}:
        yield row("first_byte_ms", "time to the first byte", first, verdicts.FIRST_BYTE)
    if name in ECHOES:
        yield row("rtt_p50_ms", "median", lambda one: _trip(one, median), verdicts.ROUND_TRIP)
        yield row("rtt_max_ms", "longest", lambda one: _trip(one, max), verdicts.PAUSE)
    if name == "download":
        yield row("longest_pause_ms", "longest pause", _longest_pause, verdicts.PAUSE)
    if name in TRANSFERS:
        yield _goodput(name, title, legacy, stream)
    else:
        yield row("total_ms", "all of it", lambda one: one.result.seconds * 1000, verdicts.DURATION)


def _trip(one: Measured, summary: Callable[[tuple[float, ...]], float]) -> float | None:
    trips = one.result.round_trips_seconds
    return summary(trips) * 1000 if trips else None


def _longest_pause(one: Measured) -> float | None:
    moments = [0.0, *(seconds for seconds, _ in one.result.progress)]
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    return max(pauses) * 1000 if pauses else None


def _figures(
    name: str,
    title: str,
    group: str,
    unit: str,
    pair: tuple[float | None, float | None],
    allowance: Allowance,
) -> Row:
    """A row of two figures of which the lower is the better."""
    old, new = (None if each is None else _rounded(each) for each in pair)
    if old is None or new is None:
        note = "there is no figure where the workload failed"
        return Row(name, title, group, unit, old, new, Verdict.SKIPPED, str(allowance), note)
    verdict = verdicts.lower_is_better(old, new, allowance)
    return Row(name, title, group, unit, old, new, verdict, str(allowance))


def _rounded(value: float) -> float:
    """Keep four digits: more are noise."""
    if not value:
        return 0.0
    return round(value, max(0, 3 - math.floor(math.log10(abs(value)))))


def _goodput(name: str, title: str, legacy: Measured, stream: Measured) -> Row:
    name, label = f"{name}.goodput", f"{title}: goodput"
    group = name.partition(".")[0]
    allowance = f"{verdicts.GOODPUT_SHARE * 100:g} % or {verdicts.GOODPUT_SECONDS:g} s"
    old, new = legacy.result, stream.result
    if not old.ok or not new.ok:
        note = "there is no figure where the workload failed"
        return Row(name, label, group, "kB/s", None, None, Verdict.SKIPPED, allowance, note)
    rates = [_rounded(each.payload_bytes / each.seconds / 1000) for each in (old, new)]
    verdict = verdicts.goodput(old.seconds, new.seconds)
    return Row(name, label, group, "kB/s", rates[0], rates[1], verdict, allowance)


def _cost(name: str, title: str, legacy: Measured, stream: Measured) -> Iterator[Row]:
    """Packets and bytes that the network carried for the payload."""
    packets, wire = f"{name}.packets_per_kb", f"{name}.wire_bytes_per_byte"
    labels = f"{title}: packets per kB", f"{title}: bytes on the wire per byte"
    if legacy.network is None or stream.network is None:
        yield _skipped(packets, labels[0], name, NO_COUNTERS)
        yield _skipped(wire, labels[1], name, NO_COUNTERS)
        return
    allowance = verdicts.PACKETS if name in TRANSFERS else verdicts.FEW_PACKETS
    kilobytes = [one.result.payload_bytes / 1000 or None for one in (legacy, stream)]
    old, new = (
        None if size is None else one.packets_from_clients / size
        for one, size in zip((legacy.network, stream.network), kilobytes, strict=True)
    )
    yield _figures(packets, labels[0], name, "", (old, new), allowance)
    old, new = (
        None if size is None else one.bytes_from_clients / 1000 / size
        for one, size in zip((legacy.network, stream.network), kilobytes, strict=True)
    )
    yield _figures(wire, labels[1], name, "", (old, new), allowance)


def _refusal(legacy: Refusal | None, stream: Refusal | None) -> Iterator[Row]:
    title, group = "Upstream down: app sees its connection end", "upstream_down"
    if legacy is None or stream is None:
        yield _skipped(f"{group}.visible", title, group, NOT_OURS)
        return
    verdict = verdicts.correct(legacy.visible, stream.visible)
    if not legacy.visible and not stream.visible:
        verdict = Verdict.SAME
    yield Row(f"{group}.visible", title, group, "", legacy.visible, stream.visible, verdict)
    pair = [one.seconds * 1000 if one.visible else None for one in (legacy, stream)]
    title = "Upstream down: time until app sees it"
    yield _figures(
        f"{group}.seen_after_ms", title, group, "ms", (pair[0], pair[1]), verdicts.FIRST_BYTE
    )


def _truths(legacy: Mapping[str, Seen], stream: Mapping[str, Seen]) -> Iterator[Row]:
    """What was seen of each failure; the stream side has to be right, whatever the other does."""
    for failure, title in FAILURES.items():
        old, new = legacy.get(failure), stream.get(failure)
        if old is None or new is None:
            continue
        verdict, note = judge(old, new)
        name, values = f"failures.{failure}", (str(old), str(new))
        yield Row(name, title, "failures", "", *values, verdict, note=note)


def _linkability(legacy: Linkability | None, stream: Linkability | None) -> Iterator[Row]:
    group, name = "linkability", "linkability.sender_tags"
    title = "Linkability: senders that the server tells apart"
    if legacy is None or stream is None:
        yield _skipped(name, title, group, "no listening post was started in this network")
        return
    made, old, new = stream.connections, legacy.sender_tags, stream.sender_tags
    verdict = verdicts.higher_is_better(old, new)
    note = f"for {made} connections of one client"
    if verdict is Verdict.WORSE:
        note += ": the server can link connections of the stream way that it could not link before;"
        note += " `--identity-mode per-connection` keeps them apart"
    yield Row(name, title, group, "", old, new, verdict, note=note)
    if legacy.identities is None or stream.identities is None:
        yield _skipped(f"{group}.identities", "Identities registered", group, NO_COUNTERS)
        return
    allowance = verdicts.identities(stream.reserve)
    # Fewer are not better: what fewer identities let the server link is the row above.
    many = allowance.exceeded(stream.identities, legacy.identities)
    yield Row(
        f"{group}.identities",
        "Linkability: identities registered meanwhile",
        group,
        "",
        legacy.identities,
        stream.identities,
        Verdict.WORSE if many else Verdict.SAME,
        str(allowance),
        f"for {made} connections, with those in reserve",
    )


def _memory(legacy: SideMeasurements, stream: SideMeasurements) -> Iterator[Row]:
    for role in ("client", "server"):
        name, title = f"memory.{role}_peak", f"Memory: peak of the {role}"
        sizes = [side.peak_memory.get(role) for side in (legacy, stream)]
        if sizes[0] is None or sizes[1] is None:
            note = f"the {role} is no process of this run, or the system does not tell"
            yield _skipped(name, title, "memory", note)
            continue
        pair = sizes[0] / 1e6, sizes[1] / 1e6
        yield _figures(name, title, "memory", "MB", pair, verdicts.MEMORY)
