"""What the forwards of a process have done, as one line of the log for each."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING

from nymproxy._log_fields import fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.operating.forward import Forward
    from nymproxy.operating.probe import Probe

logger = logging.getLogger("nymproxy.operating")


def statistics_of(forward: Forward) -> dict[str, object]:
    """Return what a forward has done; names and values without addresses.

    The bytes are those of the sessions that are over and of those that are running.
    """
    status, proxy, roster = forward.status, forward.proxy, forward.roster
    sessions = [] if proxy is None else list(proxy.session_map().values())
    totals = None if proxy is None else proxy.totals
    counters = roster.counters
    return {
        "forward": forward.plan.name,
        "role": forward.plan.role,
        "ready": forward.readiness.is_told,
        "fraction": status.fraction,
        "status": status.reason,
        "blocked_by": status.blocked_by,
        "sessions": len(sessions),
        "sessions_begun": 0 if totals is None else totals.began,
        "sessions_ended": {} if totals is None else dict(totals.ended),
        "bytes_to_peer": sum(each.bytes_to_peer for each in sessions)
        + (0 if totals is None else totals.bytes_to_peer),
        "bytes_from_peer": sum(each.bytes_from_peer for each in sessions)
        + (0 if totals is None else totals.bytes_from_peer),
        "identity_group": roster.group,
        "mixnet_clients": roster.client_count,
        "mixnet_clients_ready": roster.ready_count,
        "gateways_lost": roster.gateways_lost,
        "probe": _probed(forward.probe),
        "packets_sent": counters.sent,
        "retransmissions": counters.retransmissions,
        "messages_given_up": counters.given_up,
        **asdict(roster.gauges),
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
