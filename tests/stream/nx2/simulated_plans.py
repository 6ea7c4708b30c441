"""What happens in a simulation: drawn, or given."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from functools import partial


@dataclass(frozen=True)
class Plan:
    """What happens in a run. Chances are of one message, or of each of its packets, times in
    seconds."""

    longest_delay: float = 0.5
    packet_loss: float = 0.0
    given_up: float = 0.0
    swallowed: float = 0.0
    swallowed_packets: float = 0.0
    copied: float = 0.0
    altered: float = 0.0
    replayed: float = 0.0
    up: int = 100_000
    down: int = 100_000
    write_size: int = 20_000
    streams: int = 1
    is_known: bool = True
    ends_at: float = 2500.0
    server_restarts_at: float = math.inf
    client_restarts_at: float = math.inf
    stops: tuple[tuple[str, float, float], ...] = ()
    skew: float = 0.0
    client_moves_at: tuple[float, ...] = ()
    server_gateways: int = 1
    first_gateway_lost: tuple[float, float] = (math.inf, math.inf)
    lost_gateway_acks: bool = False


def random_plan(seed: int) -> Plan:
    """Draw a plan with a few of all troubles."""
    source = random.Random(f"{seed}/plan")
    chance = partial(source.choice, (0.0, 0.0, 0.01, 0.1))
    plan = Plan(
        longest_delay=source.choice((0.1, 0.5, 3.0)),
        packet_loss=chance(),
        given_up=source.choice((0.0, 0.02)),
        swallowed=source.choice((0.0, 0.02, 0.2)),
        copied=chance(),
        altered=source.choice((0.0, 0.01, 0.1)),
        replayed=source.choice((0.0, 0.1, 0.5)),
        up=source.choice((0, 1, 30_000, 300_000)),
        down=source.choice((0, 1, 30_000, 300_000)),
        write_size=source.choice((1_000, 20_000, 100_000)),
        streams=source.choice((1, 1, 3)),
        is_known=source.random() < 0.6,
        skew=source.uniform(-100, 100),
    )
    plan = replace(plan, write_size=max(plan.write_size, plan.up // 20, plan.down // 20))
    if source.random() < 0.25:
        plan = replace(plan, server_restarts_at=source.uniform(0, 30))
    if source.random() < 0.15:
        plan = replace(plan, client_restarts_at=source.uniform(0, 30))
    if source.random() < 0.2:
        begins = source.uniform(0, 20)
        name = source.choice(("client", "server"))
        plan = replace(plan, stops=((name, begins, begins + source.uniform(1, 60)),))
    if source.random() < 0.3:
        times = sorted(source.uniform(0, 30) for _ in range(source.choice((1, 1, 3))))
        plan = replace(plan, client_moves_at=tuple(times))
    if source.random() < 0.4:
        begins = source.uniform(0, 20)
        lost = (begins, begins + source.choice((0.0, 8.0, 60.0, math.inf)))
        acks = source.random() < 0.3
        plan = replace(plan, server_gateways=2, first_gateway_lost=lost, lost_gateway_acks=acks)
    return plan
