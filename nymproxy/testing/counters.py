"""The figures of the localnet's nodes and of the upstream, as differences of snapshots."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class _Totals:
    """Numbers that can be subtracted, field by field."""

    def __sub__(self, earlier: Self) -> Self:
        return type(self)(
            **{
                field.name: getattr(self, field.name) - getattr(earlier, field.name)
                for field in fields(self)
            }
        )


@dataclass(frozen=True, slots=True)
class NetworkTotals(_Totals):
    """What all nodes together counted.

    Attributes:
        packets_from_clients: packets that clients handed to their gateways.
        bytes_from_clients: their Sphinx bytes.
        packets_dropped: packets dropped anywhere.
        registrations: identities registered.
    """

    packets_from_clients: int = 0
    bytes_from_clients: int = 0
    packets_dropped: int = 0
    registrations: int = 0


@dataclass(frozen=True, slots=True)
class UpstreamTotals(_Totals):
    """What the upstream recorded; see :class:`nymproxy.testing.upstream.UpstreamRecord`."""

    connections: int = 0
    ends_of_data: int = 0
    resets: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0


async def network_totals(client: httpx.AsyncClient, counters_url: str) -> NetworkTotals:
    """Ask the localnet for its counters."""
    total: dict[str, Any] = (await client.get(counters_url)).raise_for_status().json()["total"]
    from_clients = total.get("from_client", {}).values()
    return NetworkTotals(
        packets_from_clients=sum(size["packets"] for size in from_clients),
        bytes_from_clients=sum(size["bytes"] for size in from_clients),
        packets_dropped=sum(total.get("dropped", {}).values()),
        registrations=total.get("events", {}).get("clients_registered", 0),
    )


async def upstream_totals(client: httpx.AsyncClient, http_address: str) -> UpstreamTotals:
    """Ask the upstream for its record."""
    answer = await client.get(f"http://{http_address}/statistics")
    return UpstreamTotals(**answer.raise_for_status().json())
