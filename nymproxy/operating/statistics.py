"""What the forwards of a process have done, as one line of the log for each."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING

from nymproxy._log_fields import fields
from nymproxy.legacy.session_totals import ProxyStatistics, SessionTotals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.operating.forward import Forward
    from nymproxy.operating.probe import Probe

logger = logging.getLogger("nymproxy.operating")


def statistics_of(forward: Forward) -> dict[str, object]:
    """Return what a forward has done; names and values without addresses."""
    proxy, roster = forward.proxy, forward.roster
    running = () if proxy is None else proxy.session_map().values()
    totals = SessionTotals() if proxy is None else proxy.totals
    now = ProxyStatistics.of(forward.status, totals, running, roster)
    return {
        "forward": forward.plan.name,
        "role": forward.plan.role,
        "ready": forward.readiness.is_told,
        "fraction": now.status.fraction,
        "status": now.status.reason,
        "blocked_by": now.status.blocked_by,
        "sessions": now.sessions,
        "sessions_begun": now.sessions_begun,
        "sessions_ended": now.sessions_ended,
        "bytes_to_peer": now.bytes_to_peer,
        "bytes_from_peer": now.bytes_from_peer,
        "identity_group": roster.group,
        "mixnet_clients": now.mixnet_clients,
        "mixnet_clients_ready": now.mixnet_clients_ready,
        "gateways_lost": now.gateways_lost,
        "probe": _probed(forward.probe),
        "packets_sent": now.counters.sent,
        "retransmissions": now.counters.retransmissions,
        "lost_share": round(forward.losses.share, 2),
        "messages_given_up": now.counters.given_up,
        **asdict(now.gauges),
    }


def _probed(probe: Probe | None) -> dict[str, object] | None:
    if probe is None:
        return None
    return {
        "answered": probe.answered,
        "unanswered": probe.unanswered,
        "last_seconds": probe.last_seconds,
        "round_trips": probe.trips.by_bound(),
        "round_trip_seconds": probe.trips.total_seconds,
    }


def log_statistics(forwards: Sequence[Forward]) -> None:
    """Write a line for each forward, at INFO."""
    for forward in forwards:
        values = statistics_of(forward)
        text = ", ".join(
            f"{key} {value}"
            for key, value in values.items()
            if key not in ("forward", "role") and value not in (None, {})
        )
        logger.info(
            "%s %s: %s",
            forward.plan.role,
            forward.plan.name,
            text.replace("_", " "),
            extra=fields("statistics", **values),
        )
