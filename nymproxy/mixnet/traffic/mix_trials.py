"""Which mixes lose packets, learned from acks, and which are left out of routes for it.

The directory lists a dead mix until its next epoch, and a lossy one for as long as it is good
enough. A packet and its ack pass one mix of each layer each, drawn at random. If no mix of a layer
is worse than the others, the losses among the packets that passed one of them are as if drawn
without looking: hypergeometric, however losses come in bursts. A mix for which so many would be
drawn less than once in a million looks is left out for ten minutes.

Whoever drops packets on purpose (our gateway sees the first mix of each, a mix its neighbours) can
thereby have mixes left out, but in each layer a fifth at most, and never so that fewer than two are
left. So a share of the mixes of a layer grows by a factor of 1.25 at most for it.

There is nothing like it in the Rust client.
"""

from __future__ import annotations

from collections import Counter, deque
from math import comb
from typing import TYPE_CHECKING, Final, NamedTuple

from nymproxy._timers import TimeHeap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.mixnet.sphinx import NodeAddress

LEFT_OUT_SECONDS: Final = 600.0
LEFT_OUT_SHARE: Final = 5
"""At most one in so many of a layer is left out."""

ERROR_RATE: Final = 1e-6
"""Of one look at one mix, which happens when a packet that passed it was lost."""

_WINDOW_SECONDS: Final = 120.0
_WINDOW_TRIALS: Final = 1000
_MOST_WAITING: Final = 2000
_WORSE_BY: Final = 0.05
_EARLY_SECONDS: Final = 0.005


class Mix(NamedTuple):
    """A mix and the layer in which it stands."""

    layer: int
    address: NodeAddress


class _Trial:
    """One packet that left."""

    __slots__ = ("due", "is_settled", "known", "mixes")

    def __init__(self, mixes: Sequence[Mix], due: float) -> None:
        self.known = len(mixes)
        self.mixes = frozenset(mixes)
        self.due = due
        self.is_settled = False


class _Ledger:
    """The packets of one kind of the last two minutes, a thousand at most."""

    __slots__ = ("_trials", "lost", "lost_through", "passed_through")

    def __init__(self) -> None:
        self._trials: deque[tuple[float, frozenset[Mix], bool]] = deque()
        self.lost = 0
        self.passed_through: Counter[Mix] = Counter()
        self.lost_through: Counter[Mix] = Counter()

    def __len__(self) -> int:
        return len(self._trials)

    def add(self, mixes: frozenset[Mix], now: float, *, is_lost: bool) -> None:
        self._trials.append((now, mixes, is_lost))
        self._count(mixes, 1, is_lost=is_lost)
        while len(self) > _WINDOW_TRIALS or self._trials[0][0] < now - _WINDOW_SECONDS:
            _, old, was_lost = self._trials.popleft()
            self._count(old, -1, is_lost=was_lost)

    def _count(self, mixes: frozenset[Mix], step: int, *, is_lost: bool) -> None:
        for mix in mixes:
            self.passed_through[mix] += step
            if is_lost:
                self.lost_through[mix] += step
        self.lost += step * is_lost

    def is_worse(self, mix: Mix) -> bool:
        """Tell whether a mix loses more than the others, by much and by no chance."""
        passed, lost = self.passed_through[mix], self.lost_through[mix]
        others, lost_by_others = len(self) - passed, self.lost - lost
        if not others or lost / passed < 2 * lost_by_others / others + _WORSE_BY:
            return False
        return tail(len(self), self.lost, passed, lost) < ERROR_RATE


def tail(trials: int, lost: int, passed: int, lost_there: int) -> float:
    """Return the chance that so many or more of the packets that were lost are among those that
    passed a mix, if it is no worse than others (hypergeometric).

    Args:
        trials: packets in all.
        lost: of them.
        passed: the mix.
        lost_there: of those that passed it.
    """
    ways = sum(
        comb(lost, count) * comb(trials - lost, passed - count)
        for count in range(lost_there, min(lost, passed) + 1)
    )
    return ways / comb(trials, passed)


class MixTrials:
    """Takes what left and what was acknowledged; says which mixes to leave out."""

    def __init__(self) -> None:
        # By how many mixes are known: of a reply only those of its ack.
        self._ledgers: dict[int, _Ledger] = {}
        self._waiting: dict[bytes, list[_Trial]] = {}
        self._deadlines: TimeHeap[tuple[bytes, _Trial]] = TimeHeap()
        self._layers: tuple[frozenset[NodeAddress], ...] = ()
        self._left_out: dict[Mix, float] = {}

    @property
    def left_out(self) -> frozenset[NodeAddress]:
        """The addresses of the mixes to leave out."""
        return frozenset(mix.address for mix in self._left_out)

    def use_layers(self, layers: Sequence[Sequence[NodeAddress]]) -> None:
        """Take the mixes of each layer. With others than before, all begins anew, but those left
        out stay so where they still are what they were."""
        taken = tuple(frozenset(layer) for layer in layers)
        if taken == self._layers:
            return
        self._layers = taken
        self.interrupted()
        self._ledgers.clear()
        kept, self._left_out = self._left_out, {}
        for mix, until in kept.items():
            if self._may_leave_out(mix):
                self._left_out[mix] = until

    def left(self, fragment_id: bytes, mixes: Sequence[Mix], due: float, deadline: float) -> None:
        """Take note of a packet that left.

        Args:
            fragment_id: what its ack will carry.
            mixes: those that it and its ack pass, as far as they are known.
            due: when its ack comes, but for queues and links.
            deadline: from when on it is lost.
        """
        if mixes and len(self._waiting) < _MOST_WAITING:
            trial = _Trial(mixes, due)
            self._waiting.setdefault(fragment_id, []).append(trial)
            self._deadlines.push(deadline, (fragment_id, trial))

    def acknowledged(self, fragment_id: bytes, now: float) -> None:
        """Take note of an ack: of that packet of the fragment which was due last before it."""
        came = [
            trial
            for trial in self._waiting.get(fragment_id, ())
            if trial.due <= now + _EARLY_SECONDS
        ]
        if came:
            trial = max(came, key=lambda each: each.due)
            self._settle(fragment_id, trial)
            self._ledger(trial).add(trial.mixes, now, is_lost=False)

    def interrupted(self) -> None:
        """Take note that no ack could come, or be read: what is on its way proves nothing."""
        self._waiting.clear()
        self._deadlines.clear()

    def look(self, now: float) -> bool:
        """Take what was not acknowledged for lost; True when other mixes are left out than
        before."""
        before = len(self._left_out)
        released = [mix for mix, until in self._left_out.items() if until <= now]
        for mix in released:
            del self._left_out[mix]
        while self._deadlines.next_time <= now:
            fragment_id, trial = self._deadlines.pop()[1]
            if not trial.is_settled:
                self._settle(fragment_id, trial)
                self._lost(trial, now)
        return bool(released) or len(self._left_out) != before

    def _lost(self, trial: _Trial, now: float) -> None:
        ledger = self._ledger(trial)
        ledger.add(trial.mixes, now, is_lost=True)
        for mix in trial.mixes:
            if self._may_leave_out(mix) and ledger.is_worse(mix):
                self._left_out[mix] = now + LEFT_OUT_SECONDS

    def _ledger(self, trial: _Trial) -> _Ledger:
        return self._ledgers.setdefault(trial.known, _Ledger())

    def _may_leave_out(self, mix: Mix) -> bool:
        if mix in self._left_out or mix.layer >= len(self._layers):
            return False
        layer = self._layers[mix.layer]
        left_out = sum(other.layer == mix.layer for other in self._left_out)
        is_within_share = left_out < len(layer) // LEFT_OUT_SHARE
        return mix.address in layer and is_within_share and len(layer) - left_out > 2

    def _settle(self, fragment_id: bytes, trial: _Trial) -> None:
        trial.is_settled = True
        trials = self._waiting[fragment_id]
        trials.remove(trial)
        if not trials:
            del self._waiting[fragment_id]
