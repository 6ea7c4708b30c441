"""How much longer than what surely holds a packet back the way there and back takes: measured.

What a sender knows are the delays that it drew itself: of a packet to an address and of its ack all
of them, of one through a reply SURB those of the ack alone. The others are the secret of the SURB's
creator, who draws them by a profile of its own, so they are part of the excess, and of another one
for each peer. They are sums of exponential delays, whose tail is longer than that of what links and
queues add: it takes more deviations to cover as much of it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from nymproxy.address import SenderTag

if TYPE_CHECKING:
    from nymproxy.address import NymAddress
    from nymproxy.mixnet.traffic.profile import TrafficProfile

_DEVIATIONS: Final = 4
_REPLY_DEVIATIONS: Final = 8
_COMMON_MAXIMUM_SECONDS: Final = 3.0
"""What the delays that some peers draw add to the timers of others at most."""
_MAXIMUM_PEERS: Final = 1_024


class ExcessEstimator:
    """Smoothed value plus some deviations, as in RFC 6298, but quick to rise and slow to fall: many
    packets are measured for each round trip, and a timer that is too short on an overloaded
    machine doubles its load.

    Args:
        maximum_seconds: limit of the estimate.
        deviations: how many are added.
    """

    __slots__ = ("_deviation", "_deviations", "_maximum", "_smoothed", "samples")

    def __init__(self, maximum_seconds: float, deviations: int = _DEVIATIONS) -> None:
        self._maximum = maximum_seconds
        self._deviations = deviations
        self._smoothed: float | None = None
        self._deviation = 0.0
        self.samples = 0
        """How many packets were measured."""

    @property
    def seconds(self) -> float:
        """What to add to a timer."""
        if self._smoothed is None:
            return 0.0
        return min(self._maximum, self._smoothed + self._deviations * self._deviation)

    def measured(self, excess_seconds: float) -> None:
        """Take in the excess of one packet whose ack is surely its own."""
        self.samples += 1
        if self._smoothed is None:
            self._smoothed, self._deviation = excess_seconds, excess_seconds / 2
            return
        error = excess_seconds - self._smoothed
        gain = 0.125 if error > 0 else 0.03125
        self._smoothed += gain * error
        self._deviation += 2 * gain * (abs(error) - self._deviation)

    def at_least(self, excess_seconds: float) -> None:
        """Take in a lower bound: the ack may belong to an earlier transmission."""
        if self._smoothed is None or excess_seconds > self._smoothed:
            self.measured(excess_seconds)


class Excesses:
    """The excess of packets whose delays are all our own, and by peer of those through reply SURBs.

    Until as many packets of a peer were measured as the profile wants, its timers are those of all
    such peers together, but for 3 s at most: peers may draw what they like. Beyond 1,024 peers the
    one that was measured last longest ago is forgotten.

    Args:
        profile: limits, and how many measurements are enough.
    """

    __slots__ = ("_all_replies", "_by_tag", "_maximum", "_samples", "own")

    def __init__(self, profile: TrafficProfile) -> None:
        self._maximum = profile.maximum_excess_seconds
        self._samples = profile.ack_wait_samples
        self.own = ExcessEstimator(self._maximum)
        """Of packets to addresses."""
        self._all_replies = ExcessEstimator(
            min(self._maximum, _COMMON_MAXIMUM_SECONDS), _REPLY_DEVIATIONS
        )
        self._by_tag: OrderedDict[SenderTag, ExcessEstimator] = OrderedDict()

    def of(self, to: NymAddress | SenderTag) -> ExcessEstimator:
        """Return the excess that timers of packets to a peer follow."""
        if not isinstance(to, SenderTag):
            return self.own
        known = self._by_tag.get(to)
        return self._all_replies if known is None or known.samples < self._samples else known

    def is_measured(self, to: NymAddress | SenderTag) -> bool:
        """Tell whether enough packets were measured, to this peer itself if the delays are its."""
        excess = self.of(to)
        return excess is not self._all_replies and excess.samples >= self._samples

    def measured(self, to: NymAddress | SenderTag, seconds: float) -> None:
        """Take in the excess of one packet whose ack is surely its own."""
        for estimator in self._estimators(to):
            estimator.measured(seconds)

    def at_least(self, to: NymAddress | SenderTag, seconds: float) -> None:
        """Take in a lower bound: the ack may belong to an earlier transmission."""
        for estimator in self._estimators(to):
            estimator.at_least(seconds)

    def _estimators(self, to: NymAddress | SenderTag) -> tuple[ExcessEstimator, ...]:
        if not isinstance(to, SenderTag):
            return (self.own,)
        known = self._by_tag.get(to)
        if known is None:
            known = self._by_tag[to] = ExcessEstimator(self._maximum, _REPLY_DEVIATIONS)
            if len(self._by_tag) > _MAXIMUM_PEERS:
                self._by_tag.popitem(last=False)
        self._by_tag.move_to_end(to)
        return self._all_replies, known
