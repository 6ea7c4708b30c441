"""What can be measured of a side: where its client listens, and what stands around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nymproxy.testing.counters import NetworkTotals
    from nymproxy.testing.workloads import Target
    from nymproxy_migrate.parity.model import Side
    from nymproxy_migrate.parity.relay import Relay, RelayTotals


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work a run does.

    Attributes:
        first_bytes: connections whose first byte is awaited, one after the other.
        round_trips: of 64 bytes each, on one connection.
        download_bytes: of one transfer.
        upload_bytes: of one transfer.
        connections: at once.
        connection_bytes: downloaded by each of these.
        mixed_round_trips: with the delays of mix nodes; 0 leaves these out.
        failures: whether things are broken on purpose.
    """

    first_bytes: int = 5
    round_trips: int = 60
    download_bytes: int = 1_000_000
    upload_bytes: int = 300_000
    connections: int = 10
    connection_bytes: int = 20_000
    mixed_round_trips: int = 40
    failures: bool = True


FULL = Sizes()
QUICK = Sizes(3, 30, 300_000, 100_000, 5, 10_000, mixed_round_trips=0, failures=False)


@dataclass(frozen=True, slots=True)
class Ways:
    """How one side is reached, and what can be seen of it.

    Attributes:
        side: which one.
        target: where its client listens.
        upstream: the relay in front of the upstream; ``None`` if the upstream is not ours.
        http: the HTTP upstream, for the relay.
        greeter: the upstream that speaks first, for the relay.
        network: the localnet's counters; ``None`` for a network that is not ours.
        statistics: asks an upstream that is not ours for its counts, through the client itself;
            ``None`` if they could not be had.
        processes: process ids by role, for their memory.
    """

    side: Side
    target: Target
    upstream: Relay | None = None
    http: str = ""
    greeter: str = ""
    network: Callable[[], Awaitable[NetworkTotals]] | None = None
    statistics: Callable[[], Awaitable[RelayTotals | None]] | None = None
    processes: dict[str, int] = field(default_factory=dict)


def peak_memory_bytes(process_id: int) -> int | None:
    """Return the largest resident memory that a process had, where the system tells it."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
