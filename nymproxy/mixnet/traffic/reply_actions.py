"""What follows for the outbox from an input of the reply controller."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nymproxy.address import SenderTag
    from nymproxy.mixnet.messages import ReplySurb
    from nymproxy.mixnet.traffic.outgoing import Lane, OutgoingFragment


class SurbRequestPlan(NamedTuple):
    """A request to send now, with the SURB that carries it."""

    tag: SenderTag
    amount: int
    surb: ReplySurb


@dataclass(slots=True)
class ReplyActions:
    """What the caller has to do after an input.

    Attributes:
        ready: fragments that have their ``surb`` now, each with the lane to queue it on.
        requests: SURB requests to send.
        abandoned: fragments that will get no SURB; their messages are to be given up.
        dropped: fragments that need none any more: acknowledged, or given up with their message.
    """

    ready: list[tuple[Lane, OutgoingFragment]] = field(default_factory=list)
    requests: list[SurbRequestPlan] = field(default_factory=list)
    abandoned: list[OutgoingFragment] = field(default_factory=list)
    dropped: list[OutgoingFragment] = field(default_factory=list)
