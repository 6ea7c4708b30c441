"""The metrics of a process in the text format of Prometheus, by its official client library.

It was taken before OpenTelemetry because an operator needs no collector for it, and it brings
nothing else with it. No address and no tag is a label: what has labels is a forward, by its name.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from nymproxy.operating.http_server import Answer
from nymproxy.operating.statistics import statistics_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from prometheus_client.metrics_core import Metric

    from nymproxy.legacy.roster import ClientRoster
    from nymproxy.memory_account import MemoryAccount
    from nymproxy.mixnet.machine import ClientCounters
    from nymproxy.operating.forward import Forward

_FORWARD = ("forward", "role")


class _Forwards(Collector):
    """What all forwards do, asked when somebody looks."""

    def __init__(self, forwards: Callable[[], Sequence[Forward]]) -> None:
        self._forwards = forwards

    def collect(self) -> Iterable[Metric]:
        forwards = self._forwards()
        statistics = [statistics_of(each) for each in forwards]
        rosters = _rosters(forwards)
        of_clients = [{**statistics_of(each), "forward": name} for each, name in rosters.values()]
        yield from _gauges(statistics, _OF_FORWARDS)
        yield from _gauges(of_clients, _OF_CLIENTS)
        yield from _counters(statistics)
        yield from _packet_counters(rosters)
        yield _round_trips(rosters)
        yield from _probes(forwards)


def _rosters(forwards: Sequence[Forward]) -> dict[ClientRoster, tuple[Forward, str]]:
    """Return each roster once, with a forward that uses it and the name that its figures have: of
    the forward, or of the group."""
    found: dict[ClientRoster, tuple[Forward, str]] = {}
    for forward in forwards:
        group = forward.roster.group
        name = forward.plan.name if group is None else f"group {group}"
        found.setdefault(forward.roster, (forward, name))
    return found


def _labels(values: Mapping[str, object]) -> list[str]:
    return [str(values["forward"]), str(values["role"])]


_OF_FORWARDS = (
    ("ready", "nymproxy_ready", "1 while the forward is told to be ready."),
    ("fraction", "nymproxy_bootstrap_fraction", "How far it is with starting, 0 to 1."),
    ("sessions", "nymproxy_sessions", "Sessions that are running."),
)
_OF_CLIENTS = (
    ("mixnet_clients", "nymproxy_mixnet_clients", "Mixnet clients, connected or not."),
    ("mixnet_clients_ready", "nymproxy_mixnet_clients_ready", "Those that can send now."),
    ("packets_waiting", "nymproxy_packets_waiting", "Packets that wait to leave."),
    (
        "packets_unacknowledged",
        "nymproxy_packets_unacknowledged",
        "Packets that left and may still be acknowledged.",
    ),
    ("surbs_in_hand", "nymproxy_reply_surbs_in_hand", "Reply SURBs of all senders."),
    ("window_packets", "nymproxy_window_packets", "Packets that may be unacknowledged."),
)


def _gauges(
    statistics: Sequence[Mapping[str, object]], described: Sequence[tuple[str, str, str]]
) -> Iterable[Metric]:
    for key, name, text in described:
        family = GaugeMetricFamily(name, text, labels=_FORWARD)
        for values in statistics:
            value = values[key]
            if isinstance(value, (bool, int, float)):  # no window: a sending schedule
                family.add_metric(_labels(values), float(value))
        yield family


def _counters(statistics: Sequence[Mapping[str, object]]) -> Iterable[Metric]:
    begun = CounterMetricFamily("nymproxy_sessions_begun", "Sessions begun.", labels=_FORWARD)
    ended = CounterMetricFamily(
        "nymproxy_sessions_ended", "Sessions over, by reason.", labels=(*_FORWARD, "reason")
    )
    carried = CounterMetricFamily(
        "nymproxy_bytes", "Bytes of sessions, by direction.", labels=(*_FORWARD, "direction")
    )
    for values in statistics:
        labels = _labels(values)
        begun.add_metric(labels, _number(values["sessions_begun"]))
        for direction in ("to_peer", "from_peer"):
            carried.add_metric([*labels, direction], _number(values[f"bytes_{direction}"]))
        reasons = values["sessions_ended"]
        assert isinstance(reasons, dict)
        for reason, count in reasons.items():
            ended.add_metric([*labels, reason], count)
    return begun, ended, carried


def _number(value: object) -> float:
    assert isinstance(value, (int, float))
    return float(value)


def _packet_counters(
    rosters: Mapping[ClientRoster, tuple[Forward, str]],
) -> Iterable[Metric]:
    counters = [
        ([name, forward.plan.role], roster.counters) for roster, (forward, name) in rosters.items()
    ]
    lost = CounterMetricFamily(
        "nymproxy_gateways_lost", "Times that a client lost its gateway.", labels=_FORWARD
    )
    for roster, (forward, name) in rosters.items():
        lost.add_metric([name, forward.plan.role], roster.gateways_lost)

    def plain(name: str, text: str, value: Callable[[ClientCounters], float]) -> Metric:
        family = CounterMetricFamily(f"nymproxy_{name}", text, labels=_FORWARD)
        for labels, counts in counters:
            family.add_metric(labels, value(counts))
        return family

    def by_kind(
        name: str, text: str, label: str, values: Callable[[ClientCounters], Mapping[str, int]]
    ) -> Metric:
        family = CounterMetricFamily(f"nymproxy_{name}", text, labels=(*_FORWARD, label))
        for labels, counts in counters:
            for kind, count in values(counts).items():
                family.add_metric([*labels, kind], count)
        return family

    return (
        lost,
        by_kind("packets_sent", "Packets handed to gateways.", "kind", lambda each: each.sent),
        plain(
            "retransmissions",
            "Packets that were taken for lost and queued again.",
            lambda each: each.retransmissions,
        ),
        plain("acknowledgements", "Acks that arrived.", lambda each: each.acknowledged),
        plain("unknown_acks", "Acks of nothing we wait for.", lambda each: each.unknown_acks),
        plain("covers_received", "Own cover that came back.", lambda each: each.covers_received),
        plain("messages_received", "Messages received.", lambda each: each.messages_received),
        by_kind("messages_given_up", "Messages given up.", "code", lambda each: each.given_up),
        by_kind("packets_unbuilt", "Packets without a route.", "code", lambda each: each.unbuilt),
        by_kind("malformed", "Received and dropped.", "reason", lambda each: each.malformed),
    )


def _round_trips(rosters: Mapping[ClientRoster, tuple[Forward, str]]) -> Metric:
    family = HistogramMetricFamily(
        "nymproxy_round_trip_seconds", "From a packet to its ack.", labels=_FORWARD
    )
    for roster, (forward, name) in rosters.items():
        counters = roster.counters
        if buckets := _buckets(counters.round_trips):
            family.add_metric([name, forward.plan.role], buckets, counters.round_trip_seconds)
    return family


def _buckets(by_bound: Mapping[str, int]) -> list[tuple[str, float]]:
    """Return the classes of a histogram as Prometheus counts them: with those below."""
    total, buckets = 0, []
    for bound, count in sorted((float(bound), count) for bound, count in by_bound.items()):
        total += count
        buckets.append(("+Inf" if math.isinf(bound) else f"{bound:g}", float(total)))
    return buckets


def _probes(forwards: Sequence[Forward]) -> Iterable[Metric]:
    answers = HistogramMetricFamily(
        "nymproxy_probe_round_trip_seconds",
        "From a probe to the answer of its server.",
        labels=_FORWARD,
    )
    silences = CounterMetricFamily(
        "nymproxy_probes_unanswered", "Probes without an answer.", labels=_FORWARD
    )
    for forward in forwards:
        if (probe := forward.probe) is not None:
            labels = [forward.plan.name, forward.plan.role]
            trips = probe.trips
            answers.add_metric(labels, _buckets(trips.by_bound()), trips.total_seconds)
            silences.add_metric(labels, probe.unanswered)
    return answers, silences


class _Memory(Collector):
    """The account of what others make the process keep."""

    def __init__(self, account: MemoryAccount) -> None:
        self._account = account

    def collect(self) -> Iterable[Metric]:
        account = self._account
        yield GaugeMetricFamily(
            "nymproxy_memory_held_bytes", "What peers make us hold.", account.used_bytes
        )
        yield GaugeMetricFamily(
            "nymproxy_memory_limit_bytes", "What they may.", account.maximum_bytes
        )
        yield CounterMetricFamily(
            "nymproxy_memory_reclaimed_bytes", "What was taken away.", account.reclaimed_bytes
        )


class Metrics:
    """All metrics of a process.

    Args:
        forwards: gives those that there are.
        account: of the process.
    """

    def __init__(self, forwards: Callable[[], Sequence[Forward]], account: MemoryAccount) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(_Forwards(forwards))
        self._registry.register(_Memory(account))

    def answer(self) -> Answer:
        """Return them as they are now."""
        return Answer(200, generate_latest(self._registry), CONTENT_TYPE_LATEST)
